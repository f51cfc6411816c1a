"""Everything that needs a GPU, in one run: checks, timings, training; a Markdown report and its figures as JSON.

Exits 0 if every check passed, 1 if one did not, 4 if the machine lacks something.
"""

import argparse
import json
import os
import sys
from importlib.util import find_spec
from pathlib import Path

PARTS = ("checks", "timings", "compile", "training", "engine")
# What the engine's parts need beyond torch.
PACKAGES = {
    "google.protobuf": "protobuf",
    "numpy": "numpy",
    "safetensors": "safetensors",
}


def main() -> int:
    arguments = _parse()
    if arguments.dry_run:
        # Read when Triton is imported.
        os.environ["TRITON_INTERPRET"] = "1"
    import torch

    if not arguments.dry_run and not torch.cuda.is_available():
        print(
            f"test/gpu: torch {torch.__version__} sees no GPU; run this on a CUDA machine with a CUDA build of torch, "
            "or with --dry-run",
            file=sys.stderr,
        )
        return 4
    lacking = [name for module, name in PACKAGES.items() if not _has(module)]
    from machine import Machine
    from report import markdown
    from sizes import FULL, TINY

    machine = Machine.here(dry_run=arguments.dry_run)
    sizes = TINY if arguments.dry_run else FULL
    results = {"machine": machine.describe(), "not_run": {}}
    for part in arguments.only or PARTS:
        print(f"test/gpu: {part}", file=sys.stderr, flush=True)
        if lacking and part != "checks":
            name = "MoE layer's timings" if part == "timings" else part
            results["not_run"][name] = f"needs {', '.join(lacking)}"
        if part in ("checks", "timings") or not lacking:
            results[part] = _run(part, machine, sizes, has_engine=not lacking)
        machine.release()
    text = markdown(results)
    figures = json.dumps(results)
    print(f"{text}\n```json\n{figures}\n```")
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "gpu.md").write_text(text)
        (arguments.out / "gpu.json").write_text(figures + "\n")
    checks = [*results.get("checks", []), *results.get("engine", [])]
    if not all(check["passed"] for check in checks):
        return 1
    return 4 if results["not_run"] else 0


def _run(part: str, machine, sizes, has_engine: bool) -> object:
    if part == "checks":
        from check_kernels import check_kernels

        return check_kernels(machine.device, sizes)
    if part == "timings":
        from time_kernels import time_kernels

        return time_kernels(machine, sizes, has_engine)
    if part == "compile":
        from compile_layer import compile_layer

        return compile_layer(machine, sizes)
    if part == "training":
        from train_model import train_model

        return train_model(machine, sizes)
    from check_engine import check_engine
    from check_forks import check_forks
    from check_snapshot import check_snapshot
    from compare_with_cpu import compare

    return [
        *check_engine(machine.device, sizes),
        *check_snapshot(machine.device),
        *check_forks(machine.device, sizes.engine_steps),
        *compare("cpu", machine.device.type, sizes.engine_steps),
    ]


def _has(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="test/gpu/run.sh", description=__doc__)
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="tiny sizes on the CPU, kernels interpreted",
    )
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, help="some of the parts (default all)"
    )
    parser.add_argument(
        "--out", type=Path, metavar="FOLDER", help="where to leave gpu.json and gpu.md"
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
