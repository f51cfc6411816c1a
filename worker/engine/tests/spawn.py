"""Real rank processes for tests: a world without an agent, or with one written here."""

import os
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf import json_format

from moestro.v1 import agent_pb2, job_pb2, plan_pb2, rank_pb2

ENGINE = Path(__file__).parents[1]
TIMEOUT_S = 100


def environment(**extra: str) -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ENGINE), "OMP_NUM_THREADS": "1"} | extra


@dataclass
class StepSums:
    """One step, summed over all ranks."""

    loss_sum: float = 0.0
    loss_tokens: int = 0
    gradient_norm: float = 0.0
    validation_loss_sum: float = 0.0
    validation_tokens: int = 0
    # Assignments by (layer, expert), over all ranks.
    routed: Counter[tuple[int, int]] = field(default_factory=Counter)
    dropped: Counter[tuple[int, int]] = field(default_factory=Counter)
    # Every coefficient any rank applied, per layer.
    coefficients: dict[int, set[float]] = field(default_factory=dict)
    # Every expert similarity any rank reported, per layer.
    similarities: dict[int, set[float]] = field(default_factory=dict)

    @property
    def loss(self) -> float:
        return self.loss_sum / self.loss_tokens


def merge(messages: list[rank_pb2.RankToAgent]) -> dict[int, StepSums]:
    """The step reports among the messages, summed by step."""
    steps: dict[int, StepSums] = {}
    for message in messages:
        if message.WhichOneof("message") != "step":
            continue
        report = message.step
        sums = steps.setdefault(report.step, StepSums())
        sums.loss_sum += report.loss_sum
        sums.loss_tokens += report.loss_tokens
        sums.gradient_norm = report.gradient_norm
        sums.validation_loss_sum += report.validation_loss_sum
        sums.validation_tokens += report.validation_tokens
        for layer in report.layers:
            for total, counts in ((sums.routed, layer.routed), (sums.dropped, layer.dropped)):
                total.update({(layer.layer, expert): count for expert, count in enumerate(counts)})
            sums.coefficients.setdefault(layer.layer, set()).add(layer.aux_coefficient)
            if layer.HasField("expert_similarity"):
                sums.similarities.setdefault(layer.layer, set()).add(layer.expert_similarity)
    return steps


def train_standalone(folder: Path, job: job_pb2.EngineJob, plan: plan_pb2.Plan, alpha: float = 0.0) -> dict[int, StepSums]:
    """Run ``moestro_engine.standalone`` on every rank of the plan, as torchrun would, and sum the reports."""
    folder.mkdir()
    coefficients = rank_pb2.Coefficients(effective_step=1, values=[alpha] * job.model.num_layers)
    start = agent_pb2.StartRanks(job=job, plan=plan, coefficients=[coefficients], collective_timeout_ms=30_000)
    (folder / "start.bin").write_bytes(start.SerializeToString())
    command = [sys.executable, "-m", "moestro_engine.standalone", str(folder / "start.bin"), "--reports", str(folder)]
    shared = {"WORLD_SIZE": str(plan.world_size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    ranks = [
        subprocess.Popen(command, env=environment(**shared, RANK=str(rank), LOCAL_RANK=str(rank)), stdout=subprocess.DEVNULL)
        for rank in range(plan.world_size)
    ]
    try:
        codes = [process.wait(TIMEOUT_S) for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert codes == [0] * plan.world_size
    return merge([message for rank in range(plan.world_size) for message in read_messages(folder / f"rank-{rank}.jsonl")])


def read_messages(path: Path) -> list[rank_pb2.RankToAgent]:
    return [json_format.Parse(line, rank_pb2.RankToAgent()) for line in path.read_text().splitlines()]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
