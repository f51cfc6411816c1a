"""Every kernel compiles for real GPUs: Triton's and NVIDIA's compiler down to machine code, which needs no GPU."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[1]
# Compute capability of A100 and H100, and the assembler's name for each.
TARGETS = {80: "sm_80", 90: "sm_90a"}


@pytest.mark.parametrize("capability", TARGETS)
def test_every_kernel_compiles_and_keeps_its_values_in_registers(capability, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    environment |= {"PYTHONPATH": str(ENGINE), "TRITON_CACHE_DIR": str(tmp_path)}
    command = [sys.executable, __file__, str(capability)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == len(_variants())
    assert all(line.endswith(" 0 bytes spilled") for line in lines), done.stdout


def _variants() -> list[tuple[str, str, dict[str, str], dict[str, object], int]]:
    """Module, kernel, types of its arguments, what is constant, warps; None stands for an absent pointer."""
    found = []
    for block_e, block_t, top_k in ((8, 128, 2), (512, 2, 16)):
        blocks = {"BLOCK_T": block_t, "BLOCK_E": block_e, "BLOCK_K": top_k}
        sizes = {"num_tokens": "i32", "num_experts": "i32", "scale": "fp32", "min_deviation": "fp32"}
        choice = {"expert_ptr": "*i64", "weight_ptr": "*fp32", "probability_ptr": "*fp32"}
        forward = {"logits_ptr": "*bf16", "bias_ptr": "*fp32", "gate_ptr": "*fp32", **choice, "counts_ptr": "*i64", **sizes}
        saved = {"logits_ptr": "*bf16", "expert_ptr": "*i64", "probability_ptr": "*fp32"}
        backward = {**saved, "grad_gate_ptr": "*fp32", "grad_weight_ptr": "*fp32", "grad_ptr": "*bf16", **sizes}
        softmax = {"GATE": 0, "NORMALIZE": True, "TOP_K": top_k, "RENORMALIZE": True}
        sigmoid = {"GATE": 1, "NORMALIZE": False, "TOP_K": top_k, "RENORMALIZE": False}
        plain = {**softmax, "bias_ptr": None, "BIAS": False, **blocks}
        found.append(("gate_triton", "_forward", forward, plain, 4))
        # An argument that is 1 becomes a constant.
        found.append(("gate_triton", "_forward", forward, {**plain, "num_tokens": 1}, 4))
        found.append(("gate_triton", "_forward", forward, {**sigmoid, "BIAS": True, **blocks}, 4))
        for form in (softmax, sigmoid):
            found.append(("gate_triton", "_backward", backward, {**form, "HAS_GATE_GRADIENT": True, **blocks}, 4))
    for dtype in ("*fp32", "*bf16"):
        ends = {"width": "i32"}
        gather = {"source_ptr": dtype, "assignment_ptr": "*i64", "valid_ptr": "*fp32", "weight_ptr": "*fp32", "rows_ptr": dtype}
        gather |= {"out_ptr": dtype, "grad_weight_ptr": "*fp32", **ends}
        absent = {"weight_ptr": None, "rows_ptr": None, "grad_weight_ptr": None}
        total = {"rows_ptr": dtype, "row_ptr": "*i64", "valid_ptr": "*fp32", "weight_ptr": "*fp32", "out_ptr": dtype, **ends}
        for top_k in (2, 16):
            constant = {"TOP_K": top_k, "BLOCK_D": 2048}
            found.append(("permute_triton", "_gather", gather, {**constant, "HAS_WEIGHT": True}, 8))
            found.append(("permute_triton", "_gather", gather, {**constant, **absent, "HAS_WEIGHT": False}, 8))
            found.append(("permute_triton", "_gather_sum", total, {**constant, "HAS_WEIGHT": True}, 8))
            found.append(("permute_triton", "_gather_sum", total, {**constant, "weight_ptr": None, "HAS_WEIGHT": False}, 8))
            found.append(("permute_triton", "_gather", gather, {**constant, "width": 1, "BLOCK_D": 1, "HAS_WEIGHT": True}, 1))
    return found


def main() -> None:
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    capability = int(sys.argv[1])
    for module, name, types, constants, warps in _variants():
        kernel = getattr(importlib.import_module(f"moestro_engine.kernels.{module}"), name)
        signature = {argument: "constexpr" if argument in constants else types[argument] for argument in kernel.arg_names}
        source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
        compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options={"num_warps": warps})
        print(f"{module}.{name}: {_spilled_bytes(compiled.asm['ptx'], TARGETS[capability])} bytes spilled")


def _spilled_bytes(ptx: str, architecture: str) -> int:
    """What the assembler that comes with Triton says it had to keep in memory for want of registers."""
    from triton import knobs

    assembler = [knobs.nvidia.ptxas.path, "-v", f"--gpu-name={architecture}", "-", "-o", os.devnull]
    done = subprocess.run(assembler, input=ptx, capture_output=True, text=True, check=True)
    return sum(int(count) for count in re.findall(r"(\d+) bytes spill", done.stderr))


if __name__ == "__main__":
    main()
