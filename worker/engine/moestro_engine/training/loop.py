"""Steps, validations, checkpoints and the end, in order."""

import contextlib
import statistics
import time
from dataclasses import dataclass, field

from moestro.v1 import rank_pb2, report_pb2
from moestro_engine.checkpoint.store import CheckpointWriter
from moestro_engine.errors import EngineError
from moestro_engine.training.coefficients import CoefficientBook, ControlValues
from moestro_engine.training.context import Context
from moestro_engine.training.control import Control
from moestro_engine.training.sample import sample_text, why_not_sampled
from moestro_engine.training.similarity import report_similarity
from moestro_engine.training.step import train_step

NUM_WARM_UP_STEPS = 5


@dataclass
class Outcome:
    """How the loop ended."""

    last_step: int
    stopped_early: bool = False
    # From one step's start to the next one's, reporting included; steps with a validation or a
    # checkpoint are left out.
    step_times_ms: list[float] = field(default_factory=list)

    def describe_step_times(self) -> str:
        """The median, without the first steps, in which memory is still being taken."""
        times = self.step_times_ms[NUM_WARM_UP_STEPS:] or self.step_times_ms
        if not times:
            return "no step without validation or checkpoint"
        return f"median step {statistics.median(times):.3f} ms over {len(times)} steps"


def train(context: Context, next_step: int) -> Outcome:
    """Train from ``next_step`` to the last step, or to the end of the step in which a stop was asked for.

    Checkpoints are written meanwhile; on return the last one is on disk and reported.
    """
    writer = CheckpointWriter()
    try:
        outcome = _train(context, next_step, writer)
    except EngineError:
        # What is still being written is of an earlier step, before whatever went wrong.
        with contextlib.suppress(EngineError):
            _report(context, writer.wait())
        raise
    _report(context, writer.wait())
    if not outcome.stopped_early:
        _sample(context)
    return outcome


def _train(context: Context, next_step: int, writer: CheckpointWriter) -> Outcome:
    job, mesh = context.job, context.mesh
    book = CoefficientBook(ControlValues.zero(job), context.assignment.coefficients)
    control = Control(context.link, book, strict=job.strict_control and mesh.rank == 0)
    values = book.values(next_step)
    outcome = Outcome(last_step=next_step - 1)
    for step in range(next_step, job.training.steps + 1):
        started = time.perf_counter()
        result = train_step(context, control, step, values)
        outcome.last_step = step
        validates = _is_due(step, job.training.validation_every_steps, job.training.steps)
        if validates:
            _validate(context, result.report)
            report_similarity(context, result.report)
        context.link.send(step=result.report)
        boundary = result.boundary
        asked = boundary.stop_with_checkpoint or boundary.save
        due = asked or _is_due(step, job.checkpoint.every_steps, job.training.steps)
        saves = job.checkpoint.directory and due
        if saves:
            writer.start(context, step)
        _report(context, writer.finished())
        if not (validates or saves):
            outcome.step_times_ms.append((time.perf_counter() - started) * 1e3)
        if boundary.stop:
            outcome.stopped_early = step < job.training.steps
            return outcome
        values = boundary.next_control
    return outcome


def finished(outcome: Outcome) -> rank_pb2.RankFinished:
    return rank_pb2.RankFinished(last_step=outcome.last_step, stopped_early=outcome.stopped_early)


def _report(context: Context, checkpoints: list[report_pb2.CheckpointShards]) -> None:
    for shards in checkpoints:
        context.link.send(checkpoint=shards)


def _is_due(step: int, every: int, last: int) -> bool:
    return step == last or (every > 0 and step % every == 0)


def _validate(context: Context, report: report_pb2.StepReport) -> None:
    """Measure the loss on the validation file, dropless, and add it to the step's report."""
    for batch in range(context.job.training.validation_batches):
        loss_sum, tokens = context.pipeline.validate(*context.batches.validation(batch))
        report.validation_loss_sum += loss_sum
        report.validation_tokens += tokens
    # What the collectives of a validation took is no part of the next step.
    for chunk, stage in zip(context.chunks, context.pipeline.stages, strict=True):
        chunk.links.clock.read_ms()
        stage.clock.read_ms()


def _sample(context: Context) -> None:
    training = context.job.training
    if training.sample_bytes == 0:
        return
    skipped = why_not_sampled(context.tokenizer)
    text = b"" if skipped else sample_text(context)
    if context.mesh.rank == 0:
        context.link.send(sample=report_pb2.Sample(prompt=training.sample_prompt.encode(), text=text, skipped=skipped))
