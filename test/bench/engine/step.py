"""One rank's whole training step against Transformers' own Mixtral with each of its expert paths, in turn.

``python step.py --layers L --hidden D …``: one JSON line a round and trainer, milliseconds. All of them
have the same sizes, tokens, fp32 and fused AdamW with clipping; dropless, as Mixtral is. The engine's step
counts loads and carries the auxiliary loss; Transformers' gets its own auxiliary loss.
"""

import argparse
import json
import time
from collections.abc import Callable

import torch
import torch.distributed as dist
from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.parallel.mesh import mesh_of
from moestro_engine.parallel.pipeline import Pipeline
from moestro_engine.training.build import build_state
from transformers import MixtralConfig, MixtralForCausalLM

# What transformers.integrations.moe knows.
PATHS = ("eager", "batched_mm", "grouped_mm")
NUM_WARM_UP_ROUNDS = 2
AUX_COEFFICIENT = 0.01
CPU = torch.device("cpu")

Step = Callable[[torch.Tensor, torch.Tensor], None]


def main() -> None:
    parser = argparse.ArgumentParser()
    sizes = {
        "layers": 4,
        "hidden": 256,
        "heads": 8,
        "kv-heads": 4,
        "ffn": 512,
        "experts": 8,
        "top-k": 2,
        "vocab": 4096,
    }
    for name, default in (sizes | {"length": 256, "batch": 4, "rounds": 8}).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    trainers = {"moestro": _ours(options)} | {
        f"transformers, {path}": _theirs(options, path) for path in PATHS
    }
    generator = torch.Generator().manual_seed(1)
    for index in range(NUM_WARM_UP_ROUNDS + options.rounds):
        token_BS = torch.randint(
            options.vocab, (options.batch, options.length + 1), generator=generator
        )
        for name, step in trainers.items():
            started = time.perf_counter()
            step(token_BS[:, :-1], token_BS[:, 1:].contiguous())
            if index >= NUM_WARM_UP_ROUNDS:
                print(
                    json.dumps(
                        {
                            "round": index,
                            "form": name,
                            "ms": (time.perf_counter() - started) * 1e3,
                        }
                    ),
                    flush=True,
                )
    dist.destroy_process_group()


def _ours(options: argparse.Namespace) -> Step:
    job = job_pb2.EngineJob(
        model=job_pb2.ModelConfig(
            num_layers=options.layers,
            hidden_size=options.hidden,
            num_heads=options.heads,
            num_kv_heads=options.kv_heads,
            head_dim=options.hidden // options.heads,
            ffn_hidden_size=options.ffn,
            vocab_size=options.vocab,
            rope_theta=1e4,
            rms_norm_epsilon=1e-5,
        ),
        moe=job_pb2.MoeConfig(
            num_experts=options.experts,
            top_k=options.top_k,
            aux_loss_form=job_pb2.AUX_LOSS_FORM_SWITCH,
            gate_without_bias=True,
        ),
        training=job_pb2.TrainingConfig(
            sequence_length=options.length,
            global_batch_size=options.batch,
            learning_rate=1e-4,
            weight_decay=0.1,
            adam_beta1=0.9,
            adam_beta2=0.95,
            adam_epsilon=1e-8,
            seed=1,
            init_std=0.02,
        ),
    )
    layout = plan_pb2.Layout(
        tensor_parallel=1,
        context_parallel=1,
        pipeline_parallel=1,
        virtual_pipeline=1,
        data_parallel=1,
        expert_parallel=1,
        expert_tensor_parallel=1,
        expert_data_parallel=1,
    )
    stage = plan_pb2.Stage(num_layers=options.layers, has_embedding=True, has_head=True)
    plan = plan_pb2.Plan(
        layout=layout,
        stages=[stage],
        schedule=plan_pb2.SCHEDULE_1F1B,
        world_size=1,
        micro_batch_size=options.batch,
        num_micro_batches=1,
    )
    mesh = mesh_of(plan, 0)
    groups, chunks, state = build_state(job, plan, mesh, CPU)
    pipeline = Pipeline(chunks, job, plan, mesh, groups, CPU)
    balance = chunks[0].model.balance
    balance.coefficient_L.fill_(AUX_COEFFICIENT)

    def step(token_BS: torch.Tensor, target_BS: torch.Tensor) -> None:
        balance.reset()
        state.zero_gradients()
        pipeline.train(token_BS, target_BS)
        state.reduce_gradients()
        state.clip(state.squared_norm_share().sqrt().item(), 1.0)
        state.update(1e-4)

    return step


def _theirs(options: argparse.Namespace, path: str) -> Step:
    torch.manual_seed(1)
    model = MixtralForCausalLM(
        MixtralConfig(
            vocab_size=options.vocab,
            hidden_size=options.hidden,
            intermediate_size=options.ffn,
            num_hidden_layers=options.layers,
            num_attention_heads=options.heads,
            num_key_value_heads=options.kv_heads,
            num_local_experts=options.experts,
            num_experts_per_tok=options.top_k,
            max_position_embeddings=options.length,
            output_router_logits=True,
            router_aux_loss_coef=AUX_COEFFICIENT,
            use_cache=False,
            experts_implementation=path,
            attn_implementation="sdpa",
        )
    ).train()
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=1e-4, betas=(0.9, 0.95), weight_decay=0.1, fused=True
    )

    def step(token_BS: torch.Tensor, target_BS: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        # Transformers shifts labels itself, so they are the tokens; the last has no successor in either.
        model(input_ids=token_BS, labels=token_BS).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
