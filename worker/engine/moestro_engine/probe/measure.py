"""Everything the probe measures, in one order on every rank, as plain data."""

from collections.abc import Sequence
from dataclasses import asdict

import torch.distributed as dist

from moestro.v1 import job_pb2
from moestro_engine.probe.edges import time_edges
from moestro_engine.probe.links import all_reduce_curve, message_curve
from moestro_engine.probe.machine import device_name, matrix_flops, memory_bandwidth, memory_bytes
from moestro_engine.probe.steps import Stepper, StepTimes, micro_batches_of
from moestro_engine.probe.world import Part, make_part

# Two depths: their difference is a layer, what is left of the shallow one the rest of a stage.
DEPTHS = (1, 3)


def measure(job: job_pb2.EngineJob, sizes: Sequence[int], micro_batches: Sequence[int], num_steps: int, device) -> dict:
    """Tables of the whole world, the same on every rank; ``sizes`` are the tensor-parallel sizes."""
    world = dist.get_world_size()
    parts = [make_part(dist.get_rank(), busy, tp, dp, job.model.num_kv_heads) for busy, tp, dp in parts_of(world, sizes)]
    steps, edges = [], []
    for part in parts:
        for micro_batch in micro_batches:
            if micro_batches_of(job, micro_batch, part.mesh.dp) == 0:
                continue
            place = {"busyRanks": part.busy, "tensorParallel": part.mesh.tp, "dataParallel": part.mesh.dp}
            place["microBatchSize"] = micro_batch
            steps.extend(place | row for row in _steps(job, part, micro_batch, num_steps, device))
            if part.mesh.dp == 1:
                edges.extend(place | row for row in _edges(job, part, micro_batch, device))
    return {
        "device": device_name(device),
        "memoryBytes": memory_bytes(device),
        "memoryBandwidth": _mean(memory_bandwidth(device)),
        "flopsAlone": _mean(matrix_flops(device, alone=True)) * world,
        "flopsTogether": _mean(matrix_flops(device, alone=False)),
        "allReduce": [[size, _mean(ms)] for size, ms in all_reduce_curve(device)] if world > 1 else [],
        "messages": [[size, _mean(ms)] for size, ms in message_curve(device)] if world > 1 else [],
        "pipelines": _pipelines(job, sizes, micro_batches, num_steps, device),
        "steps": steps,
        "edges": edges,
    }


def parts_of(world: int, sizes: Sequence[int]) -> list[tuple[int, int, int]]:
    """(busy, tp, dp): each tensor-parallel size with 1, 2, 4, … of its groups at work, and every dp on the full world."""
    parts = []
    for tp in sizes:
        groups = world // tp
        counts = [2**power for power in range(groups.bit_length()) if 2**power < groups]
        parts += [(tp * count, tp, 1) for count in counts]
        parts += [(groups * tp, tp, dp) for dp in range(1, groups + 1) if groups % dp == 0]
    return parts


def _pipelines(job, sizes: Sequence[int], micro_batches: Sequence[int], num_steps: int, device) -> list[dict]:
    """One layer a stage on the full world, every way to cut it: what sending between busy stages adds."""
    world, rows = dist.get_world_size(), []
    cuts = [(tp, dp, world // tp // dp) for tp in sizes for dp in range(1, world // tp) if world // tp % dp == 0]
    for tp, dp, pp in cuts:
        part = make_part(dist.get_rank(), world, tp, dp, job.model.num_kv_heads, pp)
        for micro_batch in micro_batches:
            num = micro_batches_of(job, micro_batch, dp)
            if num < pp:
                continue
            times = Stepper(job, part, 1, micro_batch, False, device).measure(num_steps)
            place = {"busyRanks": world, "tensorParallel": tp, "dataParallel": dp, "pipelineParallel": pp}
            place |= {"microBatchSize": micro_batch, "numMicroBatches": num}
            rows.append(place | {"pipelineMs": max(row.pipeline_ms for row in _gather(times))})
    return rows


def _steps(job, part: Part, micro_batch: int, num_steps: int, device) -> list[dict]:
    full_world = part.busy == dist.get_world_size()
    variants = [(depth, False) for depth in DEPTHS] + ([(DEPTHS[-1], True)] if part.mesh.dp == 1 and full_world else [])
    rows = []
    for depth, recompute in variants:
        times = None
        if part.active is not None:
            times = Stepper(job, part, depth, micro_batch, recompute, device).measure(num_steps)
        rows.append({"layers": depth, "recompute": recompute} | _mean_times(times))
    return rows


def _edges(job, part: Part, micro_batch: int, device) -> list[dict]:
    dist.barrier()
    times = time_edges(job, part.mesh.tp, micro_batch, device) if part.active is not None else None
    gathered = [row for row in _gather(times) if row is not None]
    return [
        {
            "kind": kind,
            "forwardMs": sum(row[kind][0] for row in gathered) / len(gathered),
            "backwardMs": sum(row[kind][1] for row in gathered) / len(gathered),
        }
        for kind in ("embedding", "head")
    ]


def _mean_times(mine: StepTimes | None) -> dict:
    rows = [asdict(row) for row in _gather(mine) if row is not None]
    return {_camel(name): sum(row[name] for row in rows) / len(rows) for name in rows[0]}


def _gather(mine) -> list:
    everyone: list = [None] * dist.get_world_size()
    dist.all_gather_object(everyone, mine)
    return everyone


def _mean(mine: float) -> float:
    values = _gather(mine)
    return sum(values) / len(values)


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
