"""The probe runs the engine's own steps on real ranks and says what each part takes."""

import json
import subprocess
import sys

import pytest
from spawn import TIMEOUT_S, _free_port, environment

from helpers import make_job
from moestro_engine.probe.measure import parts_of
from moestro_engine.probe.steps import micro_batches_of


def test_parts_hold_every_number_of_busy_groups_and_every_data_parallel_size_of_the_full_world():
    assert parts_of(4, [1, 4]) == [(1, 1, 1), (2, 1, 1), (4, 1, 1), (4, 1, 2), (4, 1, 4), (4, 4, 1)]
    assert parts_of(6, [2]) == [(2, 2, 1), (4, 2, 1), (6, 2, 1), (6, 2, 3)]
    assert parts_of(1, [1]) == [(1, 1, 1)]


def test_a_step_of_the_probe_has_as_many_micro_batches_as_the_layout_will(tmp_path):
    job = make_job(tmp_path, global_batch_size=16)
    assert [micro_batches_of(job, 4, dp) for dp in (1, 2, 4, 8)] == [4, 2, 1, 0]
    assert micro_batches_of(job, 1, 1) == 8


@pytest.fixture(scope="module")
def tables(tmp_path_factory):
    folder = tmp_path_factory.mktemp("probe")
    job = make_job(folder, hidden_size=32, head_dim=8, ffn_hidden_size=32, sequence_length=16, global_batch_size=4)
    (folder / "job.bin").write_bytes(job.SerializeToString())
    command = [sys.executable, "-m", "moestro_engine.probe", str(folder / "job.bin"), "--out", str(folder / "out.json")]
    command += ["--tensor-parallel", "1,2", "--micro-batches", "1", "--steps", "2"]
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    ranks = [subprocess.Popen(command, env=environment(**shared, RANK=str(rank))) for rank in range(2)]
    try:
        assert [process.wait(TIMEOUT_S) for process in ranks] == [0, 0]
    finally:
        for process in ranks:
            process.kill()
    return json.loads((folder / "out.json").read_text())


def test_two_ranks_measure_each_part_at_two_depths(tables):
    places = {
        (row["busyRanks"], row["tensorParallel"], row["dataParallel"], row["layers"])
        for row in tables["steps"]
        if not row["recompute"]
    }
    parts = {(1, 1, 1), (2, 1, 1), (2, 1, 2), (2, 2, 1)}
    assert places == {(*part, depth) for part in parts for depth in (1, 3)}
    assert all(row["forwardMs"] > 0 and row["backwardMs"] > 0 and row["tailMs"] > 0 for row in tables["steps"])


def test_collectives_messages_and_the_machine_are_measured_too(tables):
    assert [size for size, _ in tables["messages"]] == sorted(size for size, _ in tables["allReduce"])
    assert all(ms > 0 for _, ms in tables["messages"])
    assert min(tables[name] for name in ("memoryBytes", "memoryBandwidth", "flopsAlone", "flopsTogether")) > 0
