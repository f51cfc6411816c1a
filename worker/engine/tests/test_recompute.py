"""Selective recompute against none: what it keeps of a layer's forward pass, and the same gradients."""

import torch
from torch.profiler import ProfilerActivity, profile

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.transformer import StageModel

HIDDEN, FFN, TOP_K, BATCH, LENGTH = 32, 64, 2, 2, 64
CPU = torch.device("cpu")


def build(recompute: int) -> StageModel:
    model = job_pb2.ModelConfig(
        num_layers=1,
        hidden_size=HIDDEN,
        num_heads=4,
        num_kv_heads=4,
        head_dim=8,
        ffn_hidden_size=FFN,
        rope_theta=1e4,
        rms_norm_epsilon=1e-5,
    )
    job = job_pb2.EngineJob(model=model, moe=job_pb2.MoeConfig(num_experts=4, top_k=TOP_K))
    torch.manual_seed(1)
    stage = StageModel(job, plan_pb2.Stage(num_layers=1, recompute=[recompute]))
    for parameter in stage.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    stage.prepare(LENGTH, StepBalance(1, job.moe, 1.0, CPU), CPU)
    return stage


def run(recompute: int) -> tuple[int, list[torch.Tensor]]:
    """Bytes that a forward pass leaves allocated, and all gradients."""
    model = build(recompute)
    x = torch.randn(BATCH, LENGTH, HIDDEN, generator=torch.Generator().manual_seed(2)).requires_grad_()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        out = model(x)
    out.square().sum().backward()
    kept = sum(event.self_cpu_memory_usage for event in profiler.key_averages())
    return kept, [x.grad, *(parameter.grad for parameter in model.parameters())]


def test_norms_and_activations_are_freed_and_gradients_stay():
    kept, gradients = run(plan_pb2.RECOMPUTE_NONE)
    kept_selective, gradients_selective = run(plan_pb2.RECOMPUTE_SELECTIVE)
    # Two norms and every assignment's silu(a) * b.
    numbers = BATCH * LENGTH * (2 * HIDDEN + TOP_K * FFN)
    assert kept - kept_selective >= 4 * numbers
    for expected, actual in zip(gradients, gradients_selective, strict=True):
        torch.testing.assert_close(actual, expected, atol=0, rtol=0)
