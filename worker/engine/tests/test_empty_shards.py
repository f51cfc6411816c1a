"""More ranks than there is to share: one whose part of weights and optimizer is nothing trains and saves with the others."""

import pytest
import torch
from one_process import open_state

from helpers import make_job, make_plan
from moestro_engine.checkpoint.state import random_state
from moestro_engine.checkpoint.write import write_shard

CPU = torch.device("cpu")
SIZES = {
    **{"num_layers": 1, "hidden_size": 8, "num_heads": 1, "num_kv_heads": 1, "head_dim": 8, "ffn_hidden_size": 8},
    **{"num_experts": 2, "vocab_size": 16, "global_batch_size": 64},
}


@pytest.mark.parametrize("sharding", ["ZERO1", "FSDP"])
def test_a_rank_without_a_share_steps_and_saves_as_the_others_do(sharding, tmp_path):
    job = make_job(tmp_path, **SIZES)
    plan = make_plan(job, dp=64, micro_batch=1, sharding=sharding)
    with open_state(job, plan, 63) as (_, _, state):
        assert state.slices() == []
        state.zero_gradients()
        state.reduce_gradients()
        assert state.squared_norm_share().item() == 0
        state.clip(2.0, 1.0)
        state.update(0.1)
        state.set_step(1)
        assert write_shard(tmp_path, "shard", 1, state.slices(), random_state(63, CPU)).size_bytes > 0
