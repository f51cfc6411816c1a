"""Save under one layout, load under another: all pairs bit by bit, and training goes on from some of them."""

import itertools

import pytest
import torch
from many_runs import biased_control, read_run, run_all
from one_process import expected, state_of, write_all
from spawn import StepSums

from helpers import make_job, make_plan
from moestro.v1 import rank_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.write import shard_name, step_folder

# Sizes that do not divide evenly into shards, biases and norms smaller than a group of ranks.
MODEL = {
    "num_layers": 4,
    "hidden_size": 32,
    "num_heads": 4,
    "num_kv_heads": 2,
    "head_dim": 8,
    "ffn_hidden_size": 24,
    "num_experts": 4,
    "sequence_length": 32,
    "global_batch_size": 4,
    "warmup_steps": 2,
    "capacity_factor": 0,
    "tied_embeddings": True,
}
LAYOUTS = {
    "one": {},
    "edp tp2 pp2 [3 1]": {"tp": 2, "stages": (3, 1)},
    "ep dp4 zero1": {"dp": 4, "ep": 4, "sharding": "ZERO1"},
    "tp2 dp2 fsdp": {"tp": 2, "dp": 2, "sharding": "FSDP"},
    "etp tp2 interleaved": {"tp": 2, "etp": 2, "ep": 1, "stages": (1, 1, 1, 1), "vpp": 2, "schedule": "INTERLEAVED"},
    "folded tp2 dp2 etp2 ep2 zero1": {"tp": 2, "dp": 2, "etp": 2, "ep": 2, "sharding": "ZERO1"},
}
NEXT = dict(itertools.pairwise([*LAYOUTS, next(iter(LAYOUTS))]))
# With biases, which are the controller's and in no shard: it sends them again, or here for once it does not.
BIASED = {"biased": "edp tp2 pp2 [3 1]", "biased, forgotten": "edp tp2 pp2 [3 1]"}
# By step, the expert that gets every token in layers of either stage.
FAVOURITES = {step: {1: step % 4, 3: (step + 2) % 4} for step in range(1, 9)}


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    return make_job(tmp_path_factory.mktemp("cache"), **MODEL)


@pytest.fixture(scope="module")
def saved(job, tmp_path_factory):
    """Folder and files of a checkpoint under each layout."""
    folder = tmp_path_factory.mktemp("saved")
    return {
        name: (folder / name, write_all(folder / name, job, make_plan(job, micro_batch=1, **layout)))
        for name, layout in LAYOUTS.items()
    }


@pytest.mark.parametrize("read", LAYOUTS)
def test_what_any_layout_saved_is_loaded_bit_equal(read, job, saved):
    plan = make_plan(job, micro_batch=1, **LAYOUTS[read])
    for rank in range(plan.world_size):
        with state_of(job, plan, rank) as slices:
            kinds = {part.name.split(".")[0] + part.name.split(".")[1] * part.name.startswith("optim") for part in slices}
            assert kinds == {"model", "optimizerexp_avg", "optimizerexp_avg_sq"}
            for written, (folder, files) in saved.items():
                for part in slices:
                    part.tensor.fill_(torch.nan)
                CheckpointReader(folder, files).load(slices)
                for part in slices:
                    assert torch.equal(part.tensor, expected(part)), (written, part.name, part.offsets)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_value_is_written_once_however_many_replicas_there_are(layout, job):
    plan = make_plan(job, micro_batch=1, **LAYOUTS[layout])
    written = 0
    for rank in range(plan.world_size):
        with state_of(job, plan, rank) as slices:
            written += sum(part.tensor.numel() for part in slices if part.writes)
    with state_of(job, make_plan(job, micro_batch=1), 0) as slices:
        assert written == sum(part.tensor.numel() for part in slices)


@pytest.fixture(scope="module")
def continued(job, tmp_path_factory):
    """Eight steps under each layout with a checkpoint of the fourth, and the last four again under the next layout."""
    folder = tmp_path_factory.mktemp("continued")
    layout_of = {name: name for name in LAYOUTS} | BIASED
    jobs = {}
    for name in layout_of:
        jobs[name] = type(job)()
        jobs[name].CopyFrom(job)
        jobs[name].moe.selection_bias = name in BIASED
        jobs[name].training.steps = 8
        jobs[name].checkpoint.directory, jobs[name].checkpoint.every_steps = str(folder / "checkpoints" / name), 4
    plans = {name: make_plan(job, micro_batch=1, **layout) for name, layout in LAYOUTS.items()}
    controls = [biased_control(job, *favourites) for favourites in FAVOURITES.items()]
    before = {name: (jobs[name], plans[layout]) for name, layout in layout_of.items()}
    run_all(folder / "before", before, controls=dict.fromkeys(BIASED, controls))
    restores = {name: reference(jobs[name].checkpoint.directory, plan.world_size) for name, (_, plan) in before.items()}
    for name in layout_of:
        # What the second half saves is nobody's concern.
        jobs[name].checkpoint.directory = ""
    after = {name: (jobs[name], plans[NEXT[layout]]) for name, layout in layout_of.items()}
    run_all(folder / "after", after, restores=restores, controls={"biased": controls[4:]})
    return folder


def reference(directory: str, world: int) -> rank_pb2.CheckpointReference:
    files = [shard_name(1, rank, world) for rank in range(world)]
    return rank_pb2.CheckpointReference(step=4, directory=str(step_folder(directory, 4)), files=files)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_training_goes_on_under_another_layout_as_if_nothing_had_been(layout, continued):
    assert_goes_on(read_run(continued / "before", layout), read_run(continued / "after", layout))


def assert_goes_on(before: dict[int, StepSums], after: dict[int, StepSums]) -> None:
    assert list(after) == [5, 6, 7, 8]
    for step, sums in after.items():
        assert sums.loss == pytest.approx(before[step].loss, rel=1e-5)
        assert sums.gradient_norm == pytest.approx(before[step].gradient_norm, rel=1e-5)


def test_biases_come_back_under_another_layout_with_what_the_controller_sends(job, continued):
    before, after = (read_run(continued / half, "biased") for half in ("before", "after"))
    assert_goes_on(before, after)
    num_tokens = job.training.global_batch_size * job.training.sequence_length
    for step, sums in after.items():
        for favourite in FAVOURITES[step].items():
            assert sums.routed[favourite] == before[step].routed[favourite] == num_tokens


def test_biases_that_are_not_sent_again_would_show(continued):
    before, after = (read_run(continued / half, "biased, forgotten") for half in ("before", "after"))
    assert after[5].loss != pytest.approx(before[5].loss, rel=1e-5)
