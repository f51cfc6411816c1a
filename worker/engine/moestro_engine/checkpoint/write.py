"""Write one rank's shard of a checkpoint: complete and on disk, or not there under its name."""

import errno
import hashlib
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from moestro.v1 import report_pb2
from moestro_engine.checkpoint.state import Slice
from moestro_engine.errors import EngineError, UserError

FORMAT = "moestro-1"
METADATA_KEY = "moestro"


def shard_name(generation: int, rank: int, world: int) -> str:
    """Generations write beside each other, so a committed shard is never overwritten by a later attempt."""
    return f"g{generation:06d}-rank-{rank:05d}-of-{world:05d}.safetensors"


def step_folder(directory: str, step: int) -> Path:
    return Path(directory) / f"step-{step:08d}"


def write_shard(
    folder: Path, name: str, step: int, slices: list[Slice], local: dict[str, torch.Tensor]
) -> report_pb2.CheckpointFile:
    """Write the slices this rank is to write and tensors of its own.

    EngineError if the disk is full, UserError if it will not take them for another reason.

    The header holds, next to what safetensors needs, the global shape and the offsets of every slice.
    """
    mine = [part for part in slices if part.writes]
    tensors = {part.name: part.tensor.cpu().contiguous() for part in mine} | local
    layout = {part.name: {"shape": part.global_shape, "offsets": part.offsets} for part in mine}
    # One entry: safetensors writes several in random order, and equal states would not be equal files.
    metadata = {METADATA_KEY: json.dumps({"format": FORMAT, "step": step, "slices": layout})}
    size = sum(tensor.nbytes for tensor in tensors.values())
    temporary = folder / f"{name}.tmp"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _check_space(folder, size)
        save_file(tensors, temporary, metadata)
        digest = _sync_and_hash(temporary)
        written = temporary.stat().st_size
        temporary.replace(folder / name)
        _sync_folder(folder)
    except (OSError, SafetensorError) as error:
        temporary.unlink(missing_ok=True)
        raise _failure(error, folder, size) from error
    return report_pb2.CheckpointFile(name=name, size_bytes=written, sha256=digest)


def _check_space(folder: Path, needed: int) -> None:
    if shutil.disk_usage(folder).free < needed:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _sync_and_hash(path: Path) -> str:
    with path.open("rb+") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        os.fsync(file.fileno())
    return digest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _failure(error: Exception, folder: Path, needed: int) -> EngineError:
    if getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error):
        free = shutil.disk_usage(folder).free
        return EngineError(
            f"checkpoint: no space left in {folder}: this rank needs {needed / 1e6:.1f} MB and {free / 1e6:.1f} MB are free; "
            "free some or set checkpoint.directory to another disk, then resume"
        )
    return UserError(f"checkpoint: cannot write {folder}: {error}; check the folder and its permissions, then resume")
