"""Token windows as the tensors a pipeline stage takes."""

from pathlib import Path

import numpy as np
import torch

from moestro.v1 import job_pb2
from moestro_engine.data.order import DataOrder, num_windows, validation_windows
from moestro_engine.parallel.mesh import Mesh


class Batches:
    """The inputs and targets of this rank: its share of the batch, its slice of the sequence."""

    def __init__(self, train: Path, validation: Path, training: job_pb2.TrainingConfig, mesh: Mesh, device: torch.device):
        self._train = np.memmap(train, dtype=np.uint8, mode="r")
        self._validation = np.memmap(validation, dtype=np.uint8, mode="r")
        self._length = training.sequence_length
        self._training = training
        self._mesh = mesh
        self._device = device
        windows = num_windows(len(self._train), self._length)
        self._order = DataOrder(windows, training.global_batch_size, training.seed)

    def train(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of a one-based step: int64 [batch of this dp rank, sequence / tp]."""
        return self._read(self._train, self._order.windows(step, self._mesh.dp_rank, self._mesh.dp))

    def validation(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of a zero-based validation batch, shaped like a training batch."""
        config, mesh = self._training, self._mesh
        windows = validation_windows(
            num_windows(len(self._validation), self._length), batch, config.validation_batches, config.global_batch_size
        )
        share = config.global_batch_size // mesh.dp
        return self._read(self._validation, windows[mesh.dp_rank * share : (mesh.dp_rank + 1) * share])

    def _read(self, tokens: np.ndarray, windows: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
        length, mesh = self._length, self._mesh
        rows = np.stack([tokens[w * length : w * length + length + 1] for w in windows]).astype(np.int64)
        shard = length // mesh.tp
        start = mesh.tp_rank * shard
        inputs = torch.from_numpy(rows[:, start : start + shard].copy())
        targets = torch.from_numpy(rows[:, start + 1 : start + shard + 1].copy())
        return inputs.to(self._device), targets.to(self._device)
