"""The .idx file beside a .bin of tokens, as Megatron-Core's IndexedDataset reads and writes it.

Little-endian, nothing between the fields:

    9 bytes   MMIDIDX, two zero bytes
    uint64    version, 1
    uint8     code of the tokens' type, see ``DTYPES``
    uint64    S, sequences in the .bin
    uint64    D, marks of documents: their number and one more
    int32[S]  tokens of each sequence
    int64[S]  byte in the .bin at which each sequence starts
    int64[D]  first sequence of each document, and S at the end

Multimodal data ends with int8[S], which is not read here. moestro writes one sequence a document.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from moestro_engine.errors import UserError

MAGIC = b"MMIDIDX\0\0"
VERSION = 1
HEADER = struct.Struct("<9sQBQQ")
DTYPES = {1: "uint8", 2: "int8", 3: "int16", 4: "int32", 5: "int64", 6: "float64", 7: "float32", 8: "uint16"}
CODES = {name: code for code, name in DTYPES.items()}
# Bytes of one entry: length and start of a sequence, mark of a document, mode of a sequence.
LENGTH_BYTES, START_BYTES, MARK_BYTES, MODE_BYTES = 4, 8, 8, 1


@dataclass(frozen=True)
class TokenIndex:
    """What an index says of its .bin."""

    dtype: np.dtype
    num_sequences: int
    num_documents: int
    num_bytes: int

    @property
    def num_tokens(self) -> int:
        return self.num_bytes // self.dtype.itemsize


def read_index(path: Path) -> TokenIndex:
    """The index in a file, by its header and its last sequence; UserError for a file that is none or is cut off."""
    with path.open("rb") as file:
        head = file.read(HEADER.size)
        if head[: len(MAGIC)] != MAGIC:
            raise UserError(
                f"{path}: is no index of a Megatron .bin: it starts with {head[: len(MAGIC)]!r}, not {MAGIC!r}; "
                "make the pair with moestro data prepare"
            )
        if len(head) < HEADER.size:
            raise UserError(f"{path}: is cut off: {len(head)} bytes, its header alone has {HEADER.size}; copy or make it anew")
        _, version, code, num_sequences, num_marks = HEADER.unpack(head)
        if version != VERSION:
            raise UserError(f"{path}: is an index of version {version}, moestro reads version {VERSION}; make the pair anew")
        dtype = np.dtype(DTYPES[code]) if code in DTYPES else None
        if dtype is None or dtype.kind == "f":
            raise UserError(f"{path}: its tokens have type code {code} ({dtype or 'unknown'}), which holds no token numbers")
        found = file.seek(0, 2)
        expected = HEADER.size + num_sequences * (LENGTH_BYTES + START_BYTES) + num_marks * MARK_BYTES
        if found not in (expected, expected + num_sequences * MODE_BYTES):
            raise UserError(
                f"{path}: has {found} bytes, its header tells of {num_sequences} sequences in {expected} bytes; "
                "copy or make it anew"
            )
        num_bytes = _end_of_last_sequence(file, num_sequences, dtype.itemsize)
    return TokenIndex(dtype, num_sequences, max(0, num_marks - 1), num_bytes)


def _end_of_last_sequence(file: BinaryIO, num_sequences: int, item_bytes: int) -> int:
    """Bytes of the .bin. Sequences lie in it one after the other, so the last one ends it."""
    if num_sequences == 0:
        return 0
    lengths_end = HEADER.size + num_sequences * LENGTH_BYTES
    file.seek(lengths_end - LENGTH_BYTES)
    (length,) = struct.unpack("<i", file.read(LENGTH_BYTES))
    file.seek(lengths_end + (num_sequences - 1) * START_BYTES)
    (start,) = struct.unpack("<q", file.read(START_BYTES))
    return start + length * item_bytes


def write_index(file: BinaryIO, dtype: np.dtype, lengths: Sequence[np.ndarray]) -> None:
    """Write the index of documents with these token counts, given as int32 arrays in order."""
    num_documents = sum(len(part) for part in lengths)
    file.write(HEADER.pack(MAGIC, VERSION, CODES[dtype.name], num_documents, num_documents + 1))
    for part in lengths:
        file.write(part.astype("<i4").tobytes())
    start = 0
    for part in lengths:
        ends = start + np.cumsum(part, dtype=np.int64) * dtype.itemsize
        # Each starts where the one before it ends.
        file.write(np.concatenate(([start], ends))[:-1].astype("<i8").tobytes())
        start += int(part.sum(dtype=np.int64)) * dtype.itemsize
    for first in range(0, num_documents + 1, 1 << 20):
        file.write(np.arange(first, min(first + (1 << 20), num_documents + 1), dtype="<i8").tobytes())
