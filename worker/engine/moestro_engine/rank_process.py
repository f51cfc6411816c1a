"""One rank, started by its agent, maybe before there is a run: it asks for an assignment and carries it out."""

import os
import sys
import traceback
from typing import NoReturn

from moestro.v1 import rank_pb2
from moestro_engine.data.prepare import prepare_data
from moestro_engine.errors import AgentGoneError, describe, is_lost_peer, is_user_error
from moestro_engine.link.agent_link import AgentLink
from moestro_engine.parent import prepare_signals
from moestro_engine.process_name import name_process


def be_rank(socket: str, token: str) -> NoReturn:
    """``socket``: that the agent listens on; ``token``: by which it knows this process.

    Exit code: 0 done, 1 failed or the agent has gone.
    """
    code = _be_rank(socket, token)
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: after a failure, a collective's threads may still wait for peers.
    os._exit(code)


def _be_rank(socket: str, token: str) -> int:
    prepare_signals()
    try:
        link = AgentLink.connect(socket)
    except OSError as error:
        print(f"no agent at {socket}: {error.strerror}", file=sys.stderr)
        return 1
    link.send(hello=rank_pb2.RankHello(token=token))
    try:
        _work(link)
    except AgentGoneError as error:
        print(error, file=sys.stderr)
        return 1
    except Exception as error:
        traceback.print_exc()
        link.send(
            failed=rank_pb2.RankFailed(message=describe(error), user_error=is_user_error(error), lost_peer=is_lost_peer(error))
        )
        link.close()
        return 1
    link.close()
    return 0


def _work(link: AgentLink) -> None:
    assignment = link.take("assignment").assignment
    name_process(f"moestro-r{assignment.rank}")
    # Data first: nobody else waits at the rendezvous if it will not do.
    data = None
    if assignment.local_rank == 0:
        data = prepare_data(assignment.job)
        link.send(data=data.report)
    from moestro_engine.rank import run_rank
    from moestro_engine.rendezvous import agent_store

    run_rank(assignment, link, lambda: agent_store(assignment, link), data)
