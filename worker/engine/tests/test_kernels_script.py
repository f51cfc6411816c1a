"""The GPU measurement runs on a CPU with tiny sizes, so that it does not rot where there is no GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "test" / "gpu" / "run.sh"


def test_a_dry_run_checks_times_and_trains_and_leaves_its_figures(tmp_path):
    command = ["bash", str(SCRIPT), "--dry-run", "--only", "checks", "timings", "compile", "training", "--out", str(tmp_path)]
    environment = os.environ | {"MOESTRO_PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads((tmp_path / "gpu.json").read_text())
    assert all(check["passed"] for check in figures["checks"])
    assert {entry["what"] for entry in figures["timings"]} >= {"gate", "permute", "un-permute", "grouped product", "MoE layer"}
    assert figures["compile"]["ratio"] > 0
    assert figures["training"]["last_loss"] > 0
    assert figures["training"]["micro_batches"] == 2
    page = (tmp_path / "gpu.md").read_text()
    assert figures["machine"]["name"] in page
    assert page in done.stdout
