"""Pairs of token files for tests: written by the real converter, read by a parser that shares no code with it."""

import json
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from spawn import environment

CONVERTER = [sys.executable, "-m", "moestro_engine.data.convert"]


def run_converter(*arguments: object, **options) -> subprocess.CompletedProcess:
    """What ``moestro data prepare`` runs, to its end."""
    command = [*CONVERTER, *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=100, check=False, **options)


def convert(*arguments: object) -> str:
    """A conversion that has to succeed; what it prints."""
    ended = run_converter(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def write_jsonl(path: Path, documents: list[str], field: str = "text") -> Path:
    path.write_text("".join(json.dumps({"id": i, field: text}) + "\n" for i, text in enumerate(documents)))
    return path


@dataclass(frozen=True)
class Parsed:
    """A pair as the format's description has it."""

    dtype_code: int
    sequences: list[list[int]]
    # First sequence of every document, and the number of sequences.
    marks: list[int]


def parse_pair(prefix: Path) -> Parsed:
    """Megatron-Core's layout, field by field."""
    index = prefix.with_name(prefix.name + ".idx").read_bytes()
    assert index[:9] == b"MMIDIDX\x00\x00"
    version, code, num_sequences, num_marks = struct.unpack_from("<QBQQ", index, 9)
    assert version == 1
    position = 34
    lengths = struct.unpack_from(f"<{num_sequences}i", index, position)
    position += 4 * num_sequences
    starts = struct.unpack_from(f"<{num_sequences}q", index, position)
    position += 8 * num_sequences
    marks = struct.unpack_from(f"<{num_marks}q", index, position)
    assert len(index) == position + 8 * num_marks
    binary = prefix.with_name(prefix.name + ".bin").read_bytes()
    letter, size = {1: ("B", 1), 4: ("i", 4), 8: ("H", 2)}[code]
    sequences = [
        list(struct.unpack_from(f"<{length}{letter}", binary, start)) for length, start in zip(lengths, starts, strict=True)
    ]
    assert sum(lengths) * size == len(binary)
    return Parsed(code, sequences, list(marks))


def write_foreign_pair(prefix: Path, sequences: list[list[int]], dtype: str = "<i4", code: int = 4) -> Path:
    """A pair as another program writes it: without metadata, here with one document of all sequences."""
    arrays = [np.array(sequence, dtype=dtype) for sequence in sequences]
    prefix.with_name(prefix.name + ".bin").write_bytes(b"".join(array.tobytes() for array in arrays))
    lengths = [len(sequence) for sequence in sequences]
    starts = [sum(lengths[:i]) * np.dtype(dtype).itemsize for i in range(len(lengths))]
    head = b"MMIDIDX\x00\x00" + struct.pack("<QBQQ", 1, code, len(lengths), 2)
    body = struct.pack(f"<{len(lengths)}i", *lengths) + struct.pack(f"<{len(lengths)}q", *starts)
    prefix.with_name(prefix.name + ".idx").write_bytes(head + body + struct.pack("<2q", 0, len(lengths)))
    return prefix
