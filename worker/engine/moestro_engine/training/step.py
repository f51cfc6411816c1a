"""One optimizer step of one rank."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

from moestro.v1 import report_pb2
from moestro_engine.errors import AgentGoneError
from moestro_engine.parallel.clock import Clock
from moestro_engine.parallel.pipeline import Operation
from moestro_engine.training.boundary import Boundary, exchange
from moestro_engine.training.coefficients import ControlValues
from moestro_engine.training.context import Context
from moestro_engine.training.control import Control
from moestro_engine.training.finite import non_finite_error
from moestro_engine.training.learning_rate import learning_rate
from moestro_engine.training.memory import peak_memory_bytes
from moestro_engine.training.report import layer_reports


@dataclass(frozen=True)
class StepResult:
    """The rank's report, and what the world agreed on at the step's end."""

    report: report_pb2.StepReport
    boundary: Boundary


class StepTimes(NamedTuple):
    """Points of the first stage's clock."""

    started: Any
    updating: Any
    ended: Any


def train_step(context: Context, control: Control, step: int, values: ControlValues) -> StepResult:
    """Forward and backward of all micro-batches, the exchange with the world, the update.

    EngineError when the loss is not finite, AgentGoneError when any rank's agent has gone; on all ranks.
    """
    clock = context.pipeline.stages[0].clock
    started = clock.now()
    training = context.job.training
    _open_step(context, step, values)
    context.pipeline.train(*context.batches.train(step))
    context.state.reduce_gradients()
    control.listen(step, training.steps)
    boundary = exchange(_contribution(context, control, step), context.device)
    if boundary.agents_gone:
        raise control.agent_gone or AgentGoneError("another rank's agent has gone")
    norm = math.sqrt(boundary.squared_gradient_norm)
    if not (math.isfinite(boundary.loss_sum) and math.isfinite(norm)):
        raise non_finite_error(step, context.chunks, context.mesh.rank, context.device)
    updating = clock.now()
    rate = learning_rate(step, training)
    context.state.clip(norm, training.clip_grad_norm)
    context.state.update(rate)
    times = StepTimes(started, updating, clock.now())
    return StepResult(
        report_pb2.StepReport(
            step=step,
            num_ranks=1,
            loss_sum=context.pipeline.loss.sum.item(),
            loss_tokens=context.pipeline.loss.tokens,
            gradient_norm=norm,
            learning_rate=rate,
            step_ms=clock.between_ms(times.started, times.ended),
            layers=[
                layer for chunk in context.chunks for layer in layer_reports(chunk.model.balance, chunk.stage.first_layer, values)
            ],
            stages=_stage_reports(context, times),
            late_control_values=control.book.num_late,
        ),
        boundary,
    )


def _open_step(context: Context, step: int, values: ControlValues) -> None:
    for chunk in context.chunks:
        chunk.model.balance.reset()
        values.apply(chunk.model.balance, chunk.stage.first_layer)
    context.state.zero_gradients()
    every = context.job.training.timeline_every_steps
    takes_timeline = every > 0 and step % every == 0 and context.mesh.in_stage == 0
    for stage in context.pipeline.stages:
        stage.timeline = [] if takes_timeline else None


def _contribution(context: Context, control: Control, step: int) -> Boundary:
    leads = context.mesh.rank == 0
    return Boundary(
        loss_sum=context.pipeline.loss.sum.item(),
        loss_tokens=context.pipeline.loss.tokens,
        squared_gradient_norm=context.state.squared_norm_share().item(),
        agents_gone=control.agent_gone is not None,
        stop=leads and control.stop,
        stop_with_checkpoint=leads and control.stop_with_checkpoint,
        save=leads and control.take_save(),
        next_control=control.book.values(step + 1) if leads else control.book.zero,
    )


def _stage_reports(context: Context, times: StepTimes) -> list[report_pb2.StageReport]:
    """One for every stage that lies here; the optimizer's time is told with the first."""
    reports = []
    for chunk, stage in zip(context.chunks, context.pipeline.stages, strict=True):
        operations = list(stage.timeline or ())
        if operations and not reports:
            operations.append(Operation(report_pb2.TimelineEvent.KIND_OPTIMIZER, 0, times.updating, times.ended))
        communication_ms = chunk.links.clock.read_ms()
        compute_ms = max(0.0, stage.clock.read_ms() - communication_ms)
        reports.append(
            report_pb2.StageReport(
                stage=chunk.index,
                num_ranks=1,
                compute_ms=compute_ms,
                slowest_rank=context.mesh.rank,
                least_compute_ms=compute_ms,
                communication_ms=communication_ms,
                peak_memory_bytes=peak_memory_bytes(context.device),
                timeline=[_event(operation, times.started, stage.clock) for operation in operations],
            )
        )
    return reports


def _event(operation: Operation, step_started: Any, clock: Clock) -> report_pb2.TimelineEvent:
    start_ms, end_ms = (clock.between_ms(step_started, point) for point in (operation.start, operation.end))
    return report_pb2.TimelineEvent(kind=operation.kind, micro_batch=operation.micro_batch, start_ms=start_ms, end_ms=end_ms)
