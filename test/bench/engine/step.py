"""One rank's whole training step against Transformers' own Mixtral with each of its expert paths, in turn.

``python step.py --layers L --hidden D …``: one JSON line a round and trainer, milliseconds. All of them
have the same sizes, tokens, fp32 and fused AdamW with clipping; dropless, as Mixtral is. The engine's step
counts loads and carries the auxiliary loss; Transformers' gets its own auxiliary loss. Each trainer has a
process of its own, so that none works in the heap that another left, and they take turns at every step.
"""

import argparse
import json
import subprocess
import sys
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
# Gathers a copy of its experts' weights for every token: seconds a step, so it sits most rounds out.
SLOW = "batched_mm"
NUM_SLOW_ROUNDS = 3
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
    parser.add_argument(
        "--trainer",
        choices=("moestro", *PATHS),
        help="be this one, a step for every line of input",
    )
    options = parser.parse_args()
    if options.trainer:
        _serve(options)
    else:
        _take_turns(options)


def _take_turns(options: argparse.Namespace) -> None:
    trainers = {
        name: subprocess.Popen(
            [sys.executable, __file__, *sys.argv[1:], "--trainer", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("moestro", *PATHS)
    }
    try:
        for index in range(NUM_WARM_UP_ROUNDS + options.rounds):
            for name, trainer in trainers.items():
                if name == SLOW and index >= NUM_SLOW_ROUNDS:
                    continue
                print("step", file=trainer.stdin, flush=True)
                milliseconds = float(trainer.stdout.readline())
                if index >= NUM_WARM_UP_ROUNDS:
                    form = name if name == "moestro" else f"transformers, {name}"
                    print(
                        json.dumps({"round": index, "form": form, "ms": milliseconds}),
                        flush=True,
                    )
    finally:
        for trainer in trainers.values():
            trainer.stdin.close()
            trainer.wait()


def _serve(options: argparse.Namespace) -> None:
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    step = (
        _ours(options)
        if options.trainer == "moestro"
        else _theirs(options, options.trainer)
    )
    generator = torch.Generator().manual_seed(1)
    for _ in sys.stdin:
        token_BS = torch.randint(
            options.vocab, (options.batch, options.length + 1), generator=generator
        )
        started = time.perf_counter()
        step(token_BS[:, :-1], token_BS[:, 1:].contiguous())
        print((time.perf_counter() - started) * 1e3, flush=True)
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
