"""The life of one rank, from its assignment to its last word. Imports torch, which takes a while."""

import torch.distributed as dist

from moestro.v1 import rank_pb2
from moestro_engine.checkpoint.store import restore_checkpoint
from moestro_engine.data.prepare import PreparedData, prepare_data
from moestro_engine.link.protocol import Link
from moestro_engine.out_of_memory import explained
from moestro_engine.parallel.check_plan import check_plan
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.process_group import choose_device, join
from moestro_engine.rendezvous import OpenStore
from moestro_engine.training.build import build_context
from moestro_engine.training.loop import Outcome, finished, train


def run_rank(assignment: rank_pb2.RankAssignment, link: Link, open_store: OpenStore, data: PreparedData | None) -> Outcome:
    """Join, build, restore, train, and say so at every turn. ``data`` is None where another rank prepares it."""
    mesh = mesh_of(assignment.plan, assignment.rank)
    check_plan(assignment.plan, assignment.job, mesh)
    device = choose_device(assignment)
    join(assignment, link, open_store, device)
    if assignment.rank == 0:
        link.send(joined=rank_pb2.RankJoined())
    with explained(assignment.plan, mesh, device):
        context = build_context(assignment, link, mesh, data or prepare_data(assignment.job), device)
        next_step = restore_checkpoint(context)
        link.send(ready=rank_pb2.RankReady(next_step=next_step))
        outcome = train(context, next_step)
    print(f"rank {assignment.rank}: {outcome.describe_step_times()}", flush=True)
    link.send(finished=finished(outcome))
    dist.destroy_process_group()
    return outcome
