"""One decoder layer as it is against one whose attention and norms went through torch.compile, in turn.

``python compiled.py --hidden D --rounds N``: one JSON line a round and form, milliseconds. The first call of
the compiled form takes half a minute and a C++ compiler and is not counted.
"""

import argparse
import json
import time

import torch
from moestro.v1 import job_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.rotary import rotary_table
from moestro_engine.model.transformer import DecoderLayer

NUM_WARM_UP_ROUNDS = 3
BATCH, LENGTH, NUM_HEADS = 4, 256, 8
CPU = torch.device("cpu")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--hidden", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    job = _job(options.hidden)
    forms = {"as it is": _layer(job), "compiled": _layer(job)}
    for part in ("attention", "attention_norm", "moe_norm"):
        compiled = torch.compile(getattr(forms["compiled"], part), dynamic=False)
        setattr(forms["compiled"], part, compiled)
    table = rotary_table(LENGTH, options.hidden // NUM_HEADS, 1e4, CPU)
    x_BSD = torch.randn(BATCH, LENGTH, options.hidden)
    grad_BSD = torch.randn_like(x_BSD)
    balance = StepBalance(1, job.moe, 1.0, CPU)
    for index in range(NUM_WARM_UP_ROUNDS + options.rounds):
        for name, layer in forms.items():
            started = time.perf_counter()
            micro_batch = balance.open(BATCH * LENGTH)
            out_BSD = layer(x_BSD.detach().requires_grad_(), *table, 0, micro_batch)
            micro_batch.close()
            out_BSD.backward(grad_BSD)
            milliseconds = (time.perf_counter() - started) * 1e3
            if index >= NUM_WARM_UP_ROUNDS:
                print(
                    json.dumps({"round": index, "form": name, "ms": milliseconds}),
                    flush=True,
                )


def _job(hidden: int) -> job_pb2.EngineJob:
    model = job_pb2.ModelConfig(
        num_layers=1,
        hidden_size=hidden,
        num_heads=NUM_HEADS,
        num_kv_heads=NUM_HEADS // 2,
        head_dim=hidden // NUM_HEADS,
        ffn_hidden_size=2 * hidden,
        rope_theta=1e4,
        rms_norm_epsilon=1e-5,
    )
    moe = job_pb2.MoeConfig(
        num_experts=8, top_k=2, capacity_factor=1.25, gate_normalization=1.0
    )
    moe.aux_loss_form = job_pb2.AUX_LOSS_FORM_SKYWORK
    return job_pb2.EngineJob(model=model, moe=moe)


def _layer(job: job_pb2.EngineJob) -> DecoderLayer:
    layer = DecoderLayer(job, 0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    return layer


if __name__ == "__main__":
    main()
