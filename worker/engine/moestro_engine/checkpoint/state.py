"""What a checkpoint holds: names, and the tensors of this rank behind them."""

from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Slice:
    """A named tensor of the whole model and the part of it that lies in ``tensor``."""

    name: str
    tensor: torch.Tensor
    global_shape: tuple[int, ...]
    offsets: tuple[int, ...]
    # Whether this rank is the one, of those that hold the same part, that writes it.
    writes: bool


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
