"""Slices as torch.distributed.checkpoint knows tensors, and its planners without what needs all ranks at once.

Its planners decide what is written and which parts of which boxes are read; ``write.py`` and ``read.py`` are
the storage below them. Ranks plan alone (``no_dist``): what a whole checkpoint is made of is decided by the
coordinator, which commits it. Objects that are no tensors, which torch would pickle, are refused.
"""

import warnings
from collections.abc import Callable, Iterable

import torch
from torch.distributed.checkpoint import CheckpointException, DefaultLoadPlanner, DefaultSavePlanner, SavePlan
from torch.distributed.checkpoint.default_planner import create_default_global_save_plan
from torch.distributed.checkpoint.metadata import ChunkStorageMetadata, Metadata, MetadataIndex, TensorProperties
from torch.distributed.checkpoint.planner import TensorWriteData, WriteItem, WriteItemType

from moestro_engine.checkpoint.state import Slice

# That ranks plan alone is meant.
warnings.filterwarnings("ignore", message="torch.distributed is disabled, unavailable or uninitialized")


class Boxes:
    """The slices of one tensor that lie here: torch's protocol for sharded tensors (``_checkpointable.py``)."""

    def __init__(self, slices: list[Slice]) -> None:
        self._slices = {part.offsets: part for part in slices}

    def size(self) -> torch.Size:
        """Of the whole tensor."""
        return torch.Size(next(iter(self._slices.values())).global_shape)

    def __create_write_items__(self, name: str, _: object) -> list[WriteItem]:
        return [
            WriteItem(
                index=MetadataIndex(name, chunk.offsets),
                type=WriteItemType.SHARD,
                tensor_data=TensorWriteData(chunk, TensorProperties.create_from_tensor(part.tensor), self.size()),
            )
            for part, chunk in zip(self._slices.values(), self.__create_chunk_list__(), strict=True)
        ]

    def __create_chunk_list__(self) -> list[ChunkStorageMetadata]:
        return [chunk_of(part.offsets, part.tensor.shape) for part in self._slices.values()]

    def __get_tensor_shard__(self, index: MetadataIndex) -> torch.Tensor:
        return self._slices[tuple(index.offset)].tensor


def chunk_of(offsets: Iterable[int], shape: Iterable[int]) -> ChunkStorageMetadata:
    return ChunkStorageMetadata(torch.Size(offsets), torch.Size(shape))


def by_name(slices: list[Slice]) -> dict[str, Boxes]:
    """Every tensor's slices under its name, as torch's state dictionaries have them."""
    grouped: dict[str, list[Slice]] = {}
    for part in slices:
        grouped.setdefault(part.name, []).append(part)
    return {name: Boxes(parts) for name, parts in grouped.items()}


class SavePlanner(DefaultSavePlanner):
    """Plans the writing of what this rank writes."""

    def __init__(self) -> None:
        super().__init__(flatten_state_dict=False, flatten_sharded_tensors=False)

    def create_global_plan(self, all_plans: list[SavePlan]) -> tuple[list[SavePlan], Metadata]:
        # Torch's own would miss the other ranks' boxes.
        return create_default_global_save_plan(all_plans)

    def lookup_object(self, index: MetadataIndex) -> torch.Tensor:
        found = self.state_dict[index.fqn]
        return found.__get_tensor_shard__(index) if isinstance(found, Boxes) else found

    def transform_object(self, write_item: WriteItem, object: torch.Tensor) -> torch.Tensor:
        if write_item.type == WriteItemType.BYTE_IO:
            raise TypeError(f"{write_item.index.fqn} is no tensor")
        return object


class LoadPlanner(DefaultLoadPlanner):
    """Plans which parts of which boxes in the files this rank reads."""

    def __init__(self) -> None:
        super().__init__(flatten_state_dict=False, flatten_sharded_tensors=False)

    def set_up_planner(self, state_dict: dict[str, Boxes], metadata: Metadata | None = None, is_coordinator: bool = False):
        self.state_dict, self.metadata, self.is_coordinator = state_dict, metadata, is_coordinator

    def lookup_tensor(self, index: MetadataIndex) -> torch.Tensor:
        return self.state_dict[index.fqn].__get_tensor_shard__(index)

    def load_bytes(self, read_item, value) -> None:
        raise TypeError(f"{read_item.dest_index.fqn} is no tensor")


def unwrapped(action: Callable[[], None]) -> None:
    """Run one of torch's checkpoint functions; what went wrong in it is raised as it was, not in torch's wrapper."""
    try:
        action()
    except CheckpointException as wrapped:
        (cause, _), *_ = wrapped.failures.values()
        raise cause from None
