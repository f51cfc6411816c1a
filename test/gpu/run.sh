#!/usr/bin/env bash
# Checks and measures on a CUDA machine what no CPU can show: every kernel and the
# engine against the references in fp32 and bf16; gate, permutation, grouped product
# and a whole MoE layer against the roofline and the plain path; and the training of
# a model of 1 B parameters. One GPU, torch 2.11 or later with CUDA and Triton; the
# engine's parts also numpy, protobuf and safetensors. No network and no Node.
#
#   test/gpu/run.sh                  with python3, or MOESTRO_PYTHON
#   test/gpu/run.sh --out FOLDER     leaves gpu.json and gpu.md there too
#   test/gpu/run.sh --only checks    or timings, compile, training, engine; several may be named
#   test/gpu/run.sh --dry-run        the same on a CPU with tiny sizes and Triton's interpreter
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
export PYTHONPATH="$root/worker/engine:$root/worker/engine/tests"
exec "${MOESTRO_PYTHON:-python3}" "$root/test/gpu/measure.py" "$@"
