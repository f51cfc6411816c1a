"""Bring up torch.distributed for one generation, on the CPU or on a GPU."""

import os
from datetime import timedelta

import torch
import torch.distributed as dist

from moestro.v1 import rank_pb2
from moestro_engine.errors import UserError
from moestro_engine.link.protocol import Link
from moestro_engine.rendezvous import OpenStore

POLL_INTERVAL_S = 0.02


def choose_device(assignment: rank_pb2.RankAssignment) -> torch.device:
    """This rank's device, with its processor threads set; UserError if the job asks for a GPU that is not there."""
    if assignment.num_threads:
        torch.set_num_threads(assignment.num_threads)
    if assignment.job.device != "cuda":
        if not assignment.num_threads and "OMP_NUM_THREADS" not in os.environ:
            torch.set_num_threads(1)
        return torch.device("cpu")
    if assignment.slot >= torch.cuda.device_count():
        raise UserError(
            f"cluster.device: rank {assignment.rank} needs GPU {assignment.slot}, torch {torch.__version__} sees "
            f"{torch.cuda.device_count()}; use device cpu, fewer ranks a node, or a torch built for this machine's GPUs"
        )
    device = torch.device("cuda", assignment.slot)
    torch.cuda.set_device(device)
    return device


def join(assignment: rank_pb2.RankAssignment, link: Link, open_store: OpenStore, device: torch.device) -> None:
    """Meet the other ranks: first wait until every node has its data, then form the process group.

    The wait has no time limit (tokenising a large corpus takes what it takes) but ends with the agent;
    the group's own time limit starts when all are there. Each generation has its own names in the store.
    """
    if assignment.network_interface:
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = assignment.network_interface
    store = dist.PrefixStore(f"{assignment.run_id}/{assignment.generation}", open_store())
    _await_data(assignment, link, store)
    dist.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        store=store,
        rank=assignment.rank,
        world_size=assignment.plan.world_size,
        timeout=timedelta(milliseconds=assignment.collective_timeout_ms),
        device_id=device if device.type == "cuda" else None,
    )


def _await_data(assignment: rank_pb2.RankAssignment, link: Link, store: dist.Store) -> None:
    leader_key = f"data-of-node-led-by/{assignment.rank - assignment.local_rank}"
    if assignment.local_rank == 0:
        store.set(leader_key, "ready")
    while not store.check([leader_key]):
        link.idle(POLL_INTERVAL_S)
    arrived = store.add("ranks-with-data", 1)
    while arrived < assignment.plan.world_size:
        link.idle(POLL_INTERVAL_S)
        arrived = store.add("ranks-with-data", 0)
