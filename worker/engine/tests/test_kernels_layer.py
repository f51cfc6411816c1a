"""A whole MoE layer on the kernels, interpreted, against the plain layer; and the grouped products of its experts."""

import pytest
import torch

from moestro.v1 import job_pb2
from moestro_engine.kernels import gate_triton
from moestro_engine.kernels.grouped import uses_grouped_mm
from moestro_engine.kernels.select import forced, uses_triton
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.experts import Experts
from moestro_engine.model.moe import MoeLayer

MODEL = job_pb2.ModelConfig(hidden_size=16, ffn_hidden_size=24)


def run_layer(form: str, capacity_factor: float, training: bool = True, **changes) -> dict[str, torch.Tensor]:
    """Output of a micro-batch, in training with an auxiliary loss, what its gate did, and every gradient."""
    moe = job_pb2.MoeConfig(
        num_experts=4,
        top_k=2,
        capacity_factor=capacity_factor,
        gate_normalization=1.0,
        aux_loss_form=job_pb2.AUX_LOSS_FORM_SKYWORK,
        **changes,
    )
    torch.manual_seed(1)
    layer = MoeLayer(MODEL, moe)
    for parameter in layer.experts.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    step = StepBalance(1, moe, loss_scale=1.0, device=torch.device("cpu"))
    step.coefficient_L.fill_(0.5)
    if step.bias_LE is not None:
        step.bias_LE.copy_(torch.tensor([0.2, -0.1, 0.0, 0.1]))
    layer.gate.bias_E = step.bias_of(0)
    x = torch.randn(2, 9, 16, requires_grad=True)
    with forced(form):
        balance = step.open(18)
        out = layer(x, 0, balance if training else None)
        balance.close()
        out.square().sum().backward()
    gradients = {name: parameter.grad for name, parameter in layer.named_parameters()}
    return {"out": out, "x": x.grad, "routed": step.routed_LE, "dropped": step.dropped_LE, "loss": step.loss_L} | gradients


@pytest.mark.parametrize("capacity_factor", [0.0, 1.0], ids=["dropless", "dropping"])
def test_a_layer_on_the_kernels_equals_the_plain_layer_in_output_and_every_gradient(capacity_factor):
    plain, triton = run_layer("plain", capacity_factor), run_layer("triton", capacity_factor)
    assert bool(plain["dropped"].any()) == (capacity_factor > 0)
    assert_same(plain, triton)


def test_sigmoids_biases_weights_as_they_are_the_z_loss_and_unpadded_rows_agree_too():
    changes = {"gate_function": job_pb2.GATE_FUNCTION_SIGMOID, "without_renormalization": True, "selection_bias": True}
    changes |= {"z_loss_coefficient": 0.3, "without_padding": True, "drop_policy": job_pb2.DROP_POLICY_POSITION}
    assert_same(run_layer("plain", 1.0, **changes), run_layer("triton", 1.0, **changes))


@pytest.mark.parametrize("training", [True, False], ids=["training", "evaluation"])
def test_a_layers_gate_is_one_launch_each_way(training, monkeypatch):
    launches = []
    for name in ("_forward", "_backward"):
        kernel = getattr(gate_triton, name)
        monkeypatch.setattr(gate_triton, name, _Noted(kernel, lambda name=name: launches.append(name)))
    run_layer("triton", 0.0, training=training)
    assert launches == ["_forward", "_backward"]


class _Noted:
    """A kernel that says when it is launched."""

    def __init__(self, kernel, note) -> None:
        self._kernel, self._note = kernel, note

    def __getitem__(self, grid):
        self._note()
        return self._kernel[grid]


def assert_same(plain: dict[str, torch.Tensor], triton: dict[str, torch.Tensor]) -> None:
    for name, expected in plain.items():
        torch.testing.assert_close(triton[name], expected, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}")


@pytest.mark.parametrize("counts", [[3, 0, 5, 2], [0, 0, 0, 10], [10, 0, 0, 0]])
def test_grouped_products_equal_the_loop_over_experts_also_for_experts_without_rows(counts):
    torch.manual_seed(2)
    experts = Experts(4, 16, 24).bfloat16()
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    rows = torch.randn(10, 16).bfloat16()
    found = {}
    for form in ("plain", "triton"):
        x = rows.clone().requires_grad_()
        experts.zero_grad()
        with forced(form):
            assert uses_grouped_mm(x, experts.w1) == (form == "triton")
            out = experts.ragged(x, torch.tensor(counts))
        out.backward(torch.ones(out.shape, dtype=torch.bfloat16))
        found[form] = [out.detach(), x.grad, *(p.grad.clone() for p in experts.parameters())]
    for expected, actual in zip(found["plain"], found["triton"], strict=True):
        torch.testing.assert_close(actual, expected, atol=2e-2, rtol=2e-2)


def test_experts_without_a_single_row_have_gradients_of_zero():
    experts = Experts(4, 16, 24).bfloat16()
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    x = torch.empty(0, 16).bfloat16().requires_grad_()
    with forced("triton"):
        out = experts.ragged(x, torch.zeros(4, dtype=torch.long))
        # The gradient of a sum has no strides.
        out.sum().backward()
    assert out.shape == x.grad.shape == (0, 16)
    assert all(not p.grad.any() for p in experts.parameters())


def test_cpu_tensors_fp64_and_widths_that_are_not_16_bytes_take_the_plain_path():
    assert not uses_triton(torch.zeros(1))
    with forced("triton"):
        assert not uses_triton(torch.zeros(1, dtype=torch.float64))
        assert not uses_grouped_mm(torch.zeros(2, 8), torch.zeros(1, 8, 8))
        assert not uses_grouped_mm(torch.zeros(2, 8).bfloat16(), torch.zeros(1, 8, 12).bfloat16())
        assert uses_grouped_mm(torch.zeros(2, 8).bfloat16(), torch.zeros(1, 8, 16).bfloat16())
