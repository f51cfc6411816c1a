"""One optimizer step of one rank."""

import math
import time
from dataclasses import dataclass

from moestro.v1 import report_pb2
from moestro_engine.errors import AgentGoneError
from moestro_engine.training.boundary import Boundary, exchange
from moestro_engine.training.context import Context
from moestro_engine.training.control import Control
from moestro_engine.training.finite import non_finite_error
from moestro_engine.training.learning_rate import learning_rate
from moestro_engine.training.memory import peak_memory_bytes
from moestro_engine.training.optimizer import set_learning_rate
from moestro_engine.training.report import layer_reports


@dataclass(frozen=True)
class StepResult:
    """The rank's report, and what the world agreed on at the step's end."""

    report: report_pb2.StepReport
    boundary: Boundary


def train_step(context: Context, control: Control, step: int, coefficients: tuple[float, ...]) -> StepResult:
    """Forward and backward of all micro-batches, the exchange with the world, the update.

    EngineError when the loss is not finite, AgentGoneError when any rank's agent has gone; on all ranks.
    """
    started = time.perf_counter()
    training = context.job.training
    _open_step(context, step, coefficients, started)
    context.pipeline.train(*context.batches.train(step))
    context.gradients.reduce()
    control.listen(step, training.steps)
    boundary = exchange(_contribution(context, control, step), context.device)
    if boundary.agents_gone:
        raise control.agent_gone or AgentGoneError("another rank's agent has gone")
    norm = math.sqrt(boundary.squared_gradient_norm)
    if not (math.isfinite(boundary.loss_sum) and math.isfinite(norm)):
        raise non_finite_error(step, context.model, context.stage.first_layer, context.mesh.rank, context.device)
    updating = time.perf_counter()
    rate = learning_rate(step, training)
    set_learning_rate(context.optimizer, rate)
    context.gradients.clip(norm, training.clip_grad_norm)
    context.optimizer.step()
    ended = time.perf_counter()
    return StepResult(
        report_pb2.StepReport(
            step=step,
            num_ranks=1,
            loss_sum=context.pipeline.loss.sum.item(),
            loss_tokens=context.pipeline.loss.tokens,
            gradient_norm=norm,
            learning_rate=rate,
            step_ms=(ended - started) * 1e3,
            layers=layer_reports(context.model.balance, context.stage.first_layer, coefficients),
            stages=[_stage_report(context, started, updating, ended)],
            late_control_values=control.book.num_late,
        ),
        boundary,
    )


def _open_step(context: Context, step: int, coefficients: tuple[float, ...], started: float) -> None:
    stage, balance = context.stage, context.model.balance
    balance.reset()
    mine = coefficients[stage.first_layer : stage.first_layer + stage.num_layers]
    balance.coefficient_L.copy_(balance.coefficient_L.new_tensor(mine))
    context.gradients.zero()
    every = context.job.training.timeline_every_steps
    speaks_for_stage = context.mesh.tp_rank == 0 and context.mesh.dp_rank == 0
    context.pipeline.stage.step_started = started
    context.pipeline.stage.timeline = [] if every > 0 and step % every == 0 and speaks_for_stage else None


def _contribution(context: Context, control: Control, step: int) -> Boundary:
    leads = context.mesh.rank == 0
    return Boundary(
        loss_sum=context.pipeline.loss.sum.item(),
        loss_tokens=context.pipeline.loss.tokens,
        squared_gradient_norm=context.gradients.squared_norm_share().item(),
        agents_gone=control.agent_gone is not None,
        stop=leads and control.stop,
        stop_with_checkpoint=leads and control.stop_with_checkpoint,
        next_coefficients=control.book.values(step + 1) if leads else (0.0,) * context.job.model.num_layers,
    )


def _stage_report(context: Context, started: float, updating: float, ended: float) -> report_pb2.StageReport:
    stage = context.pipeline.stage
    communication_ms = context.communication_clock.read_ms()
    timeline = list(stage.timeline or ())
    if timeline:
        timeline.append(
            report_pb2.TimelineEvent(
                kind=report_pb2.TimelineEvent.KIND_OPTIMIZER,
                start_ms=(updating - started) * 1e3,
                end_ms=(ended - started) * 1e3,
            )
        )
    return report_pb2.StageReport(
        stage=context.mesh.pp_rank,
        num_ranks=1,
        compute_ms=max(0.0, stage.clock.read_ms() - communication_ms),
        communication_ms=communication_ms,
        peak_memory_bytes=peak_memory_bytes(context.device),
        timeline=timeline,
    )
