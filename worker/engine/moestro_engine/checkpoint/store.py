"""Save and restore the training state of one rank."""

from pathlib import Path

from moestro.v1 import report_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.state import random_state, set_random_state, training_slices
from moestro_engine.checkpoint.write import shard_name, step_folder, write_shard
from moestro_engine.training.context import Context


def save_checkpoint(context: Context, step: int) -> report_pb2.CheckpointShards:
    """Write this rank's shard of ``step``; the checkpoint counts once the coordinator has committed all of them."""
    mesh = context.mesh
    slices = training_slices(context.parameters, context.placements, context.optimizer)
    file = write_shard(
        step_folder(context.job.checkpoint.directory, step),
        shard_name(context.assignment.generation, mesh.rank, mesh.world),
        step,
        slices,
        random_state(mesh.rank, context.device),
    )
    position = step * context.job.training.global_batch_size
    return report_pb2.CheckpointShards(step=step, num_ranks=1, files=[file], data_position=position)


def restore_checkpoint(context: Context) -> int:
    """Load what the assignment says, if it says so, and return the next step (one-based)."""
    if not context.assignment.HasField("restore"):
        load_initial_weights(context)
        return 1
    restore = context.assignment.restore
    reader = CheckpointReader(Path(restore.directory), restore.files)
    reader.load(training_slices(context.parameters, context.placements, context.optimizer))
    set_random_state(context.mesh.rank, context.device, reader.local())
    for state in context.optimizer.state.values():
        state["step"].fill_(restore.step)
    return restore.step + 1


def load_initial_weights(context: Context) -> None:
    """Replace random weights by those the job starts from, if it does; moments and step stay at zero."""
    if not context.job.HasField("initial_weights"):
        return
    weights = context.job.initial_weights
    slices = training_slices(context.parameters, context.placements, context.optimizer)
    reader = CheckpointReader(Path(weights.directory), weights.files)
    reader.load([part for part in slices if part.name.startswith("model.")])
