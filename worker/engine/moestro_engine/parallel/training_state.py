"""What the training loop asks of weights, gradients and optimizer, however they are spread over ranks."""

from typing import Protocol

import torch

from moestro_engine.checkpoint.state import Slice


class TrainingState(Protocol):
    """Weights in the precision of the products, fp32 gradients summed over micro-batches, fp32 master weights, moments."""

    def zero_gradients(self) -> None: ...

    def collect_gradients(self) -> None:
        """Take in what a backward pass has left in the parameters; after each of them."""

    def reduce_gradients(self) -> None:
        """Sum over ranks what they computed of the same parameter; collective."""

    def squared_norm_share(self) -> torch.Tensor:
        """This rank's part of the squared global gradient norm, fp64: summed over the world it counts every value once."""

    def clip(self, norm: float, max_norm: float) -> None:
        """Scale the gradients of global L2 norm ``norm`` down to ``max_norm`` if it is above; 0 turns this off."""

    def update(self, rate: float) -> None:
        """One step of AdamW; collective where ranks update parts for each other."""

    def publish(self) -> None:
        """Make master weights that were changed from outside the weights in use; collective."""

    def slices(self) -> list[Slice]:
        """Master weights and moments as a checkpoint names them."""

    def set_step(self, step: int) -> None:
        """Set the count of updates that AdamW corrects its moments by."""
