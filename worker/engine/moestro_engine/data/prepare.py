"""Turn the job's text into two files of byte tokens, once."""

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path

from moestro.v1 import job_pb2, report_pb2
from moestro_engine.data import cache
from moestro_engine.data.sources import Source, SourceFile, find_source, is_validation, source_key
from moestro_engine.errors import EngineError, UserError

SEPARATOR = b"\0"


@dataclass(frozen=True)
class PreparedData:
    """Where the tokens lie and what they are. One byte is one token (uint8)."""

    train_path: Path
    validation_path: Path
    report: report_pb2.DataPrepared


def prepare_data(job: job_pb2.EngineJob) -> PreparedData:
    """Find or make the token files of ``job.data``; UserError with one clear line when the data will not do,
    EngineError when the disk is full.

    Files are kept apart by a hash of their name; a single file is cut, its end is for validation.
    Every file is followed by a zero byte.
    """
    data = job.data
    try:
        source = find_source(data)
        folder = cache.cache_folder(Path(data.cache_directory), source, data.validation_fraction)
        mark = cache.fingerprint(source, data.validation_fraction)
        with cache.locked(folder):
            index = cache.read_index(folder, mark)
            reused = index is not None
            if index is None:
                index = _tokenize(source, folder, mark, data.validation_fraction)
    except OSError as error:
        raise _failure(error, data) from error
    _check_enough(index, f"{source_key(data)}: {source.label}", job.training.sequence_length)
    report = report_pb2.DataPrepared(
        train_tokens=index.train_tokens,
        validation_tokens=index.validation_tokens,
        train_files=index.train_files,
        validation_files=index.validation_files,
        source_hash=index.source_hash,
        reused=reused,
    )
    return PreparedData(folder / "train.bin", folder / "validation.bin", report)


def _tokenize(source: Source, folder: Path, mark: str, fraction: float) -> cache.CacheIndex:
    digest = hashlib.sha256()
    tokens, files = {"train": 0, "validation": 0}, {"train": 0, "validation": 0}
    # A stale index must not vouch for new token files if this is interrupted.
    (folder / "index.json").unlink(missing_ok=True)
    with cache.replacing(folder / "train.bin") as train, cache.replacing(folder / "validation.bin") as validation:
        outputs = {"train": train, "validation": validation}
        for file in source.files:
            content = file.path.read_bytes()
            digest.update(f"{file.name}\0{len(content)}\0{hashlib.sha256(content).hexdigest()}\n".encode())
            for part, text in _split(file, content, fraction, source.split_inside):
                if text:
                    outputs[part].write(text + SEPARATOR)
                    tokens[part] += len(text) + 1
                    files[part] += 1
    index = cache.CacheIndex(
        cache.FORMAT, mark, digest.hexdigest(), tokens["train"], tokens["validation"], files["train"], files["validation"]
    )
    cache.write_index(folder, index)
    return index


def _split(file: SourceFile, content: bytes, fraction: float, inside: bool) -> list[tuple[str, bytes]]:
    if not inside:
        return [("validation" if is_validation(file.name, fraction) else "train", content)]
    cut = round(len(content) * (1 - fraction))
    return [("train", content[:cut]), ("validation", content[cut:])]


def _check_enough(index: cache.CacheIndex, label: str, sequence_length: int) -> None:
    for part, tokens in (("training", index.train_tokens), ("validation", index.validation_tokens)):
        # A window is a sequence and the token after it.
        if tokens < sequence_length + 1:
            raise UserError(
                f"{label} gives {tokens} bytes for {part}, fewer than the {sequence_length + 1} that one "
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
