"""The part of the model that one pipeline stage holds; with one stage, the whole model."""

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from moestro.v1 import job_pb2, plan_pb2
from moestro_engine.model.attention import Attention
from moestro_engine.model.balance import MicroBatchBalance, StepBalance
from moestro_engine.model.moe import MoeLayer
from moestro_engine.model.rotary import rotary_table


class DecoderLayer(nn.Module):
    """x + attention(norm(x)), then x + experts(norm(x))."""

    def __init__(self, model: job_pb2.ModelConfig, moe: job_pb2.MoeConfig) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(model.hidden_size, eps=model.rms_norm_epsilon)
        self.attention = Attention(model)
        self.moe_norm = nn.RMSNorm(model.hidden_size, eps=model.rms_norm_epsilon)
        self.moe = MoeLayer(model, moe)

    def forward(self, x_BSD, cos_SP, sin_SP, index: int, balance: MicroBatchBalance | None) -> torch.Tensor:
        x_BSD = x_BSD + self.attention(self.attention_norm(x_BSD), cos_SP, sin_SP)
        return x_BSD + self.moe(self.moe_norm(x_BSD), index, balance)


class StageModel(nn.Module):
    """Embedding (first stage), decoder layers, norm and head (last stage). Layers keep their global index as name.

    Built on the meta device at full size; ``parallelize`` cuts it down and ``initialize`` fills it.
    """

    def __init__(self, job: job_pb2.EngineJob, stage: plan_pb2.Stage) -> None:
        super().__init__()
        model = job.model
        layers = range(stage.first_layer, stage.first_layer + stage.num_layers)
        self.embedding = nn.Embedding(model.vocab_size, model.hidden_size) if stage.has_embedding else None
        self.layers = nn.ModuleDict({str(layer): DecoderLayer(model, job.moe) for layer in layers})
        self.norm = nn.RMSNorm(model.hidden_size, eps=model.rms_norm_epsilon) if stage.has_head else None
        self.head = nn.Linear(model.hidden_size, model.vocab_size, bias=False) if stage.has_head else None
        if model.tied_embeddings and self.embedding is not None and self.head is not None:
            self.head.weight = self.embedding.weight
        self.recompute = [mode == plan_pb2.RECOMPUTE_FULL for mode in stage.recompute] or [False] * stage.num_layers
        self.balance: StepBalance | None = None
        self._model = model
        self._rotary: tuple[torch.Tensor, torch.Tensor] | None = None

    def prepare(self, sequence_length: int, balance: StepBalance, device: torch.device) -> None:
        """Set what is not a weight: rotary tables and the place where gates report."""
        self._rotary = rotary_table(sequence_length, self._model.head_dim, self._model.rope_theta, device)
        self.balance = balance

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Tokens [B, s] or activations [B, s, D] → activations [B, s, D], or logits [B, s, V] on the last stage."""
        balance = self.balance.open(x.shape[0] * x.shape[1]) if self.training else None
        if self.embedding is not None:
            x = self.embedding(x)
        for index, layer in enumerate(self.layers.values()):
            if self.recompute[index] and self.training:
                x = checkpoint(layer, x, *self._rotary, index, balance, use_reentrant=False, preserve_rng_state=False)
            else:
                x = layer(x, *self._rotary, index, balance)
        if balance is not None:
            balance.close()
        return x if self.head is None else self.head(self.norm(x))
