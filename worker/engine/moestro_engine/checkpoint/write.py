"""Write one rank's shard of a checkpoint: complete and on disk, or not there under its name."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections import Counter
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.metadata import MetadataIndex
from torch.distributed.checkpoint.planner import SavePlan, WriteItemType
from torch.distributed.checkpoint.storage import StorageWriter, WriteResult
from torch.futures import Future

from moestro.v1 import report_pb2
from moestro_engine.checkpoint.planner import SavePlanner, by_name, unwrapped
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
    """
    writer = ShardWriter(folder, name, step)
    state = by_name([part for part in slices if part.writes]) | local
    unwrapped(lambda: dcp.save(state, storage_writer=writer, planner=SavePlanner(), no_dist=True))
    return writer.file


class ShardWriter(StorageWriter):
    """The storage that torch.distributed.checkpoint writes to: one safetensors file a rank.

    The file's header holds, next to what safetensors needs, the global shape and the offsets of every slice;
    there is no other metadata. A tensor's name is its key in the file, with ``@`` and the offsets behind it
    where the file has several boxes of it; the header then says the name.
    """

    # Set once the file is written.
    file: report_pb2.CheckpointFile

    def __init__(self, folder: Path, name: str, step: int) -> None:
        self._folder, self._name, self._step = folder, name, step

    def write_data(self, plan: SavePlan, planner: SavePlanner) -> Future[list[WriteResult]]:
        boxes = Counter(item.index.fqn for item in plan.items)
        tensors, layout, results = {}, {}, []
        for item in plan.items:
            name = item.index.fqn
            key = name if boxes[name] == 1 else key_of(item.index)
            tensor = planner.resolve_data(item).cpu().contiguous()
            tensors[key] = tensor
            # A tensor of the rank's own is no slice of anything.
            if item.type == WriteItemType.SHARD:
                layout[key] = {"shape": item.tensor_data.size, "offsets": item.index.offset}
                layout[key] |= {"name": name} if key != name else {}
            results.append(WriteResult(item.index, tensor.nbytes, key))
        # One entry: safetensors writes several in random order, and equal states would not be equal files.
        metadata = {METADATA_KEY: json.dumps({"format": FORMAT, "step": self._step, "slices": layout})}
        self.file = write_file(self._folder, self._name, tensors, metadata)
        done: Future[list[WriteResult]] = Future()
        done.set_result(results)
        return done

    # What only several ranks at once, or a metadata file, would need.

    def reset(self, checkpoint_id: str | os.PathLike | None = None) -> None: ...

    def set_up_storage_writer(self, is_coordinator: bool, *args, **kwargs) -> None: ...

    def prepare_local_plan(self, plan: SavePlan) -> SavePlan:
        return plan

    def prepare_global_plan(self, plans: list[SavePlan]) -> list[SavePlan]:
        return plans

    def finish(self, metadata, results) -> None: ...

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike) -> bool:
        return True


def key_of(index: MetadataIndex) -> str:
    return f"{index.fqn}@{','.join(map(str, index.offset))}"


def write_file(folder: Path, name: str, tensors: dict[str, torch.Tensor], metadata: dict[str, str]) -> report_pb2.CheckpointFile:
    """The file is on disk under its name, or there is none of that name. Errors as in ``write_shard``."""
    size = sum(tensor.nbytes for tensor in tensors.values())
    temporary = folder / f"{name}.tmp"
    try:
        if not folder.exists():
            folder.mkdir(parents=True, exist_ok=True)
            _sync_folder(folder.parent)
        _check_space(folder, size)
        save_file(tensors, temporary, metadata)
        digest = _sync_and_hash(temporary)
        written = temporary.stat().st_size
        temporary.replace(folder / name)
        _sync_folder(folder)
    except (OSError, SafetensorError) as error:
        with contextlib.suppress(OSError):
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
        # There may not even have been room for the folder.
        there = next(place for place in (folder, *folder.parents) if place.exists())
        free = shutil.disk_usage(there).free
        return EngineError(
            f"checkpoint: no space left in {folder}: this rank needs {needed / 1e6:.1f} MB and {free / 1e6:.1f} MB are free; "
            "free some or set checkpoint.directory to another disk, then resume"
        )
    return UserError(f"checkpoint: cannot write {folder}: {error}; check the folder and its permissions, then resume")
