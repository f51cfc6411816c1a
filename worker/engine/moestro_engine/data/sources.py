"""Which files a run trains on, and which of them are kept for validation."""

import hashlib
import os
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from moestro.v1 import job_pb2
from moestro_engine.errors import UserError

# Folders of the standard library that hold tests, third-party code or generated tables.
SKIPPED_FOLDERS = frozenset(
    {"site-packages", "dist-packages", "test", "tests", "idle_test", "__pycache__", "_bundled", "encodings", "pydoc_data"}
)


@dataclass(frozen=True)
class SourceFile:
    """One text file; ``name`` is its path below the source, with forward slashes."""

    name: str
    path: Path
    size: int
    mtime_ns: int


@dataclass(frozen=True)
class Source:
    """The files of a data set in a fixed order. ``split_inside`` marks a single file, split by position."""

    label: str
    files: tuple[SourceFile, ...]
    split_inside: bool


def source_key(data: job_pb2.DataConfig) -> str:
    """The job's key that says where the text is, for messages."""
    keys = {"text_path": "data.path", "blend": "data.sources"}
    return keys.get(data.WhichOneof("source"), "data.source")


def find_source(data: job_pb2.DataConfig) -> Source:
    """List the files of the text the job names; UserError if there are none or they cannot be read."""
    if data.WhichOneof("source") == "text_path":
        return find_text(Path(data.text_path))
    root = Path(sysconfig.get_path("stdlib"))
    files = _walk(root, lambda name: name.endswith(".py"), SKIPPED_FOLDERS)
    if not files:
        raise UserError(
            f"{root} holds no .py files; training on the Python standard library needs its source: "
            "install it (Debian: libpython3-stdlib) or name a text file as data.path"
        )
    return Source(f"python-standard-library:{root}", files, split_inside=False)


def find_text(path: Path) -> Source:
    """A text file, or all files of a folder that are not hidden; UserError if there are none."""
    if path.is_file():
        return Source(f"file:{path}", (_describe(path.name, path),), split_inside=True)
    if not path.is_dir():
        raise UserError(f"{path} does not exist; name a text file or a folder of text files")
    files = _walk(path, lambda name: not name.startswith("."))
    if not files:
        raise UserError(f"the folder {path} holds no files; put text files into it or name another folder")
    return Source(f"folder:{path}", files, split_inside=False)


def is_validation(name: str, fraction: float) -> bool:
    """Whether a file belongs to the validation set: decided by a hash of its name alone."""
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") < fraction * 2**64


def _walk(root: Path, wanted, skipped_folders: frozenset[str] = frozenset()) -> tuple[SourceFile, ...]:
    found = []
    for folder, subfolders, names in os.walk(root):
        subfolders[:] = sorted(s for s in subfolders if s not in skipped_folders and not s.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if wanted(name) and path.is_file():
                found.append(_describe(path.relative_to(root).as_posix(), path))
    return tuple(sorted(found, key=lambda file: file.name))


def _describe(name: str, path: Path) -> SourceFile:
    status = path.stat()
    return SourceFile(name, path, status.st_size, status.st_mtime_ns)
