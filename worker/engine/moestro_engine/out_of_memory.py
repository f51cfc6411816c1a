"""Out of memory, said of the stage it happened on and beside what the plan had predicted."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from moestro.v1 import plan_pb2
from moestro_engine.errors import UserError
from moestro_engine.parallel.check_plan import stage_ranks
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.training.memory import peak_memory_bytes

# How torch's CPU allocator says it; on a GPU there is a class for it.
CPU_MARK = "can't allocate memory"


@contextmanager
def explained(plan: plan_pb2.Plan, mesh: Mesh, device: torch.device) -> Iterator[None]:
    """Within, running out of memory is a UserError: the same layout would run out again."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise UserError(_message(plan, mesh, peak_memory_bytes(device))) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether the error or anything it follows from says so; the pipeline wraps what happens in a stage."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, torch.OutOfMemoryError | MemoryError) or CPU_MARK in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    return False


def _message(plan: plan_pb2.Plan, mesh: Mesh, peak_bytes: int) -> str:
    stages = " and ".join(str(index) for index, rank in enumerate(stage_ranks(plan)) if rank == mesh.pp_rank)
    predicted = plan.prediction.memory_bytes
    promise = f"the plan predicted {_gb(predicted[mesh.pp_rank])}" if mesh.pp_rank < len(predicted) else "the plan predicted none"
    return (
        f"rank {mesh.rank}, stage {stages}: out of memory, {_gb(peak_bytes)} at its peak, where {promise}; give the stage "
        "fewer layers, set layout.recompute to full, or lower training.microBatchSize"
    )


def _gb(count: float) -> str:
    return f"{count / 1e9:.2f} GB"
