"""A .bin of tokens and its .idx, opened and checked before anything is trained on them."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from moestro_engine.data.token_index import TokenIndex, read_index
from moestro_engine.data.token_metadata import TokenMetadata, read_metadata
from moestro_engine.errors import UserError

# What the fingerprint reads of a file: so many slices of so many bytes, evenly from first to last.
NUM_SLICES, SLICE_BYTES = 64, 4096


@dataclass(frozen=True)
class TokenPair:
    """A pair whose sizes fit each other."""

    prefix: Path
    index: TokenIndex
    metadata: TokenMetadata | None

    @property
    def binary(self) -> Path:
        return binary_path(self.prefix)


def binary_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.bin")


def index_path(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.idx")


def pair_prefix(path: Path) -> Path | None:
    """The pair that a path means: one of its files, or their common prefix. None if it means text."""
    if path.suffix in (".bin", ".idx"):
        return path.with_suffix("")
    return path if index_path(path).exists() and not path.exists() else None


def open_pair(prefix: Path) -> TokenPair:
    """UserError if a file of the pair is missing, is none, or is shorter or longer than the other one says."""
    for path, other in ((binary_path(prefix), "index"), (index_path(prefix), "data")):
        if not path.is_file():
            raise UserError(f"{path} does not exist; tokens are a pair of a .bin and an .idx, and its {other} needs it")
    index = read_index(index_path(prefix))
    found = binary_path(prefix).stat().st_size
    if found != index.num_bytes:
        what = "is truncated" if found < index.num_bytes else "is longer than its index"
        raise UserError(
            f"{binary_path(prefix)}: {what}: expected {index.num_bytes} bytes by {index_path(prefix).name}, found {found}; "
            "copy or make the pair anew"
        )
    return TokenPair(prefix, index, read_metadata(prefix, index.num_tokens))


def open_tokens(path: Path, dtype: np.dtype) -> np.ndarray:
    """The tokens of a .bin, mapped and not read."""
    return np.memmap(path, dtype=dtype, mode="r")


def fingerprint(pair: TokenPair) -> str:
    """Hash of the pair's sizes and of slices of both files: the same wherever the pair is copied to."""
    index = pair.index
    digest = hashlib.sha256(f"{index.dtype.name}\0{index.num_bytes}\0{index.num_documents}".encode())
    if pair.metadata is not None:
        digest.update(pair.metadata.sha256.encode())
    for path in (index_path(pair.prefix), pair.binary):
        size = path.stat().st_size
        with path.open("rb") as file:
            for part in range(NUM_SLICES):
                file.seek(max(0, size - SLICE_BYTES) * part // (NUM_SLICES - 1))
                digest.update(file.read(SLICE_BYTES))
    return digest.hexdigest()
