"""Where the ranks of a generation meet."""

import socket
from collections.abc import Callable
from datetime import timedelta

import torch.distributed as dist

from moestro.v1 import rank_pb2
from moestro_engine.errors import EngineError
from moestro_engine.link.agent_link import AgentLink

OpenStore = Callable[[], dist.Store]


def agent_store(assignment: rank_pb2.RankAssignment, link: AgentLink) -> dist.Store:
    """Rank 0 opens a store on a free port and tells its agent; the others wait to be told.

    The listening socket is handed to the store, so nobody can take the port in between.
    """
    timeout = timedelta(milliseconds=assignment.collective_timeout_ms)
    world = assignment.plan.world_size
    if assignment.rank == 0:
        family = socket.AF_INET6 if ":" in assignment.rendezvous_host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind((assignment.rendezvous_host, 0))
        except OSError as error:
            raise EngineError(
                f"rank 0 cannot listen on {assignment.rendezvous_host}: {error.strerror}; "
                "set the rendezvous host to an address of this node"
            ) from error
        listener.listen(world)
        port = listener.getsockname()[1]
        store = dist.TCPStore(
            assignment.rendezvous_host, port, world, True, timeout, wait_for_workers=False, master_listen_fd=listener.detach()
        )
        link.send(rendezvous=rank_pb2.Rendezvous(host=assignment.rendezvous_host, port=port))
        return store
    meeting = link.take("rendezvous").rendezvous
    return dist.TCPStore(meeting.host, meeting.port, world, False, timeout, wait_for_workers=False)


def environment_store() -> dist.Store:
    """The store torchrun announces in the environment."""
    store, _, _ = next(iter(dist.rendezvous("env://")))
    return store
