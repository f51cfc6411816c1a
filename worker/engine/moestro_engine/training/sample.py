"""Text from the trained model: the prompt walks through the pipeline once for every byte."""

import torch
import torch.distributed as dist

from moestro_engine.data.token_metadata import BYTES_TOKENIZER
from moestro_engine.parallel.check_plan import stage_ranks
from moestro_engine.training.context import Context

TEMPERATURE = 0.8
# A larger vocabulary has entries that stand for no byte.
NUM_BYTES = 256
# Lengths are rounded up to a multiple of this per rank, so that few different shapes occur.
PART = 16


def why_not_sampled(tokenizer: str | None) -> str:
    """One line if the model's tokens, made by this tokenizer, are not bytes or not known to be; else nothing."""
    if tokenizer == BYTES_TOKENIZER:
        return ""
    found = "do not say what made them" if tokenizer is None else f"are of tokenizer {tokenizer}"
    return f"no text is sampled: that takes a token a byte, and the data's tokens {found}; training.sampleBytes 0 asks for none"


def sample_text(context: Context) -> bytes:
    """``training.sample_bytes`` bytes after the prompt; the same on every rank, the same for one seed.

    Every data-parallel replica computes the same; the first one's last stage draws and tells all.
    """
    training = context.job.training
    generator = torch.Generator().manual_seed(training.seed)
    text = list(training.sample_prompt.encode() or b"\n")
    num_prompt = len(text)
    for _ in range(training.sample_bytes):
        text.append(_next_byte(context, text[-training.sequence_length :], generator))
    return bytes(text[num_prompt:])


def draw_byte(logit_V: torch.Tensor, point: torch.Tensor) -> int:
    """The byte at ``point``, fp64 [1] in [0, 1), of the cumulative distribution over the logits that are bytes."""
    probability_B = torch.softmax(logit_V[:NUM_BYTES].double() / TEMPERATURE, dim=-1).cpu()
    # Rounding may leave the sum just below the point.
    return min(int(torch.searchsorted(probability_B.cumsum(0), point)), len(probability_B) - 1)


def _next_byte(context: Context, window: list[int], generator: torch.Generator) -> int:
    mesh, device = context.mesh, context.device
    unit = mesh.sequence_parts * PART
    padded = min(-(-len(window) // unit) * unit, context.job.training.sequence_length)
    part = padded // mesh.sequence_parts
    tokens = torch.tensor(window + [0] * (padded - len(window)), device=device)
    logits_1sV = context.pipeline.infer(tokens[mesh.sequence_rank * part : (mesh.sequence_rank + 1) * part][None])
    # The rank whose slice of the sequence holds the last byte draws the next one.
    owner_place, offset = divmod(len(window) - 1, part)
    owner = stage_ranks(context.plan)[-1] * mesh.stage_size + owner_place
    drawn = torch.zeros(1, dtype=torch.long, device=device)
    # Every rank draws a number, so that all generators stay in step whoever the owner is.
    point = torch.rand(1, generator=generator, dtype=torch.float64)
    if mesh.rank == owner:
        drawn[0] = draw_byte(logits_1sV[0, offset], point)
    dist.broadcast(drawn, owner)
    return int(drawn)
