"""Read any slice of any tensor back, however many ranks wrote it: only headers and the bytes needed are read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from moestro_engine.checkpoint.state import Slice
from moestro_engine.checkpoint.write import FORMAT, METADATA_KEY
from moestro_engine.errors import EngineError


@dataclass(frozen=True)
class _Piece:
    path: Path
    shape: tuple[int, ...]
    offsets: tuple[int, ...]


class CheckpointReader:
    """The shards of one checkpoint, named relative to its folder; EngineError names what is missing or damaged."""

    def __init__(self, folder: Path, files: Sequence[str]) -> None:
        self._folder = folder
        self._pieces: dict[str, list[_Piece]] = {}
        self._local: dict[str, Path] = {}
        self._global_shapes: dict[str, tuple[int, ...]] = {}
        if not files:
            raise EngineError(f"checkpoint {folder}: no file of it is named; use another checkpoint")
        for name in files:
            self._read_header(folder / name)

    def load(self, wanted: list[Slice]) -> None:
        """Fill the tensors of the slices."""
        for part in wanted:
            self._fill(part)

    def local(self) -> dict[str, torch.Tensor]:
        """Tensors that are no slice of anything, such as random states."""
        return {name: self._open(path).get_tensor(name) for name, path in self._local.items()}

    def _fill(self, part: Slice) -> None:
        if self._global_shapes.get(part.name) != part.global_shape:
            raise EngineError(
                f"checkpoint {self._folder}: {part.name} has shape {self._global_shapes.get(part.name)}, the job says "
                f"{part.global_shape}; resume with the model the checkpoint was written with"
            )
        filled = 0
        for piece in self._pieces[part.name]:
            overlap = _overlap(piece.offsets, piece.shape, part.offsets, tuple(part.tensor.shape))
            if overlap is None:
                continue
            source, target = overlap
            data = self._open(piece.path).get_slice(part.name)[source] if source else self._open(piece.path).get_tensor(part.name)
            part.tensor[target].copy_(data)
            filled += data.numel()
        if filled != part.tensor.numel():
            raise EngineError(
                f"checkpoint {self._folder}: {part.name} has {filled} of {part.tensor.numel()} values; use an older one"
            )

    def _read_header(self, path: Path) -> None:
        with self._open(path) as shard:
            metadata = json.loads((shard.metadata() or {}).get(METADATA_KEY, "{}"))
            if metadata.get("format") != FORMAT:
                raise EngineError(
                    f"checkpoint {path}: format {metadata.get('format')!r} is not {FORMAT}; it was not written here"
                )
            layout = metadata["slices"]
            for name in shard.keys():  # noqa: SIM118 (a safetensors handle, not a dict)
                if name not in layout:
                    self._local[name] = path
                    continue
                shape, offsets = tuple(layout[name]["shape"]), tuple(layout[name]["offsets"])
                self._global_shapes[name] = shape
                piece = _Piece(path, tuple(shard.get_slice(name).get_shape()), offsets)
                self._pieces.setdefault(name, []).append(piece)

    @staticmethod
    def _open(path: Path):
        try:
            return safe_open(path, framework="pt")
        except FileNotFoundError as error:
            raise EngineError(f"checkpoint {path}: missing; put it back or use another checkpoint") from error
        except (OSError, SafetensorError) as error:
            raise EngineError(f"checkpoint {path}: damaged ({error}); use an older checkpoint") from error


def _overlap(
    from_offsets: tuple[int, ...], from_shape: tuple[int, ...], to_offsets: tuple[int, ...], to_shape: tuple[int, ...]
) -> tuple[tuple[slice, ...], tuple[slice, ...]] | None:
    """Where two boxes of one tensor meet, in the coordinates of each; None if they do not."""
    source, target = [], []
    for from_start, from_length, to_start, to_length in zip(from_offsets, from_shape, to_offsets, to_shape, strict=True):
        start, end = max(from_start, to_start), min(from_start + from_length, to_start + to_length)
        if start >= end:
            return None
        source.append(slice(start - from_start, end - from_start))
        target.append(slice(start - to_start, end - to_start))
    return tuple(source), tuple(target)
