"""What torch.compile does to one decoder layer's training step, bf16, as a ratio to the same step without it."""

from pathlib import Path

import torch
from helpers import make_job
from machine import median_ms
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.rotary import rotary_table
from moestro_engine.model.transformer import DecoderLayer

BF16 = torch.bfloat16
CAPACITY_FACTOR = 1.25
HEAD_DIM = 128
SEQUENCES = 2


def compile_layer(machine, sizes) -> dict[str, object]:
    """Median times of forward and backward passes at the first widths; or what the compiler said."""
    widths, device = sizes.layers[0], machine.device
    torch.manual_seed(1)
    length = sizes.num_tokens // SEQUENCES
    step = _step(_layer(widths, device), widths.hidden, length, device)
    found = {"widths": widths.name, "tokens": sizes.num_tokens}
    found["plain_ms"] = median_ms(step(lambda layer: layer), device, sizes.repeats)
    # A CPU may have no compiler; the dry run goes as far as the graphs.
    backend = "inductor" if device.type == "cuda" else "aot_eager"
    try:
        compiled = step(lambda layer: torch.compile(layer, backend=backend))
        found["compiled_ms"] = median_ms(compiled, device, sizes.repeats)
    except RuntimeError as error:
        return found | {"failed": str(error).strip().split("\n")[0]}
    return found | {
        "backend": backend,
        "ratio": found["compiled_ms"] / found["plain_ms"],
    }


def _layer(widths, device: torch.device) -> tuple[DecoderLayer, object]:
    head_dim = min(HEAD_DIM, widths.hidden // 2)
    heads = widths.hidden // head_dim
    job = make_job(
        Path("."),
        hidden_size=widths.hidden,
        num_heads=heads,
        num_kv_heads=max(1, heads // 4),
        head_dim=head_dim,
        ffn_hidden_size=widths.ffn,
        num_experts=widths.num_experts,
        top_k=widths.top_k,
        capacity_factor=CAPACITY_FACTOR,
    )
    with device:
        layer = DecoderLayer(job, 0).to(BF16)
    for name, parameter in layer.named_parameters():
        if name.endswith("norm.weight"):
            torch.nn.init.ones_(parameter)
        else:
            torch.nn.init.normal_(parameter, std=0.02)
    return layer, job


def _step(made: tuple[DecoderLayer, object], hidden: int, length: int, device):
    """From a way to prepare the layer to its step, gates watched as in training."""
    layer, job = made
    table = rotary_table(length, job.model.head_dim, job.model.rope_theta, device)
    balances = StepBalance(1, job.moe, 1.0, device)
    shape = SEQUENCES, length, hidden
    x_BSD = torch.randn(shape, device=device).to(BF16).requires_grad_()
    grad_BSD = torch.randn_like(x_BSD)

    def prepared(prepare):
        run = prepare(layer)

        def step() -> None:
            layer.zero_grad()
            balance = balances.open(SEQUENCES * length)
            out_BSD = run(x_BSD, *table, 0, balance)
            balance.close()
            out_BSD.backward(grad_BSD)

        return step

    return prepared
