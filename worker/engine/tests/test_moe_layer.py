"""A MoE layer in every variant against a loop over tokens and experts, by the equations."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F

from helpers import make_job, make_plan
from moestro.v1 import job_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.feed_forward import FeedForward
from moestro_engine.model.moe import MoeLayer
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.parallel.parallelize import Links, build_chunk, fill

HIDDEN, FFN, SHARED, EXPERTS, TOKENS = 6, 5, 7, 4, 10


def make_layer(model: dict | None = None, **moe) -> MoeLayer:
    torch.manual_seed(1)
    sizes = job_pb2.ModelConfig(hidden_size=HIDDEN, ffn_hidden_size=FFN, **(model or {}))
    layer = MoeLayer(sizes, job_pb2.MoeConfig(num_experts=EXPERTS, top_k=2, **moe)).double()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


def swiglu(x: torch.Tensor, w1: torch.Tensor, w3: torch.Tensor, w2: torch.Tensor) -> torch.Tensor:
    return (F.silu(x @ w1) * (x @ w3)) @ w2


def by_the_equations(layer: MoeLayer, x_TD: torch.Tensor, capacity: int | None) -> torch.Tensor:
    """Token by token; an expert over capacity drops what its policy says."""
    moe = layer.config
    gates = layer.gate.projection(x_TD)
    gates = gates.sigmoid() if moe.gate_function == job_pb2.GATE_FUNCTION_SIGMOID else gates.softmax(-1)
    bias = torch.zeros(EXPERTS) if layer.gate.bias_E is None else layer.gate.bias_E
    chosen = [(gates[t] + bias).topk(2).indices.tolist() for t in range(len(x_TD))]
    kept = set()
    for expert in range(EXPERTS):
        wishes = [t for t, experts in enumerate(chosen) if expert in experts]
        if moe.drop_policy != job_pb2.DROP_POLICY_POSITION:
            wishes.sort(key=lambda t, e=expert: -gates[t, e].item())
        kept |= {(t, expert) for t in wishes[:capacity]}
    experts, out = layer.experts, []
    for t, x in enumerate(x_TD):
        total = torch.ones(()) if moe.without_renormalization else gates[t, chosen[t]].sum()
        y = torch.zeros_like(x)
        for e in chosen[t]:
            if (t, e) in kept:
                y = y + gates[t, e] / total * swiglu(x, experts.w1[e], experts.w3[e], experts.w2[e])
        if layer.shared is not None:
            shared = layer.shared(x[None, None])[0, 0]
            y = y + (shared if layer.shared_gate is None else layer.shared_gate(x).sigmoid() * shared)
        out.append(y)
    return torch.stack(out)


def assert_same(layer: MoeLayer, capacity: int | None) -> None:
    x = torch.randn(2, TOKENS // 2, HIDDEN, dtype=torch.float64, generator=torch.Generator().manual_seed(2)).requires_grad_()
    balance = StepBalance(1, layer.config, 1.0, torch.device("cpu")).open(TOKENS)
    out = layer(x, 0, balance)
    balance.close()
    values = [x, *layer.parameters()]
    got = torch.autograd.grad(out.square().sum(), values)
    expected_out = by_the_equations(layer, x.flatten(0, 1), capacity).view_as(x)
    torch.testing.assert_close(out, expected_out)
    for ours, expected in zip(got, torch.autograd.grad(expected_out.square().sum(), values), strict=True):
        torch.testing.assert_close(ours, expected)


GATES = [job_pb2.GATE_FUNCTION_SOFTMAX, job_pb2.GATE_FUNCTION_SIGMOID]
POLICIES = [job_pb2.DROP_POLICY_PROBS, job_pb2.DROP_POLICY_POSITION]


@pytest.mark.parametrize(("gate", "as_they_are", "biased"), list(itertools.product(GATES, [False, True], [False, True])))
def test_gates_of_every_kind(gate, as_they_are, biased):
    layer = make_layer(gate_function=gate, without_renormalization=as_they_are)
    layer.gate.bias_E = torch.tensor([0.5, -0.2, 0.0, 0.1], dtype=torch.float64) if biased else None
    assert_same(layer, None)


@pytest.mark.parametrize(("policy", "without_padding"), list(itertools.product(POLICIES, [False, True])))
def test_capacities_of_every_kind(policy, without_padding):
    # ceil(0.6 * 10 * 2 / 4) = 3 places an expert.
    assert_same(make_layer(drop_policy=policy, without_padding=without_padding, capacity_factor=0.6), 3)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("capacity_factor", [0.0, 0.6])
def test_shared_experts_beside_the_routed_ones(gated, capacity_factor):
    shared = {"shared_ffn_hidden_size": SHARED, "shared_expert_gate": gated}
    layer = make_layer(shared, capacity_factor=capacity_factor)
    assert (layer.shared_gate is not None) == gated
    assert_same(layer, 3 if capacity_factor else None)


def test_a_feed_forward_network_is_a_swiglu():
    torch.manual_seed(3)
    network, x = FeedForward(HIDDEN, FFN), torch.randn(2, 3, HIDDEN)
    expected = swiglu(x, *(part.weight.t() for part in (network.w1, network.w3, network.w2)))
    torch.testing.assert_close(network(x), expected)


def test_biases_set_for_a_step_change_the_choice_in_training_and_evaluation_alike():
    layer = make_layer(selection_bias=True)
    step = StepBalance(1, layer.config, 1.0, torch.device("cpu"))
    layer.gate.bias_E = step.bias_of(0)
    x = torch.randn(1, TOKENS, HIDDEN, dtype=torch.float64)

    def routed() -> list[float]:
        step.reset()
        balance = step.open(TOKENS)
        out = layer(x, 0, balance)
        balance.close()
        torch.testing.assert_close(layer(x, 0, None), out)
        return step.routed_LE[0].tolist()

    assert routed()[2] < TOKENS
    step.bias_LE[0, 2] = 10.0
    assert routed()[2] == TOKENS
    step.bias_LE[0, 2] = -10.0
    assert routed()[2] == 0


def test_without_selection_biases_there_are_none():
    assert StepBalance(1, make_layer().config, 1.0, torch.device("cpu")).bias_of(0) is None


def test_matrices_that_write_to_the_residual_stream_start_smaller_in_dense_and_shared_networks_too(tmp_path):
    job = make_job(tmp_path, dense_layers=[0], dense_ffn_hidden_size=64, shared_ffn_hidden_size=64, shared_expert_gate=True)
    plan, cpu = make_plan(job), torch.device("cpu")
    chunk = build_chunk(job, plan, mesh_of(plan, 0), 0, Links(), cpu)
    fill(chunk, job, cpu)
    std = job.training.init_std
    smaller = std / math.sqrt(2 * job.model.num_layers)
    dense, sparse = chunk.model.layers["0"].ffn, chunk.model.layers["1"].moe
    for network in (dense, sparse.shared):
        assert network.w1.weight.std().item() == pytest.approx(std, rel=0.1)
        assert network.w3.weight.std().item() == pytest.approx(std, rel=0.1)
        assert network.w2.weight.std().item() == pytest.approx(smaller, rel=0.1)
    assert sparse.experts.w2.std().item() == pytest.approx(smaller, rel=0.1)
    assert sparse.shared_gate.weight.std().item() == pytest.approx(std, rel=0.5)
