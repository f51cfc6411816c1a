"""One MoE layer against a dense SwiGLU layer with the same active FLOPs, forward and backward, in turn.

``python layer.py --tokens T --hidden D --ffn F --experts E --top-k K``: one JSON line a round and form,
milliseconds. The dense layer's hidden width is F * K; the router comes on top.
"""

import argparse
import json
import time
from collections.abc import Callable

import torch
from moestro.v1 import job_pb2
from moestro_engine.model.balance import StepBalance
from moestro_engine.model.feed_forward import FeedForward
from moestro_engine.model.moe import MoeLayer

NUM_WARM_UP_ROUNDS = 3


def main() -> None:
    parser = argparse.ArgumentParser()
    for name, default in (
        ("tokens", 2048),
        ("hidden", 512),
        ("ffn", 1024),
        ("experts", 8),
        ("top-k", 2),
        ("rounds", 15),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    sizes = parser.parse_args()
    torch.manual_seed(1)
    forms = {
        "dense": _dense(sizes),
        "moe, dropless": _moe(sizes, 0.0),
        "moe, capacity 1.0": _moe(sizes, 1.0),
    }
    x_1TD = torch.randn(1, sizes.tokens, sizes.hidden)
    grad_1TD = torch.randn_like(x_1TD)
    for index in range(NUM_WARM_UP_ROUNDS + sizes.rounds):
        for name, layer in forms.items():
            started = time.perf_counter()
            layer(x_1TD.detach().requires_grad_()).backward(grad_1TD)
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


def _dense(sizes: argparse.Namespace) -> Callable[[torch.Tensor], torch.Tensor]:
    return FeedForward(sizes.hidden, sizes.ffn * sizes.top_k)


def _moe(
    sizes: argparse.Namespace, capacity_factor: float
) -> Callable[[torch.Tensor], torch.Tensor]:
    model = job_pb2.ModelConfig(hidden_size=sizes.hidden, ffn_hidden_size=sizes.ffn)
    moe = job_pb2.MoeConfig(
        num_experts=sizes.experts,
        top_k=sizes.top_k,
        capacity_factor=capacity_factor,
        gate_normalization=1.0,
        aux_loss_form=job_pb2.AUX_LOSS_FORM_SKYWORK,
    )
    layer = MoeLayer(model, moe)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    balance = StepBalance(1, moe, 1.0, torch.device("cpu"))

    def forward(x_1TD: torch.Tensor) -> torch.Tensor:
        micro_batch = balance.open(sizes.tokens)
        out_1TD = layer(x_1TD, 0, micro_batch)
        micro_batch.close()
        return out_1TD

    return forward


if __name__ == "__main__":
    main()
