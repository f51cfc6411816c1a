"""The tokenised files of one source: written once, checked cheaply, never half there."""

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from moestro_engine.data.sources import Source

FORMAT = 1


@dataclass(frozen=True)
class CacheIndex:
    """What the two token files hold, and what they were made from."""

    format: int
    fingerprint: str
    source_hash: str
    train_tokens: int
    validation_tokens: int
    train_files: int
    validation_files: int


def fingerprint(source: Source, validation_fraction: float) -> str:
    """Hash of names, sizes and modification times: changes whenever the text may have, without reading it."""
    digest = hashlib.sha256(f"{FORMAT}\0{source.label}\0{validation_fraction!r}".encode())
    for file in source.files:
        digest.update(f"\0{file.name}\0{file.size}\0{file.mtime_ns}".encode())
    return digest.hexdigest()


def cache_folder(root: Path, source: Source, validation_fraction: float) -> Path:
    key = hashlib.sha256(f"{source.label}\0{validation_fraction!r}".encode()).hexdigest()[:16]
    return root / f"bytes-{key}"


def read_index(folder: Path, expected_fingerprint: str) -> CacheIndex | None:
    """The index if the cache is whole and made from these very files, else None."""
    try:
        index = CacheIndex(**json.loads((folder / "index.json").read_text()))
        sizes = [(folder / name).stat().st_size for name in ("train.bin", "validation.bin")]
    except (OSError, ValueError, TypeError):
        return None
    whole = sizes == [index.train_tokens, index.validation_tokens]
    return index if whole and index.format == FORMAT and index.fingerprint == expected_fingerprint else None


def write_index(folder: Path, index: CacheIndex) -> None:
    with replacing(folder / "index.json") as file:
        file.write(json.dumps(asdict(index), indent=2).encode())


@contextmanager
def replacing(path: Path) -> Iterator:
    """Write a file under another name; it takes its place once it is complete and on disk."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other runs on this machine; the kernel releases it if the process dies."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
