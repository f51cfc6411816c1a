"""The inputs, cut into pieces of work: the same pieces in the same order whatever the number of workers."""

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from moestro_engine.data.convert.optional import load_optional
from moestro_engine.data.sources import find_text
from moestro_engine.errors import UserError

PIECE_BYTES = 4 << 20
JSONL = (".jsonl", ".ndjson")
PARQUET = (".parquet",)
COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".zip", ".lz4")


@dataclass(frozen=True)
class Task:
    """A piece of work: whole text files, a range of bytes of a JSONL file, or a row group of a Parquet file."""

    kind: str
    files: tuple[str, ...]
    # For progress: how much of the input this is.
    num_bytes: int
    # JSONL: lines that start in [first, last). Parquet: row group ``first``.
    first: int = 0
    last: int = 0

    def to_json(self) -> dict:
        return asdict(self)

    @staticmethod
    def from_json(values: dict) -> "Task":
        return Task(**{**values, "files": tuple(values["files"])})


def list_inputs(paths: list[Path], outputs: set[Path]) -> list[Path]:
    """The files of all inputs in order, folders walked by name; UserError if there are none or one cannot be read."""
    files = []
    for path in paths:
        if path.is_dir():
            found = [file.path for file in find_text(path).files]
            # What an earlier conversion left in the folder is no text.
            files += [file for file in found if file.resolve() not in outputs]
        elif path.exists():
            files.append(path)
        else:
            raise UserError(f"{path} does not exist; name files or folders of text, .jsonl or .parquet")
    for file in files:
        if file.suffix.lower() in COMPRESSED:
            raise UserError(f"{file} is compressed; decompress it first: inputs are text, .jsonl and .parquet")
        if not os.access(file, os.R_OK):
            raise UserError(f"{file} cannot be read; change its permissions")
    if not files:
        raise UserError(f"{', '.join(map(str, paths))}: there is no file to read; name files or folders that hold some")
    return files


def make_tasks(files: list[Path], column: str) -> list[Task]:
    """All pieces of work of the files, in order."""
    tasks: list[Task] = []
    texts: list[Path] = []
    for file in files:
        suffix = file.suffix.lower()
        if suffix not in JSONL + PARQUET:
            texts.append(file)
            continue
        tasks += _text_tasks(texts)
        texts = []
        tasks += _jsonl_tasks(file) if suffix in JSONL else _parquet_tasks(file, column)
    return tasks + list(_text_tasks(texts))


def _text_tasks(files: list[Path]) -> Iterator[Task]:
    group: list[str] = []
    num_bytes = 0
    for file in files:
        group.append(str(file))
        num_bytes += file.stat().st_size
        if num_bytes >= PIECE_BYTES:
            yield Task("text", tuple(group), num_bytes)
            group, num_bytes = [], 0
    if group:
        yield Task("text", tuple(group), num_bytes)


def _jsonl_tasks(file: Path) -> Iterator[Task]:
    size = file.stat().st_size
    for first in range(0, size, PIECE_BYTES):
        last = min(first + PIECE_BYTES, size)
        yield Task("jsonl", (str(file),), last - first, first, last)


def _parquet_tasks(file: Path, column: str) -> list[Task]:
    parquet = open_parquet(file)
    names = parquet.schema_arrow.names
    if column not in names:
        raise UserError(f"{file}: there is no column {column}; it has {', '.join(names)}; name one as --field")
    kind = str(parquet.schema_arrow.field(column).type)
    if kind not in ("string", "large_string", "string_view"):
        raise UserError(f"{file}: column {column} holds {kind}, not text; name another as --field")
    groups = range(parquet.metadata.num_row_groups)
    return [Task("parquet", (str(file),), parquet.metadata.row_group(i).total_byte_size, i, i + 1) for i in groups]


def open_parquet(file: Path):
    """A ``pyarrow.parquet.ParquetFile``; UserError if the file is none."""
    pyarrow = load_optional("pyarrow", str(file))
    parquet = load_optional("pyarrow.parquet", str(file))
    try:
        return parquet.ParquetFile(file)
    except (pyarrow.ArrowException, OSError) as error:
        raise unreadable_parquet(file, error) from None


def unreadable_parquet(file: Path | str, error: Exception) -> UserError:
    why = str(error).splitlines()[0] if str(error) else type(error).__name__
    return UserError(f"{file}: cannot be read as Parquet: {why.rstrip('.')}; copy or make it anew")
