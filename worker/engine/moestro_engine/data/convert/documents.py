"""The documents of a piece of work, as UTF-8."""

import json
from collections.abc import Iterator
from pathlib import Path

from moestro_engine.data.convert.optional import load_optional
from moestro_engine.data.convert.tasks import Task, open_parquet, unreadable_parquet
from moestro_engine.errors import UserError

# Rows of Parquet that are decoded at once.
BATCH_ROWS = 1024


def read_documents(task: Task, field: str, must_be_utf8: bool) -> Iterator[bytes]:
    """Every document in order, empty ones too; UserError with file and line for one that will not do."""
    if task.kind == "text":
        return _text_documents(task.files, must_be_utf8)
    if task.kind == "jsonl":
        return _jsonl_documents(Path(task.files[0]), task.first, task.last, field)
    return _parquet_documents(Path(task.files[0]), task.first, field)


def _text_documents(files: tuple[str, ...], must_be_utf8: bool) -> Iterator[bytes]:
    for file in files:
        content = Path(file).read_bytes()
        if must_be_utf8:
            try:
                content.decode()
            except UnicodeDecodeError as error:
                raise UserError(
                    f"{file}: byte {error.start} is not UTF-8, which this tokenizer needs; convert the file, leave it out, "
                    "or use --tokenizer bytes"
                ) from None
        yield content


def _jsonl_documents(file: Path, first: int, last: int, field: str) -> Iterator[bytes]:
    with file.open("rb") as lines:
        position = first
        if first > 0:
            # A line that began before belongs to the piece before this one.
            lines.seek(first - 1)
            position += len(lines.readline()) - 1
        while position < last:
            line = lines.readline()
            if line.strip():
                try:
                    yield _text_of(line, field)
                except ValueError as error:
                    raise UserError(f"{file}:{_line_number(file, position)}: {error}") from None
            position += len(line)


def _text_of(line: bytes, field: str) -> bytes:
    """The field of a JSON object as UTF-8, empty for null; ValueError that says what is wrong."""
    try:
        value = json.loads(line)
    except RecursionError:
        raise ValueError("is nested too deeply; leave it out") from None
    except ValueError as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else "it is not UTF-8"
        raise ValueError(f"is no JSON: {why}; every line has to be one JSON object") from None
    if not isinstance(value, dict):
        raise ValueError(f"is {_kind(value)}, not a JSON object with a field {field}")
    if field not in value:
        has = ", ".join(value) or "none"
        raise ValueError(f"there is no field {field}; its fields: {has}; name one as --field")
    text = value[field]
    if text is None:
        return b""
    if not isinstance(text, str):
        raise ValueError(f"field {field} is {_kind(text)}, not text")
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"field {field} holds half of a surrogate pair at character {error.start}; correct it") from None


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "a JSON object"
    kinds = {list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number"}
    return kinds.get(type(value), "null")


def _line_number(file: Path, position: int) -> int:
    """The one-based number of the line that starts at a byte. Counted only once something is wrong."""
    number = 1
    with file.open("rb") as lines:
        while position > 0:
            chunk = lines.read(min(position, 1 << 20))
            number += chunk.count(b"\n")
            position -= len(chunk)
    return number


def _parquet_documents(file: Path, row_group: int, field: str) -> Iterator[bytes]:
    pyarrow = load_optional("pyarrow", str(file))
    try:
        for batch in open_parquet(file).iter_batches(BATCH_ROWS, row_groups=[row_group], columns=[field]):
            for text in batch.column(0).to_pylist():
                yield (text or "").encode()
    # Text that is not UTF-8 is a ValueError.
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise unreadable_parquet(file, error) from None
