"""Initial weights: a function of seed, name and global shape alone, whatever the layout."""

import hashlib
import math

import torch

from moestro.v1 import job_pb2
from moestro_engine.parallel.placement import Placed


def initial_tensor(placed: Placed, job: job_pb2.EngineJob) -> torch.Tensor:
    """The full tensor of a parameter is drawn, then this rank's slice is taken: fp32, local shape.

    Weights are N(0, init_std); those that write to the residual stream are scaled by 1/sqrt(2 layers)
    (GPT-2). An embedding that is not also the head is N(0, 1): small embeddings drown in what attention
    averages over the sequence, and the gates of deeper layers then send all tokens to the same experts.
    Norm weights are 1, biases 0.
    """
    if placed.name.endswith("norm.weight"):
        return torch.ones(placed.local_shape)
    if placed.name.endswith("bias"):
        return torch.zeros(placed.local_shape)
    std = job.training.init_std
    if placed.name.endswith(("wo.weight", "w2", "w2.weight")):
        std /= math.sqrt(2 * job.model.num_layers)
    if placed.name == "embedding.weight" and not job.model.tied_embeddings:
        std = 1.0
    digest = hashlib.sha256(f"{job.training.seed}:{placed.name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
    return placed.slice_of(torch.empty(placed.global_shape).normal_(0.0, std, generator=generator)).clone()
