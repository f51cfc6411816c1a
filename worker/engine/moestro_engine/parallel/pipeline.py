"""The plan's schedule over its stages, by torch.distributed.pipelining, with the times of every operation."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from torch.distributed.pipelining import (
    PipelineStage,
    Schedule1F1B,
    ScheduleDualPipeV,
    ScheduleGPipe,
    ScheduleInterleaved1F1B,
    ScheduleInterleavedZeroBubble,
)

from moestro.v1 import job_pb2, plan_pb2, report_pb2
from moestro_engine.kernels.cross_entropy import summed_cross_entropy
from moestro_engine.parallel.check_plan import stage_ranks
from moestro_engine.parallel.clock import make_clock
from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.mesh import Mesh
from moestro_engine.parallel.parallelize import Chunk

# Of one stage a rank, and of several.
SINGLE = {plan_pb2.SCHEDULE_1F1B: Schedule1F1B, plan_pb2.SCHEDULE_GPIPE: ScheduleGPipe}
MULTIPLE = {
    plan_pb2.SCHEDULE_INTERLEAVED: ScheduleInterleaved1F1B,
    plan_pb2.SCHEDULE_ZERO_BUBBLE: ScheduleInterleavedZeroBubble,
    plan_pb2.SCHEDULE_DUALPIPEV: ScheduleDualPipeV,
}

Kind = report_pb2.TimelineEvent


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
        total = summed_cross_entropy(logits_BSV.flatten(0, 1), target_BS.flatten())
        self.sum += total.detach()
        self.tokens += target_BS.numel()
        return total / self._global_tokens


class Operation(NamedTuple):
    """A pass of one micro-batch, between two points of the stage's clock."""

    kind: int
    micro_batch: int
    start: Any
    end: Any


class TimedStage(PipelineStage):
    """A stage that times its forward and backward passes, without what it waits for its neighbours.

    After each backward pass it hands over the gradients.
    """

    def __init__(self, model, index, num_stages, device, input_args, output_args, group, collect: Callable[[], None]) -> None:
        super().__init__(model, index, num_stages, device, input_args=input_args, output_args=output_args, group=group)
        self.clock = make_clock(device)
        # What ran in this step, in order, where the report wants it.
        self.timeline: list[Operation] | None = None
        self._collect = collect

    def forward_one_chunk(self, fwd_chunk_id, *args, **kwargs):
        return self._timed(super().forward_one_chunk, Kind.KIND_FORWARD, fwd_chunk_id, *args, **kwargs)

    def backward_one_chunk(self, bwd_chunk_id, loss=None, full_backward=True, **kwargs):
        result = self._timed(
            super().backward_one_chunk, Kind.KIND_BACKWARD, bwd_chunk_id, loss=loss, full_backward=full_backward, **kwargs
        )
        if loss is not None and full_backward:
            # The schedule holds it until the step's end, and the nodes of its graph would scatter the heap.
            loss.detach_()
        self._collect()
        return result

    def backward_weight_one_chunk(self, bwd_chunk_id, *args, **kwargs):
        result = self._timed(super().backward_weight_one_chunk, Kind.KIND_BACKWARD, bwd_chunk_id, *args, **kwargs)
        self._collect()
        return result

    def _timed(self, operation, kind, chunk, *args, **kwargs):
        self.clock.start()
        result = operation(chunk, *args, **kwargs)
        start, end = self.clock.stop()
        if self.timeline is not None:
            self.timeline.append(Operation(kind, chunk, start, end))
        return result


class Pipeline:
    """Runs a batch of this data-parallel rank through all stages; every rank calls the same methods."""

    def __init__(
        self,
        chunks: Sequence[Chunk],
        job: job_pb2.EngineJob,
        plan: plan_pb2.Plan,
        mesh: Mesh,
        groups: Groups,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
        collect: Callable[[], None] = lambda: None,
    ) -> None:
        self._mesh, self._group, self._dtype = mesh, groups.pp, dtype
        self._micro_batch, self._hidden_size = plan.micro_batch_size, job.model.hidden_size
        training = job.training
        self.loss = TokenLoss(training.global_batch_size * training.sequence_length, device)
        shape_bs = (plan.micro_batch_size, training.sequence_length // mesh.sequence_parts)
        tokens = torch.zeros(shape_bs, dtype=torch.long, device=device)
        hidden = torch.zeros(*shape_bs, job.model.hidden_size, dtype=dtype, device=device, requires_grad=True)
        logits = torch.zeros(*shape_bs, job.model.vocab_size, dtype=dtype, device=device, requires_grad=True)
        last = len(plan.stages) - 1
        # With the shapes given, torch does not have to find them out by sending pickled objects around.
        self.stages = [
            TimedStage(
                chunk.model,
                chunk.index,
                len(plan.stages),
                device,
                (tokens,) if chunk.index == 0 else (hidden,),
                (logits,) if chunk.index == last else (hidden,),
                groups.pp,
                collect,
            )
            for chunk in chunks
        ]
        self._ranks = stage_ranks(plan)
        self._is_first = self._ranks[0] == mesh.pp_rank
        self._is_last = self._ranks[-1] == mesh.pp_rank
        settings = {"loss_fn": self.loss, "scale_grads": False}
        if plan.schedule in MULTIPLE:
            self._schedule = MULTIPLE[plan.schedule](self.stages, plan.num_micro_batches, **settings)
        else:
            self._schedule = SINGLE[plan.schedule](self.stages[0], plan.num_micro_batches, **settings)

    def train(self, inputs: torch.Tensor, targets: torch.Tensor) -> None:
        """Forward and backward of all micro-batches; gradients are added up, the loss is in ``loss``."""
        self.loss.reset()
        for stage in self.stages:
            stage.submod.train()
        self._schedule.step(
            *((inputs,) if self._is_first else ()), target=targets if self._is_last else None, return_outputs=False
        )

    def validate(self, inputs: torch.Tensor, targets: torch.Tensor) -> tuple[float, int]:
        """Sum of the cross entropy and number of tokens on this rank: (0, 0) but on the last stage."""
        self.loss.reset()
        for tokens_bs, target_bs in zip(inputs.split(self._micro_batch), targets.split(self._micro_batch), strict=True):
            logits_bsV = self.infer(tokens_bs)
            if self._is_last:
                self.loss(logits_bsV, target_bs)
        return self.loss.sum.item(), self.loss.tokens

    @torch.no_grad()
    def infer(self, tokens_bs: torch.Tensor) -> torch.Tensor:
        """The logits on ranks that hold the last stage, something else on the others.

        Stage by stage whatever the schedule is for: those that cut backward passes in two cannot go forward alone.
        """
        x = tokens_bs
        for stage in self.stages:
            stage.submod.eval()
            index, mine = stage.stage_index, self._mesh.pp_rank
            if index > 0 and self._ranks[index - 1] != mine:
                x = torch.empty(*tokens_bs.shape, self._hidden_size, dtype=self._dtype, device=tokens_bs.device)
                dist.recv(x, self._mesh.on_stage(self._ranks[index - 1]), group=self._group)
            x = stage.submod(x)
            if index + 1 < len(self._ranks) and self._ranks[index + 1] != mine:
                dist.send(x, self._mesh.on_stage(self._ranks[index + 1]), group=self._group)
        return x
