"""Initial weights: a function of seed, name and global shape alone, whatever the layout."""

import hashlib
import math

import torch

from moestro.v1 import job_pb2
from moestro_engine.parallel.placement import Placed


def initial_tensor(placed: Placed, job: job_pb2.EngineJob) -> torch.Tensor:
    """The full tensor of a parameter is drawn, then this rank's slice is taken: fp32, local shape.

    Weights are N(0, init_std); those that write to the residual stream are scaled by 1/sqrt(2 layers)
    (GPT-2). Norm weights are 1, biases 0.
    """
    if placed.name.endswith("norm.weight"):
        return torch.ones(placed.local_shape)
    if placed.name.endswith("bias"):
        return torch.zeros(placed.local_shape)
    std = job.training.init_std
    if placed.name.endswith(("wo.weight", "w2")):
        std /= math.sqrt(2 * job.model.num_layers)
    digest = hashlib.sha256(f"{job.training.seed}:{placed.name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return placed.slice_of(torch.empty(placed.global_shape).normal_(0.0, std, generator=generator)).clone()
