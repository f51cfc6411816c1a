"""Save and restore the training state of one rank."""

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch

from moestro.v1 import report_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.snapshot import Snapshot
from moestro_engine.checkpoint.state import Slice, random_state, set_random_state
from moestro_engine.checkpoint.write import shard_name, step_folder, write_shard
from moestro_engine.training.context import Context


class CheckpointWriter:
    """Saves this rank's shards beside training, one at a time; a checkpoint counts once the coordinator commits it.

    ``torch.distributed.checkpoint.async_save`` is not used: it refuses a process group without a CPU backend,
    which NCCL's is, though ranks that plan alone send nothing. This is its thread without that demand.
    """

    def __init__(self) -> None:
        self._snapshot = Snapshot()
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="checkpoint")
        # At most one of them still runs, the last.
        self._saves: list[Future[report_pb2.CheckpointShards]] = []

    def start(self, context: Context, step: int) -> None:
        """Copy the state of ``step`` and begin to write it.

        Blocks while the save before it still runs, for its copy is what it writes. EngineError if that failed.
        """
        if self._saves:
            self._saves[-1].result()
        slices = self._snapshot.take(context.state.slices())
        local = random_state(context.mesh.rank, context.device)
        self._saves.append(self._thread.submit(self._write, context, step, slices, local))

    def finished(self) -> list[report_pb2.CheckpointShards]:
        """What was written since last asked, oldest first, without waiting. EngineError if a save failed."""
        done = [save for save in self._saves if save.done()]
        self._saves = self._saves[len(done) :]
        return [save.result() for save in done]

    def wait(self) -> list[report_pb2.CheckpointShards]:
        """The same, once nothing is being written any more."""
        saves, self._saves = self._saves, []
        return [save.result() for save in saves]

    def _write(
        self, context: Context, step: int, slices: list[Slice], local: dict[str, torch.Tensor]
    ) -> report_pb2.CheckpointShards:
        self._snapshot.ready()
        return _write(context, step, slices, local)


def save_checkpoint(context: Context, step: int) -> report_pb2.CheckpointShards:
    """Write this rank's shard of ``step`` and return when it is on disk: what CheckpointWriter is measured against."""
    return _write(context, step, context.state.slices(), random_state(context.mesh.rank, context.device))


def _write(context: Context, step: int, slices: list[Slice], local: dict[str, torch.Tensor]) -> report_pb2.CheckpointShards:
    mesh = context.mesh
    folder = step_folder(context.job.checkpoint.directory, step)
    name = shard_name(context.assignment.generation, mesh.rank, mesh.world)
    file = write_shard(folder, name, step, slices, local)
    position = step * context.job.training.global_batch_size
    return report_pb2.CheckpointShards(step=step, num_ranks=1, files=[file], data_position=position)


def restore_checkpoint(context: Context) -> int:
    """Load what the assignment says, if it says so, and return the next step (one-based)."""
    if not context.assignment.HasField("restore"):
        load_initial_weights(context)
        return 1
    restore = context.assignment.restore
    reader = CheckpointReader(Path(restore.directory), restore.files)
    reader.load(context.state.slices())
    set_random_state(context.mesh.rank, context.device, reader.local())
    context.state.publish()
    context.state.set_step(restore.step)
    return restore.step + 1


def load_initial_weights(context: Context) -> None:
    """Replace random weights by those the job starts from, if it does; moments and step stay at zero."""
    if not context.job.HasField("initial_weights"):
        return
    weights = context.job.initial_weights
    slices = context.state.slices()
    reader = CheckpointReader(Path(weights.directory), weights.files)
    reader.load([part for part in slices if part.name.startswith("model.")])
    context.state.publish()
