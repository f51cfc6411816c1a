"""Find or make the token files that a job trains on."""

import errno
from dataclasses import dataclass
from pathlib import Path

from moestro.v1 import job_pb2, report_pb2
from moestro_engine.data.mixture import prepare_mixture
from moestro_engine.data.sources import find_source, source_key
from moestro_engine.data.text import tokenize_text
from moestro_engine.data.token_metadata import BYTES_TOKENIZER
from moestro_engine.data.token_pair import pair_prefix
from moestro_engine.errors import EngineError, UserError


@dataclass(frozen=True)
class PreparedData:
    """Where the tokens lie, as ``read_corpus`` takes it, and what they are."""

    train_path: Path
    validation_path: Path
    # "bytes", or what else made the tokens; None if whoever wrote them did not say.
    tokenizer: str | None
    report: report_pb2.DataPrepared


def prepare_data(job: job_pb2.EngineJob) -> PreparedData:
    """The data of ``job.data``, ready; UserError with one clear line when it will not do, EngineError when
    the disk is full."""
    data = job.data
    try:
        sources = _token_sources(data)
        return _prepare_text(job) if sources is None else _prepare_sources(job, sources)
    except UserError as error:
        raise UserError(f"{source_key(data)}: {error}") from None
    except OSError as error:
        raise _failure(error, data) from error


def _token_sources(data: job_pb2.DataConfig) -> list[tuple[str, float]] | None:
    """Paths and weights of a job that trains on token files or several sources; None for text alone."""
    if data.WhichOneof("source") == "blend":
        return [(source.path, source.weight) for source in data.blend.sources]
    if data.WhichOneof("source") == "text_path" and pair_prefix(Path(data.text_path)) is not None:
        return [(data.text_path, 1.0)]
    return None


def _prepare_text(job: job_pb2.EngineJob) -> PreparedData:
    data = job.data
    source = find_source(data)
    text = tokenize_text(source, Path(data.cache_directory), data.validation_fraction)
    index = text.index
    _check_enough(source.label, index.train_tokens, index.validation_tokens, job.training.sequence_length, "bytes")
    report = report_pb2.DataPrepared(
        train_tokens=index.train_tokens,
        validation_tokens=index.validation_tokens,
        train_files=index.train_files,
        validation_files=index.validation_files,
        source_hash=index.source_hash,
        reused=text.reused,
    )
    return PreparedData(text.train, text.validation, BYTES_TOKENIZER, report)


def _prepare_sources(job: job_pb2.EngineJob, sources: list[tuple[str, float]]) -> PreparedData:
    data = job.data
    mixture = prepare_mixture(sources, data.validation_fraction, job.model.vocab_size, Path(data.cache_directory))
    parts = mixture.ingredients
    for (path, _), part in zip(sources, parts, strict=True):
        _check_enough(path, part.train.num_tokens, part.validation.num_tokens, job.training.sequence_length, "tokens")
    report = report_pb2.DataPrepared(
        train_tokens=sum(part.train.num_tokens for part in parts),
        validation_tokens=sum(part.validation.num_tokens for part in parts),
        train_files=sum(part.num_train_files for part in parts),
        validation_files=sum(part.num_validation_files for part in parts),
        source_hash=mixture.source_hash,
        reused=all(part.reused for part in parts),
    )
    return PreparedData(mixture.train, mixture.validation, mixture.tokenizer, report)


def _check_enough(label: str, train_tokens: int, validation_tokens: int, sequence_length: int, unit: str) -> None:
    for part, tokens in (("training", train_tokens), ("validation", validation_tokens)):
        # A window is a sequence and the token after it.
        if tokens < sequence_length + 1:
            raise UserError(
                f"{label} gives {tokens} {unit} for {part}, fewer than the {sequence_length + 1} that one "
                "sequence needs; give more text, or change training.sequenceLength or data.validationFraction"
            )


def _failure(error: OSError, data: job_pb2.DataConfig) -> EngineError:
    if error.errno == errno.ENOSPC:
        return EngineError(
            f"data: no space left in {data.cache_directory} for the tokenised text; free some or set another cache folder"
        )
    return UserError(
        f"{source_key(data)}: cannot read or write {error.filename}: {error.strerror}; check the path and its permissions"
    )
