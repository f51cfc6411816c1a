"""Token windows as the tensors a pipeline stage takes."""

from pathlib import Path

import numpy as np
import torch

from moestro.v1 import job_pb2
from moestro_engine.data.corpus import CorpusWindows, read_corpus
from moestro_engine.data.order import DataOrder, Window, validation_windows
from moestro_engine.parallel.mesh import Mesh


class Batches:
    """The inputs and targets of this rank: its share of the batch, its slice of the sequence."""

    def __init__(self, train: Path, validation: Path, training: job_pb2.TrainingConfig, mesh: Mesh, device: torch.device):
        self._train = CorpusWindows(read_corpus(train), training.sequence_length)
        self._validation = CorpusWindows(read_corpus(validation), training.sequence_length)
        self._training = training
        self._mesh = mesh
        self._device = device
        self._order = DataOrder(self._train.num_windows, self._train.weights, training.global_batch_size, training.seed)

    def train(self, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of a one-based step: int64 [batch of this dp rank, sequence / (tp * cp)]."""
        return self._read(self._train, self._order.windows(step, self._mesh.dp_rank, self._mesh.dp))

    def validation(self, batch: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Inputs and targets of a zero-based validation batch, shaped like a training batch."""
        config, mesh, held_out = self._training, self._mesh, self._validation
        windows = validation_windows(
            held_out.num_windows, held_out.weights, batch, config.validation_batches, config.global_batch_size
        )
        share = config.global_batch_size // mesh.dp
        return self._read(held_out, windows[mesh.dp_rank * share : (mesh.dp_rank + 1) * share])

    def _read(self, corpus: CorpusWindows, windows: list[Window]) -> tuple[torch.Tensor, torch.Tensor]:
        mesh = self._mesh
        rows = np.stack([corpus.read(*window) for window in windows])
        shard = self._training.sequence_length // mesh.sequence_parts
        start = mesh.sequence_rank * shard
        inputs = torch.from_numpy(rows[:, start : start + shard].copy())
        targets = torch.from_numpy(rows[:, start + 1 : start + shard + 1].copy())
        return inputs.to(self._device), targets.to(self._device)
