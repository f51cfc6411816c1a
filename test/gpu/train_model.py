"""Trains an MoE model of about 1 B parameters on one device by the engine: bf16 compute, fp32 master weights, AdamW.

A step has at least two micro-batches, whose gradients add up in fp32.

MFU counts 6 FLOPs per active parameter and token (the head's among them, the embedding's not) and
causal attention, 6 * layers * length * heads' width; against the device's dense bf16 peak.
"""

import statistics
import sysconfig
import time
from pathlib import Path

import torch
from helpers import make_job
from moestro.v1 import job_pb2
from moestro_engine.kernels.select import forced
from one_rank import one_rank

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
    device, length, batch = machine.device, size.sequence_length, _batch(size)
    text = _text(device, size.steps * batch * length + 1)
    losses, times = [], []
    with one_rank(_job(size), micro_batch, device) as rank:
        for step in range(size.steps):
            start = step * batch * length
            # Sequences overlap by the token that one predicts last and the next one starts from.
            token_BS = text[start : start + batch * length + 1].unfold(
                0, length + 1, length
            )
            _wait(device)
            started = time.perf_counter()
            with forced("triton"):
                losses.append(rank.step(token_BS, LEARNING_RATE))
            _wait(device)
            times.append(time.perf_counter() - started)
        model = rank.model
    median = statistics.median(times[NUM_WARM_UP_STEPS:] or times)
    active = _active_parameters(model, size)
    per_token = 6 * active + 6 * size.num_layers * length * size.hidden
    rate = batch * length / median
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
        "micro_batches": batch // micro_batch,
        "steps": size.steps,
        "step_ms": 1e3 * median,
        "tokens_per_s": rate,
        "mfu": rate * per_token / machine.peak_flops,
        "first_loss": losses[0],
        "last_loss": losses[-1],
        "dropped_last_step": (dropped / routed).item(),
        "peak_memory_bytes": peak,
    }


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
        global_batch_size=_batch(size),
        precision=job_pb2.PRECISION_BF16,
        init_std=0.02,
    )


def _batch(size) -> int:
    """Sequences a step."""
    return 2 * size.micro_batch


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
