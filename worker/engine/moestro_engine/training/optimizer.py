"""AdamW over this rank's parameters; norms, biases and the embedding are not decayed."""

import torch
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.parallel.placement import Placed


def make_optimizer(
    parameters: dict[str, nn.Parameter], placements: dict[str, Placed], training: job_pb2.TrainingConfig
) -> torch.optim.AdamW:
    """Fused AdamW with its state in place from the start, so that a checkpoint can be loaded into it."""
    # By the name in the whole model: a tied head is the embedding.
    names = {name: placements[name].name for name in parameters}
    plain = {name for name, full in names.items() if full.endswith(("norm.weight", "bias")) or full == "embedding.weight"}
    groups = [
        {"params": [p for name, p in parameters.items() if name not in plain], "weight_decay": training.weight_decay},
        {"params": [p for name, p in parameters.items() if name in plain], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(
        [group for group in groups if group["params"]],
        lr=training.learning_rate,
        betas=(training.adam_beta1, training.adam_beta2),
        eps=training.adam_epsilon,
        fused=True,
    )
    for parameter in parameters.values():
        optimizer.state[parameter] = {
            "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": torch.zeros_like(parameter),
        }
    return optimizer


def set_learning_rate(optimizer: torch.optim.AdamW, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate
