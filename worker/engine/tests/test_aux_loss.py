"""Auxiliary losses and the router z-loss against hand-worked values, and their injected gradients against autograd."""

import math

import pytest
import torch

from moestro.v1 import job_pb2
from moestro_engine.kernels.gate import Routing, choose, count_experts, route
from moestro_engine.model.aux_loss import aux_loss, aux_loss_gradient, router_z_loss
from moestro_engine.model.balance import StepBalance
from moestro_engine.training.coefficients import ControlValues
from moestro_engine.training.report import layer_reports

SKYWORK, SWITCH = job_pb2.AUX_LOSS_FORM_SKYWORK, job_pb2.AUX_LOSS_FORM_SWITCH


def routing_of(gate_TE: torch.Tensor, top_k: int) -> Routing:
    """What a gate with these probabilities decides."""
    routes = choose(gate_TE, top_k)
    return Routing(gate_TE, *routes, count_experts(routes.expert_TK, gate_TE.shape[1]))


def test_the_skywork_loss_is_the_squared_distance_of_the_mean_gates_from_uniform():
    # Gates of two tokens over 4 experts: (0.7, 0.1, 0.1, 0.1) and (0.3, 0.5, 0.1, 0.1); mean
    # (0.5, 0.3, 0.1, 0.1); distances from 0.25: (0.25, 0.05, -0.15, -0.15); squares
    # 0.0625 + 0.0025 + 0.0225 + 0.0225 = 0.11.
    mean = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.3, 0.5, 0.1, 0.1]]).mean(0)
    assert aux_loss(SKYWORK, mean, torch.zeros(4)).item() == pytest.approx(0.11)


def test_the_switch_loss_is_n_times_the_product_of_load_and_mean_gate():
    # Load (0.75, 0.25, 0, 0), mean gate (0.5, 0.3, 0.1, 0.1): 4 * (0.375 + 0.075) = 1.8.
    loss = aux_loss(SWITCH, torch.tensor([0.5, 0.3, 0.1, 0.1]), torch.tensor([0.75, 0.25, 0.0, 0.0]))
    assert loss.item() == pytest.approx(1.8)


def test_the_skywork_gradient_is_twice_the_distance_from_uniform():
    # d/dm (1/4 - m)^2 = 2 (m - 1/4): (0.5, 0.1, -0.3, -0.3) for the mean gates above.
    gradient = aux_loss_gradient(SKYWORK, torch.tensor([0.5, 0.3, 0.1, 0.1]), torch.zeros(4))
    assert gradient.tolist() == pytest.approx([0.5, 0.1, -0.3, -0.3])


@pytest.mark.parametrize("form", [SKYWORK, SWITCH])
def test_the_injected_gradient_is_that_of_the_explicit_sum(form):
    torch.manual_seed(0)
    num_tokens, num_experts, alphas, scale = 12, 4, [0.3, 0.05], 1 / 3
    moe = job_pb2.MoeConfig(num_experts=num_experts, top_k=2, aux_loss_form=form)
    logits = [torch.randn(num_tokens, num_experts, requires_grad=True) for _ in alphas]
    values = torch.randn(2)

    balance = StepBalance(len(alphas), moe, scale, torch.device("cpu"))
    balance.coefficient_L.copy_(torch.tensor(alphas))
    micro_batch = balance.open(num_tokens)
    main_loss = torch.zeros(())
    for layer, z in enumerate(logits):
        weights = micro_batch.watch(layer, route(z, 0.0, 2)).weight_TK
        main_loss = main_loss + (weights @ values).sum()
    micro_batch.close()
    injected = torch.autograd.grad(main_loss, logits)

    explicit_loss = torch.zeros(())
    for z, alpha in zip(logits, alphas, strict=True):
        gates = z.softmax(-1)
        chosen, experts = gates.topk(2)
        load = torch.bincount(experts.flatten(), minlength=num_experts) / (num_tokens * 2)
        main = (chosen / chosen.sum(-1, keepdim=True) @ values).sum()
        explicit_loss = explicit_loss + main + alpha * scale * aux_loss(form, gates.mean(0), load)
    explicit = torch.autograd.grad(explicit_loss, logits)
    for got, expected in zip(injected, explicit, strict=True):
        torch.testing.assert_close(got, expected)


def test_a_forward_pass_repeated_for_recompute_counts_nothing_twice():
    moe = job_pb2.MoeConfig(num_experts=4, top_k=1, aux_loss_form=SKYWORK)
    balance = StepBalance(1, moe, 1.0, torch.device("cpu"))
    micro_batch = balance.open(2)
    gates = torch.tensor([[0.7, 0.1, 0.1, 0.1], [0.3, 0.5, 0.1, 0.1]], requires_grad=True)

    def forward():
        return micro_batch.watch(0, routing_of(gates, 1)).weight_TK

    forward()
    micro_batch.close()
    forward().sum().backward()
    assert balance.routed_LE.tolist() == [[1, 1, 0, 0]]
    assert balance.loss_L.item() == pytest.approx(0.11)


def sigmoid_moe(form: int, **options) -> job_pb2.MoeConfig:
    gate = job_pb2.GATE_FUNCTION_SIGMOID
    return job_pb2.MoeConfig(num_experts=4, top_k=2, aux_loss_form=form, gate_function=gate, **options)


@pytest.mark.parametrize("form", [SKYWORK, SWITCH])
def test_sigmoid_gates_are_balanced_by_their_shares_and_get_the_gradient_of_that(form):
    torch.manual_seed(0)
    num_tokens, alpha = 12, 0.3
    logits = torch.randn(num_tokens, 4, dtype=torch.float64, requires_grad=True)
    balance = StepBalance(1, sigmoid_moe(form), 0.5, torch.device("cpu"))
    balance.coefficient_L.fill_(alpha)
    micro_batch = balance.open(num_tokens)
    weights = micro_batch.watch(0, route(logits, 0.0, 2, sigmoid=True)).weight_TK
    micro_batch.close()
    (injected,) = torch.autograd.grad(weights.square().sum(), logits)

    gates = logits.sigmoid()
    chosen, experts = gates.topk(2)
    load = torch.bincount(experts.flatten(), minlength=4) / (num_tokens * 2)
    weights = chosen / chosen.sum(-1, keepdim=True)
    shares = gates / gates.sum(-1, keepdim=True)
    loss = aux_loss(form, shares.mean(0), load)
    (explicit,) = torch.autograd.grad(weights.square().sum() + alpha * 0.5 * loss, logits)
    torch.testing.assert_close(injected, explicit, rtol=1e-5, atol=1e-7)
    assert balance.loss_L.item() == pytest.approx(loss.item(), rel=1e-5)


def test_the_z_loss_is_the_mean_of_squared_logsumexps():
    # logsumexp(0, 0) = ln 2; logsumexp(ln 3, 0) = ln 4: (0.480453 + 1.921812) / 2.
    assert router_z_loss(torch.tensor([[0.0, 0.0], [math.log(3), 0.0]])).item() == pytest.approx(1.2011325)


def test_the_z_losss_injected_gradient_is_that_of_the_explicit_mean_over_micro_batches():
    torch.manual_seed(0)
    coefficient, num_micro_batches = 0.7, 3
    moe = job_pb2.MoeConfig(num_experts=4, top_k=2, z_loss_coefficient=coefficient)
    batches = [torch.randn(10, 4, requires_grad=True) for _ in range(num_micro_batches)]
    balance = StepBalance(1, moe, 1 / num_micro_batches, torch.device("cpu"))
    main_loss = torch.zeros(())
    for z in batches:
        micro_batch = balance.open(10)
        main_loss = main_loss + micro_batch.watch_logits(0, z).softmax(-1).square().sum()
        micro_batch.close()
        # A recomputed forward pass adds nothing to the sum that is reported.
        micro_batch.watch_logits(0, z)
    injected = torch.autograd.grad(main_loss, batches)
    explicit = sum(z.softmax(-1).square().sum() for z in batches)
    explicit = explicit + coefficient * sum(z.logsumexp(-1).square().mean() for z in batches) / num_micro_batches
    for got, expected in zip(injected, torch.autograd.grad(explicit, batches), strict=True):
        torch.testing.assert_close(got, expected)
    assert balance.z_loss_L.item() == pytest.approx(sum(router_z_loss(z).item() for z in batches))


@pytest.mark.parametrize("form", [SKYWORK, SWITCH])
def test_a_dense_layer_has_no_loss_and_no_report(form):
    moe = job_pb2.MoeConfig(num_experts=4, top_k=1, aux_loss_form=form)
    balance = StepBalance(2, moe, 1.0, torch.device("cpu"))
    micro_batch = balance.open(3)
    routing = micro_batch.watch(1, routing_of(torch.rand(3, 4).softmax(-1).requires_grad_(), 1))
    micro_batch.close()
    routing.weight_TK.sum().backward()
    assert balance.loss_L[0].item() == 0 < balance.loss_L[1].item()
    (report,) = layer_reports(balance, 5, ControlValues((0.0,) * 7, torch.zeros(7, 0)))
    assert report.layer == 6
    assert sum(report.routed) == 3
