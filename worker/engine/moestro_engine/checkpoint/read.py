"""Read any slice of any tensor back, however many ranks wrote it: only headers and the bytes needed are read."""

import json
import os
from collections import Counter, defaultdict
from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch.distributed import checkpoint as dcp
from torch.distributed.checkpoint.metadata import Metadata, MetadataIndex, TensorProperties, TensorStorageMetadata
from torch.distributed.checkpoint.planner import LoadItemType, LoadPlan, ReadItem
from torch.distributed.checkpoint.storage import StorageReader
from torch.futures import Future

from moestro_engine.checkpoint.planner import LoadPlanner, by_name, chunk_of, unwrapped
from moestro_engine.checkpoint.state import Slice
from moestro_engine.checkpoint.write import FORMAT, METADATA_KEY
from moestro_engine.errors import EngineError


class CheckpointReader(StorageReader):
    """The shards of one checkpoint, named relative to its folder; EngineError names what is missing or damaged.

    It is the storage that torch.distributed.checkpoint reads from; its metadata is what the shards' headers say.
    """

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._folder = folder
        self._tensors: dict[str, TensorStorageMetadata] = {}
        # By name and offsets: the shard a box lies in, and its key there.
        self._places: dict[tuple[str, torch.Size], tuple[Path, str]] = {}
        self._local: dict[str, Path] = {}
        if not files:
            raise EngineError(f"checkpoint {folder}: no file of it is named; use another checkpoint")
        for name in files:
            self._read_header(folder / name)

    def load(self, wanted: list[Slice]) -> None:
        """Fill the tensors of the slices, in their own type."""
        for part in wanted:
            self._check_shape(part)
        unwrapped(lambda: dcp.load(by_name(wanted), storage_reader=self, planner=LoadPlanner(), no_dist=True))

    def local(self) -> dict[str, torch.Tensor]:
        """Tensors that are no slice of anything, such as random states."""
        return {name: self._open(path).get_tensor(name) for name, path in self._local.items()}

    # --- what torch.distributed.checkpoint asks of a storage ---

    def read_metadata(self, *args, **kwargs) -> Metadata:
        return Metadata(self._tensors)

    def set_up_storage_reader(self, metadata: Metadata, is_coordinator: bool, *args, **kwargs) -> None: ...

    def prepare_local_plan(self, plan: LoadPlan) -> LoadPlan:
        return plan

    def prepare_global_plan(self, plans: list[LoadPlan]) -> list[LoadPlan]:
        return plans

    def read_data(self, plan: LoadPlan, planner: LoadPlanner) -> Future[None]:
        self._check_complete(plan, planner)
        by_file: dict[Path, list[tuple[str, ReadItem]]] = defaultdict(list)
        for item in plan.items:
            path, key = self._places[item.storage_index.fqn, item.storage_index.offset]
            by_file[path].append((key, item))
        for path, items in by_file.items():
            with self._open(path) as shard:
                for key, item in items:
                    source = tuple(slice(o, o + n) for o, n in zip(item.storage_offsets, item.lengths, strict=True))
                    data = shard.get_slice(key)[source] if source else shard.get_tensor(key)
                    planner.resolve_tensor(item).copy_(data)
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def reset(self, checkpoint_id: str | os.PathLike | None = None) -> None: ...

    @classmethod
    def validate_checkpoint_id(cls, checkpoint_id: str | os.PathLike) -> bool:
        return True

    # --- inside ---

    def _check_shape(self, part: Slice) -> None:
        found = self._tensors.get(part.name)
        if found is None or tuple(found.size) != part.global_shape:
            shape = found and tuple(found.size)
            raise EngineError(
                f"checkpoint {self._folder}: {part.name} has shape {shape}, the job says "
                f"{part.global_shape}; resume with the model the checkpoint was written with"
            )

    def _check_complete(self, plan: LoadPlan, planner: LoadPlanner) -> None:
        """Torch plans the reading of what there is; whether that is all is not its question."""
        planned: Counter[str] = Counter()
        for item in plan.items:
            assert item.type == LoadItemType.TENSOR
            planned[item.dest_index.fqn] += prod(item.lengths)
        for name, boxes in planner.state_dict.items():
            wanted = sum(prod(chunk.sizes) for chunk in boxes.__create_chunk_list__())
            if planned[name] != wanted:
                raise EngineError(f"checkpoint {self._folder}: {name} has {planned[name]} of {wanted} values; use an older one")

    def _read_header(self, path: Path) -> None:
        with self._open(path) as shard:
            metadata = json.loads((shard.metadata() or {}).get(METADATA_KEY, "{}"))
            if metadata.get("format") != FORMAT:
                raise EngineError(
                    f"checkpoint {path}: format {metadata.get('format')!r} is not {FORMAT}; it was not written here"
                )
            layout = metadata["slices"]
            for key in shard.keys():  # noqa: SIM118 (a safetensors handle, not a dict)
                if key not in layout:
                    self._local[key] = path
                    continue
                said, box = layout[key], shard.get_slice(key).get_shape()
                index = MetadataIndex(said.get("name", key), said["offsets"])
                entry = TensorStorageMetadata(TensorProperties(), torch.Size(said["shape"]), [])
                self._tensors.setdefault(index.fqn, entry).chunks.append(chunk_of(index.offset, box))
                self._places[index.fqn, index.offset] = path, key

    @staticmethod
    def _open(path: Path):
        try:
            return safe_open(path, framework="pt")
        except FileNotFoundError as error:
            raise EngineError(f"checkpoint {path}: missing; put it back or use another checkpoint") from error
        except (OSError, SafetensorError) as error:
            raise EngineError(f"checkpoint {path}: damaged ({error}); use an older checkpoint") from error
