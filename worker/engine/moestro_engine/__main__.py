"""``python -m moestro_engine --socket PATH``: one rank, started by its agent, maybe before there is a run."""

import argparse
import os
import sys
import traceback

from moestro.v1 import rank_pb2
from moestro_engine.data.prepare import prepare_data
from moestro_engine.errors import AgentGoneError, describe, is_lost_peer, is_user_error
from moestro_engine.link.agent_link import AgentLink
from moestro_engine.log_file import write_to
from moestro_engine.parent import die_with_parent, prepare_signals
from moestro_engine.standby import import_training


def main() -> int:
    """Exit code: 0 done, 1 failed or the agent has gone."""
    parser = argparse.ArgumentParser(prog="moestro_engine", description="One rank of a training run, started by its agent.")
    parser.add_argument("--socket", required=True, help="Unix socket the agent listens on")
    parser.add_argument("--standby", action="store_true", help="import all that a rank needs before asking for an assignment")
    arguments = parser.parse_args()
    prepare_signals()
    die_with_parent()
    if arguments.standby:
        import_training()
    try:
        link = AgentLink.connect(arguments.socket)
    except OSError as error:
        print(f"no agent at {arguments.socket}: {error.strerror}", file=sys.stderr)
        return 1
    link.send(hello=rank_pb2.RankHello(token=os.environ.get("MOESTRO_RANK_TOKEN", "")))
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
    if assignment.log_path:
        write_to(assignment.log_path)
    # Data first: it needs no torch, and nobody else waits at the rendezvous if it will not do.
    data = None
    if assignment.local_rank == 0:
        data = prepare_data(assignment.job)
        link.send(data=data.report)
    from moestro_engine.rank import run_rank
    from moestro_engine.rendezvous import agent_store

    run_rank(assignment, link, lambda: agent_store(assignment, link), data)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Not sys.exit: after a failure, a collective's threads may still wait for peers.
    os._exit(code)
