"""What a checkpoint holds: names, and the tensors of this rank behind them."""

from dataclasses import dataclass

import torch
from torch import nn

from moestro_engine.parallel.placement import Placed


@dataclass(frozen=True)
class Slice:
    """A named tensor of the whole model and the part of it that lies in ``tensor``."""

    name: str
    tensor: torch.Tensor
    global_shape: tuple[int, ...]
    offsets: tuple[int, ...]
    # Whether this rank is the one, of those that hold the same part, that writes it.
    writes: bool


def training_slices(
    parameters: dict[str, nn.Parameter], placements: dict[str, Placed], optimizer: torch.optim.AdamW
) -> list[Slice]:
    """Weights and AdamW moments of this rank. Replicas share the writing, parameter by parameter."""
    slices = []
    for index, (name, parameter) in enumerate(sorted(parameters.items())):
        placed = placements[name]
        # Both ends of a pipeline hold tied weights under different positions: the first replica writes.
        writer = 0 if placed.kind == "tied" else index % placed.num_replicas
        state = optimizer.state[parameter]
        tensors = {
            f"model.{placed.name}": parameter.detach(),
            f"optimizer.exp_avg.{placed.name}": state["exp_avg"],
            f"optimizer.exp_avg_sq.{placed.name}": state["exp_avg_sq"],
        }
        slices += [
            Slice(full_name, tensor, placed.global_shape, placed.offsets, placed.replica == writer)
            for full_name, tensor in tensors.items()
        ]
    return slices


def random_state(rank: int, device: torch.device) -> dict[str, torch.Tensor]:
    """The states of this rank's random number generators, uint8."""
    states = {f"random.cpu.{rank}": torch.get_rng_state()}
    if device.type == "cuda":
        states[f"random.cuda.{rank}"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(rank: int, device: torch.device, states: dict[str, torch.Tensor]) -> None:
    """Put them back; a rank that did not exist when the checkpoint was written keeps its fresh ones."""
    if (cpu := states.get(f"random.cpu.{rank}")) is not None:
        torch.set_rng_state(cpu)
    if device.type == "cuda" and (cuda := states.get(f"random.cuda.{rank}")) is not None:
        torch.cuda.set_rng_state(cuda, device)
