"""1F1B over the plan's stages, by torch.distributed.pipelining, with the times of every operation."""

import time

import torch
import torch.nn.functional as F
from torch.distributed.pipelining import PipelineStage, Schedule1F1B

from moestro.v1 import job_pb2, plan_pb2, report_pb2
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.clock import make_clock
from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.mesh import Mesh


class TokenLoss:
    """Cross entropy summed over tokens for the report, over the global batch's tokens for the gradient."""

    def __init__(self, global_tokens: int, device: torch.device) -> None:
        self._global_tokens = global_tokens
        self.sum = torch.zeros((), dtype=torch.float64, device=device)
        self.tokens = 0

    def reset(self) -> None:
        self.sum.zero_()
        self.tokens = 0

    def __call__(self, logits_BSV: torch.Tensor, target_BS: torch.Tensor) -> torch.Tensor:
        total = F.cross_entropy(logits_BSV.flatten(0, 1).float(), target_BS.flatten(), reduction="sum")
        self.sum += total.detach()
        self.tokens += target_BS.numel()
        return total / self._global_tokens


class TimedStage(PipelineStage):
    """A stage that times its forward and backward passes, without what it waits for its neighbours."""

    def __init__(self, model, index, num_stages, device, input_args, output_args, group) -> None:
        super().__init__(model, index, num_stages, device, input_args=input_args, output_args=output_args, group=group)
        self.clock = make_clock(device)
        self.timeline: list[report_pb2.TimelineEvent] | None = None
        self.step_started = 0.0

    def forward_one_chunk(self, fwd_chunk_id, *args, **kwargs):
        return self._timed(super().forward_one_chunk, report_pb2.TimelineEvent.KIND_FORWARD, fwd_chunk_id, *args, **kwargs)

    def backward_one_chunk(self, bwd_chunk_id, *args, **kwargs):
        return self._timed(super().backward_one_chunk, report_pb2.TimelineEvent.KIND_BACKWARD, bwd_chunk_id, *args, **kwargs)

    def _timed(self, operation, kind, chunk, *args, **kwargs):
        started = time.perf_counter()
        self.clock.start()
        result = operation(chunk, *args, **kwargs)
        self.clock.stop()
        if self.timeline is not None:
            start_ms, end_ms = ((t - self.step_started) * 1e3 for t in (started, time.perf_counter()))
            self.timeline.append(report_pb2.TimelineEvent(kind=kind, micro_batch=chunk, start_ms=start_ms, end_ms=end_ms))
        return result


class Pipeline:
    """Runs a batch of this data-parallel rank through all stages; every stage calls the same methods."""

    def __init__(self, model: StageModel, job: job_pb2.EngineJob, plan: plan_pb2.Plan, mesh: Mesh, groups: Groups, device):
        self.model = model
        self.is_last = mesh.pp_rank == mesh.pp - 1
        training = job.training
        self.loss = TokenLoss(training.global_batch_size * training.sequence_length, device)
        shape_bs = (plan.micro_batch_size, training.sequence_length // mesh.tp)
        tokens = torch.zeros(shape_bs, dtype=torch.long, device=device)
        hidden = torch.zeros(*shape_bs, job.model.hidden_size, device=device, requires_grad=True)
        logits = torch.zeros(*shape_bs, job.model.vocab_size, device=device, requires_grad=True)
        # With the shapes given, torch does not have to find them out by sending pickled objects around.
        input_args = (tokens,) if mesh.pp_rank == 0 else (hidden,)
        output_args = (logits,) if self.is_last else (hidden,)
        self.stage = TimedStage(model, mesh.pp_rank, mesh.pp, device, input_args, output_args, groups.pp)
        self._schedule = Schedule1F1B(self.stage, plan.num_micro_batches, loss_fn=self.loss, scale_grads=False)

    def train(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Forward and backward of all micro-batches; gradients are added up, the loss is in ``loss``."""
        self.loss.reset()
        self.model.train()
        self._schedule.step(*self._first(inputs), target=targets if self.is_last else None, return_outputs=False)

    def validate(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, int]:
        """Sum of the cross entropy and number of tokens on this rank: (0, 0) but on the last stage."""
        self.loss.reset()
        self.model.eval()
        self._schedule.eval(*self._first(inputs), target=targets if self.is_last else None)
        return self.loss.sum.item(), self.loss.tokens

    def _first(self, inputs: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (inputs,) if self.stage.is_first else ()
