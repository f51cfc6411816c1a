"""What is checked, timed and trained: full size on a GPU, tiny on a CPU."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Widths:
    """One MoE layer: its model's name, hidden width, expert's width, experts, experts a token."""

    name: str
    hidden: int
    ffn: int
    num_experts: int
    top_k: int


@dataclass(frozen=True)
class Trained:
    """The model that is trained."""

    num_layers: int
    hidden: int
    num_heads: int
    ffn: int
    num_experts: int
    top_k: int
    vocab: int
    sequence_length: int
    micro_batch: int
    steps: int


@dataclass(frozen=True)
class Sizes:
    # Tokens, experts, experts a token, capacity factor (0: dropless), hidden width.
    checked: tuple[tuple[int, int, int, float, int], ...]
    layers: tuple[Widths, ...]
    num_tokens: int
    # Times each measurement is repeated, after as many again to warm up.
    repeats: int
    trained: Trained
    # Sequences and their length in one pass of the demo's model; steps of its training.
    engine_pass: tuple[int, int]
    engine_steps: int


FULL = Sizes(
    checked=(
        (1, 3, 3, 0.0, 8),
        (7, 3, 2, 0.5, 33),
        (1000, 5, 5, 1.0, 130),
        (4096, 8, 2, 1.25, 4096),
        (4096, 16, 2, 0.0, 4608),
        (3001, 512, 16, 0.0, 1024),
        (129, 64, 8, 1.0, 16384),
    ),
    layers=(
        Widths("Mixtral-8x7B", 4096, 14336, 8, 2),
        Widths("Skywork-MoE", 4608, 12288, 16, 2),
    ),
    num_tokens=8192,
    repeats=20,
    trained=Trained(8, 2048, 16, 2048, 8, 2, 32768, 2048, 8, 30),
    engine_pass=(4, 128),
    engine_steps=20,
)
TINY = Sizes(
    checked=((1, 3, 3, 0.0, 8), (7, 3, 2, 0.5, 33), (20, 16, 4, 1.0, 24)),
    layers=(Widths("tiny", 32, 48, 4, 2),),
    num_tokens=16,
    repeats=1,
    trained=Trained(2, 32, 2, 48, 4, 2, 256, 16, 1, 3),
    engine_pass=(1, 12),
    engine_steps=2,
)
