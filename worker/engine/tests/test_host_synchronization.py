"""What a padded layer counts and drops stays on its device: nothing asks for a number on the host."""

import pytest
import torch

from moestro.v1 import job_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.moe import MoeLayer

MODEL = job_pb2.ModelConfig(hidden_size=16, ffn_hidden_size=24, shared_ffn_hidden_size=8, shared_expert_gate=True)
# A device of which only shapes exist, and no CPU: what a GPU would be waited for cannot be asked there.
SHAPES = torch.device("meta")


def train_once(**changes) -> StepBalance:
    """Forward and backward of a micro-batch."""
    moe = job_pb2.MoeConfig(num_experts=4, top_k=2, capacity_factor=1.0, gate_normalization=1.0, **changes)
    with SHAPES:
        layer = MoeLayer(MODEL, moe)
    step = StepBalance(1, moe, 1.0, SHAPES)
    layer.gate.bias_E = step.bias_of(0)
    balance = step.open(18)
    out = layer(torch.empty(2, 9, 16, device=SHAPES), 0, balance)
    balance.close()
    out.sum().backward()
    assert all(parameter.grad is not None for parameter in layer.parameters())
    return step


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"drop_policy": job_pb2.DROP_POLICY_POSITION},
        {"gate_function": job_pb2.GATE_FUNCTION_SIGMOID, "selection_bias": True, "z_loss_coefficient": 0.1},
    ],
    ids=["drops by probability", "drops by position", "sigmoids with biases and a z-loss"],
)
def test_a_padded_layer_counts_and_drops_without_asking_the_host(changes):
    step = train_once(**changes)
    assert all(tensor.is_meta for tensor in (step.routed_LE, step.dropped_LE, step.loss_L, step.z_loss_L))


def test_this_notices_a_wait_such_as_the_one_for_rows_without_padding():
    with pytest.raises((RuntimeError, NotImplementedError)):
        train_once(without_padding=True)
