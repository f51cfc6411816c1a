"""Embedding and head with loss of one rank, each by itself."""

import statistics
import time

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.kernels.cross_entropy import summed_cross_entropy

NUM_ROUNDS = 12


def time_edges(job: job_pb2.EngineJob, tp: int, micro_batch: int, device: torch.device) -> dict[str, tuple[float, float]]:
    """Forward and backward milliseconds of one micro-batch's slice of the sequence, by part."""
    model = job.model
    shape = (micro_batch, job.training.sequence_length // tp)
    tokens = torch.randint(model.vocab_size, shape, device=device)
    embedding = nn.Embedding(model.vocab_size, model.hidden_size, device=device)
    norm = nn.RMSNorm(model.hidden_size, eps=model.rms_norm_epsilon, device=device)
    head = nn.Linear(model.hidden_size, model.vocab_size, bias=False, device=device)
    hidden = torch.randn(*shape, model.hidden_size, device=device, requires_grad=True)

    def loss() -> torch.Tensor:
        logits = head(norm(hidden))
        return summed_cross_entropy(logits.flatten(0, 1), tokens.flatten())

    return {"embedding": _time(lambda: embedding(tokens).sum(), device), "head": _time(loss, device)}


def _time(forward, device: torch.device) -> tuple[float, float]:
    def now() -> float:
        if device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()

    rows = []
    for _ in range(NUM_ROUNDS):
        started = now()
        result = forward()
        turned = now()
        result.backward()
        rows.append((turned - started, now() - turned))
    return tuple(statistics.median(column) * 1e3 for column in zip(*rows[2:], strict=True))
