"""Short training runs of every variant of gate, capacity, balancing and experts, on real ranks."""

import math
from pathlib import Path

import pytest
from agent import Agent, RankEnd
from many_runs import read_run, run_all
from spawn import read_messages, train_standalone

from helpers import make_job, make_plan
from moestro.v1 import job_pb2, rank_pb2, report_pb2

SMALL = {"num_layers": 2, "steps": 12, "sequence_length": 64, "global_batch_size": 4, "warmup_steps": 2}
SIGMOID, POSITION = job_pb2.GATE_FUNCTION_SIGMOID, job_pb2.DROP_POLICY_POSITION
VARIANTS = {
    "sigmoid gate, dropless": {"gate_function": SIGMOID, "gate_normalization": 0.0, "capacity_factor": 0.0},
    "weights as they are": {"without_renormalization": True},
    "sigmoids as they are, Switch loss": {
        "gate_function": SIGMOID,
        "without_renormalization": True,
        "aux_loss_form": job_pb2.AUX_LOSS_FORM_SWITCH,
    },
    "drops by position, unpadded": {"drop_policy": POSITION, "without_padding": True, "capacity_factor": 0.8},
    "drops by position, padded": {"drop_policy": POSITION, "capacity_factor": 0.8},
    "drops by probability, unpadded": {"without_padding": True, "capacity_factor": 0.8},
    "router z-loss": {"z_loss_coefficient": 0.01},
    "shared experts with a gate": {"shared_ffn_hidden_size": 32, "shared_expert_gate": True},
}


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def runs(cache, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    jobs = {name: make_job(cache, **SMALL | changes) for name, changes in VARIANTS.items()}
    run_all(folder, {name: (job, make_plan(job, micro_batch=1)) for name, job in jobs.items()})
    return folder


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_loss_falls(variant, runs):
    steps = read_run(runs, variant)
    assert steps[12].loss < steps[1].loss - 0.3
    assert any(steps[1].dropped.values()) == (VARIANTS[variant].get("capacity_factor") != 0)


def test_the_z_loss_is_reported_and_keeps_logits_small(cache, tmp_path):
    means = {}
    for coefficient in (1e-9, 0.3):
        job = make_job(cache, **SMALL | {"z_loss_coefficient": coefficient, "gate_normalization": 0.0})
        folder = tmp_path / str(coefficient)
        train_standalone(folder, job, make_plan(job, micro_batch=1, dp=2))
        last = [layer for rank in range(2) for layer in reports_of(folder, rank)[-1].layers if layer.layer == 1]
        means[coefficient] = sum(layer.z_loss_sum for layer in last) / sum(layer.aux_loss_count for layer in last)
    # Logits of zero have logsumexp ln 8 over 8 experts.
    assert means[1e-9] > 0.8 * math.log(8) ** 2
    assert means[0.3] < 0.8 * means[1e-9]


def reports_of(folder: Path, rank: int) -> list[report_pb2.StepReport]:
    return [m.step for m in read_messages(folder / f"rank-{rank}.jsonl") if m.WhichOneof("message") == "step"]


def worst_load(ends: list[RankEnd], layer: int, steps: range) -> float:
    """Assignments of the busiest expert of a layer over the mean, over these steps and all ranks."""
    counts = [0] * 8
    for end in ends:
        for report in end.of("step"):
            for routed in (r.routed for r in report.layers if r.layer == layer and report.step in steps):
                counts = [total + count for total, count in zip(counts, routed, strict=True)]
    return max(counts) * len(counts) / sum(counts)


def train_with_biases(job: job_pb2.EngineJob, speed: float) -> list[RankEnd]:
    """Two stages, and an agent that moves every expert's bias by ``speed`` against its load, as the controller does."""
    plan = make_plan(job, micro_batch=2, stages=(1, 1))
    biases = [[0.0] * job.moe.num_experts for _ in range(job.model.num_layers)]

    def message(step: int) -> rank_pb2.Coefficients:
        rows = [rank_pb2.SelectionBias(values=row) for row in biases]
        return rank_pb2.Coefficients(effective_step=step, values=[0.0] * len(biases), biases=rows)

    def on_step(agent: Agent, step: int) -> None:
        for layer, row in enumerate(biases):
            reports = [r for end in agent.ends for s in end.of("step") if s.step == step for r in s.layers if r.layer == layer]
            load = [sum(counts) for counts in zip(*(r.routed for r in reports), strict=True)]
            mean = sum(load) / len(load)
            biases[layer] = [b + speed * ((mean > n) - (mean < n)) for b, n in zip(row, load, strict=True)]
        if step < job.training.steps:
            agent.tell(0, coefficients=message(step + 2))

    ends = Agent(job, plan, coefficients=[message(1), message(2)]).run(on_step)
    assert [end.exit_code for end in ends] == [0, 0], [end.stderr for end in ends]
    return ends


def test_biases_reach_the_gates_of_every_stage_and_balance_the_load(cache):
    changes = {"steps": 30, "selection_bias": True, "gate_normalization": 0.0, "capacity_factor": 0.0, "strict_control": True}
    job = make_job(cache, **SMALL | changes)
    without, biased = train_with_biases(job, 0.0), train_with_biases(job, 0.005)
    for layer in (0, 1):
        late = range(21, 31)
        assert worst_load(biased, layer, range(1, 3)) == worst_load(without, layer, range(1, 3))
        assert worst_load(biased, layer, late) < 0.8 * worst_load(without, layer, late)
