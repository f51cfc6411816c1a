"""Trains an MoE model of about 1 B parameters on one device: bf16 compute, fp32 master weights, AdamW.

MFU counts 6 FLOPs per active parameter and token (the head's among them, the embedding's not) and
causal attention, 6 * layers * length * heads' width; against the device's dense bf16 peak.
"""

import statistics
import sysconfig
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from check_engine import make_model
from helpers import make_job
from moestro_engine.kernels.select import forced

NUM_WARM_UP_STEPS = 5
LEARNING_RATE = 3e-4
CAPACITY_FACTOR = 1.25


def train_model(machine, sizes) -> dict[str, object]:
    """Step time, tokens/s and MFU of the kernels; the micro-batch is halved until it fits."""
    micro_batch = sizes.trained.micro_batch
    while True:
        try:
            return _train(machine, sizes.trained, micro_batch)
        except torch.OutOfMemoryError:
            if micro_batch == 1:
                return {"failed": "out of memory with one sequence a micro-batch"}
            micro_batch //= 2
        machine.release()


def _train(machine, size, micro_batch: int) -> dict[str, object]:
    device, length = machine.device, size.sequence_length
    job = _job(size)
    model = make_model(job, torch.bfloat16, device, init_std=0.02)
    masters = [p.detach().float().requires_grad_() for p in model.parameters()]
    optimizer = torch.optim.AdamW(
        masters, lr=LEARNING_RATE, betas=(0.9, 0.95), fused=True
    )
    text = _text(device, size.steps * micro_batch * length + 1)
    losses, times = [], []
    for step in range(size.steps):
        start = step * micro_batch * length
        tokens = text[start : start + micro_batch * length + 1]
        _wait(device)
        started = time.perf_counter()
        model.balance.reset()
        with forced("triton"):
            logits = model(tokens[:-1].view(micro_batch, length))
        loss = F.cross_entropy(logits.float().flatten(0, 1), tokens[1:])
        loss.backward()
        _update(optimizer, masters, list(model.parameters()))
        _wait(device)
        times.append(time.perf_counter() - started)
        losses.append(loss.item())
    median = statistics.median(times[NUM_WARM_UP_STEPS:] or times)
    active = _active_parameters(model, size)
    per_token = 6 * active + 6 * size.num_layers * length * size.hidden
    rate = micro_batch * length / median
    routed, dropped = model.balance.routed_LE.sum(), model.balance.dropped_LE.sum()
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else None
    return {
        "parameters": sum(p.numel() for p in model.parameters()),
        "active_parameters": active,
        "layers": size.num_layers,
        "hidden": size.hidden,
        "experts": size.num_experts,
        "top_k": size.top_k,
        "capacity_factor": CAPACITY_FACTOR,
        "sequence_length": length,
        "micro_batch": micro_batch,
        "steps": size.steps,
        "step_ms": 1e3 * median,
        "tokens_per_s": rate,
        "mfu": rate * per_token / machine.peak_flops,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "dropped_last_step": (dropped / routed).item(),
        "peak_memory_bytes": peak,
    }


def _update(optimizer, masters: list, parameters: list) -> None:
    for master, parameter in zip(masters, parameters, strict=True):
        master.grad = parameter.grad.float()
        parameter.grad = None
    torch.nn.utils.clip_grad_norm_(masters, 1.0)
    optimizer.step()
    torch._foreach_copy_([p.data for p in parameters], [m.data for m in masters])


def _job(size):
    return make_job(
        Path("."),
        num_layers=size.num_layers,
        hidden_size=size.hidden,
        num_heads=size.num_heads,
        num_kv_heads=size.num_heads,
        head_dim=size.hidden // size.num_heads,
        ffn_hidden_size=size.ffn,
        vocab_size=size.vocab,
        num_experts=size.num_experts,
        top_k=size.top_k,
        capacity_factor=CAPACITY_FACTOR,
        sequence_length=size.sequence_length,
    )


def _active_parameters(model, size) -> int:
    """Parameters a token is multiplied with: all but the embedding and the experts that were not chosen."""
    counts = {name: p.numel() for name, p in model.named_parameters()}
    experts = sum(count for name, count in counts.items() if ".experts." in name)
    others = sum(counts.values()) - experts - counts["embedding.weight"]
    return others + experts * size.top_k // size.num_experts


def _text(device: torch.device, length: int) -> torch.Tensor:
    """Bytes of the Python standard library's source, as many as wanted: a text that can be learnt."""
    folder = Path(sysconfig.get_paths()["stdlib"])
    text = b"".join(path.read_bytes() for path in sorted(folder.glob("*.py")))
    repeated = text * (length // len(text) + 1)
    return torch.frombuffer(bytearray(repeated[:length]), dtype=torch.uint8).to(
        device, torch.long
    )


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
