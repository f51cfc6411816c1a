"""``torchrun … -m moestro_engine.standalone FILE``: the same training without agent and coordinator.

FILE is a binary ``StartRanks`` message. Nothing is reported; each rank prints its median step time at
the end. It is what the control plane's cost is measured against, and how layouts are compared.
"""

import argparse
import os
from pathlib import Path

from moestro.v1 import agent_pb2, rank_pb2
from moestro_engine.data.prepare import prepare_data
from moestro_engine.link.file_link import FileLink
from moestro_engine.rank import run_rank
from moestro_engine.rendezvous import environment_store

DEFAULT_TIMEOUT_MS = 120_000


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="moestro_engine.standalone", description="Train under torchrun, without a control plane."
    )
    parser.add_argument("file", type=Path, help="a binary moestro.v1.StartRanks message")
    parser.add_argument("--reports", type=Path, help="folder that gets rank-N.jsonl with every message of each rank")
    arguments = parser.parse_args()
    start = agent_pb2.StartRanks.FromString(arguments.file.read_bytes())
    rank = int(os.environ["RANK"])
    assignment = rank_pb2.RankAssignment(
        run_id="standalone",
        generation=int(os.environ.get("TORCHELASTIC_RESTART_COUNT", 0)) + 1,
        rank=rank,
        local_rank=int(os.environ["LOCAL_RANK"]),
        slot=int(os.environ["LOCAL_RANK"]),
        plan=start.plan,
        job=start.job,
        restore=start.restore if start.HasField("restore") else None,
        coefficients=start.coefficients,
        collective_timeout_ms=start.collective_timeout_ms or DEFAULT_TIMEOUT_MS,
        network_interface=start.network_interface,
    )
    # Nobody is there to send coefficients, so nothing is waited for.
    assignment.job.strict_control = False
    link = FileLink(arguments.reports / f"rank-{rank}.jsonl" if arguments.reports else None)
    data = prepare_data(assignment.job) if assignment.local_rank == 0 else None
    run_rank(assignment, link, environment_store, data)
    link.close()


if __name__ == "__main__":
    main()
