#!/usr/bin/env bash
# Checks and measures on a CUDA machine what no CPU can show: the engine on one
# GPU against the same engine on the CPU. Needs torch 2.11 or later with CUDA,
# numpy, protobuf and safetensors; no network and no Node.
#
#   test/gpu/run.sh            with python3, or MOESTRO_PYTHON
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH="$root/worker/engine:$root/worker/engine/tests"
exec "${MOESTRO_PYTHON:-python3}" "$root/test/gpu/compare_with_cpu.py" "$@"
