"""The part of the model that one pipeline stage holds; with one stage, the whole model."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.model.attention import Attention
from moestro_engine.model.balance import MicroBatchBalance, StepBalance
from moestro_engine.model.feed_forward import FeedForward
from moestro_engine.model.moe import MoeLayer
from moestro_engine.model.rms_norm import RmsNorm
from moestro_engine.model.rotary import rotary_table
from moestro_engine.recompute import cheap, dropping_cheap_outputs


class DecoderLayer(nn.Module):
    """x + attention(norm(x)), then x + experts(norm(x)), or a dense FFN in the experts' place."""

    def __init__(self, job: job_pb2.EngineJob, number: int) -> None:
        super().__init__()
        model = job.model
        dense = number in model.dense_layers
        self.attention_norm = RmsNorm(model.hidden_size, eps=model.rms_norm_epsilon)
        self.attention = Attention(model)
        self.moe_norm = RmsNorm(model.hidden_size, eps=model.rms_norm_epsilon)
        self.moe = None if dense else MoeLayer(model, job.moe)
        self.ffn = FeedForward(model.hidden_size, model.dense_ffn_hidden_size) if dense else None

    def forward(
        self, x_BSD, cos_SP, sin_SP, index: int, balance: MicroBatchBalance | None, recompute_core: bool = False
    ) -> torch.Tensor:
        x_BSD = x_BSD + self.attention(cheap(self.attention_norm, x_BSD), cos_SP, sin_SP, recompute_core)
        normed_BSD = cheap(self.moe_norm, x_BSD)
        return x_BSD + (self.ffn(normed_BSD) if self.moe is None else self.moe(normed_BSD, index, balance))


class StageModel(nn.Module):
    """Embedding (first stage), decoder layers, norm and head (last stage). Layers keep their global index as name.

    Built on the meta device at full size; ``parallelize`` cuts it down and ``initialize`` fills it.
    """

    def __init__(self, job: job_pb2.EngineJob, stage: plan_pb2.Stage) -> None:
        super().__init__()
        model = job.model
        layers = range(stage.first_layer, stage.first_layer + stage.num_layers)
        self.embedding = nn.Embedding(model.vocab_size, model.hidden_size) if stage.has_embedding else None
        self.layers = nn.ModuleDict({str(layer): DecoderLayer(job, layer) for layer in layers})
        self.norm = RmsNorm(model.hidden_size, eps=model.rms_norm_epsilon) if stage.has_head else None
        self.head = nn.Linear(model.hidden_size, model.vocab_size, bias=False) if stage.has_head else None
        if model.tied_embeddings and self.embedding is not None and self.head is not None:
            self.head.weight = self.embedding.weight
        self.recompute = list(stage.recompute) or [plan_pb2.RECOMPUTE_NONE] * stage.num_layers
        self.balance: StepBalance | None = None
        self._model = model
        self._rotary: tuple[torch.Tensor, torch.Tensor] | None = None

    def prepare(self, sequence_length: int, balance: StepBalance, device: torch.device) -> None:
        """Set what is not a weight: rotary tables, the place where gates report, and the biases of their choice."""
        self._rotary = rotary_table(sequence_length, self._model.head_dim, self._model.rope_theta, device)
        self.balance = balance
        for index, layer in enumerate(self.layers.values()):
            if layer.moe is not None:
                layer.moe.gate.bias_E = balance.bias_of(index)

    def add_up_gradients_in_place(self, allowed: bool) -> None:
        """Let experts add to their weights' standing gradients. Not for schedules that ask autograd for weight gradients."""
        for layer in self.layers.values():
            if layer.moe is not None:
                layer.moe.experts.adds_up_gradients = allowed

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tokens [B, s] or activations [B, s, D] → activations [B, s, D], or logits [B, s, V] on the last stage."""
        balance = self.balance.open(x.shape[0] * x.shape[1]) if self.training else None
        if self.embedding is not None:
            x = self.embedding(x)
        for index, layer in enumerate(self.layers.values()):
            x = self._run(layer, x, index, balance)
        if balance is not None:
            balance.close()
        return x if self.head is None else self.head(self.norm(x))

    def _run(self, layer: DecoderLayer, x_BSD: torch.Tensor, index: int, balance: MicroBatchBalance | None) -> torch.Tensor:
        mode = self.recompute[index] if self.training else plan_pb2.RECOMPUTE_NONE
        if mode == plan_pb2.RECOMPUTE_FULL:
            return checkpoint(layer, x_BSD, *self._rotary, index, balance, use_reentrant=False, preserve_rng_state=False)
        if mode == plan_pb2.RECOMPUTE_SELECTIVE:
            with dropping_cheap_outputs():
                return layer(x_BSD, *self._rotary, index, balance, recompute_core=True)
        return layer(x_BSD, *self._rotary, index, balance)
