"""Read tensors out of a Hugging Face folder: one safetensors file, or several with an index."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from moestro_engine.errors import UserError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


class ModelFolder:
    """The tensors of a folder by name. UserError, one line, for everything that is missing or damaged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._handles = {}
        self._file_of = self._read_index() if (folder / INDEX).exists() else self._read_single()

    def __str__(self) -> str:
        return str(self._folder)

    @property
    def names(self) -> set[str]:
        return set(self._file_of)

    def read(self, name: str, shape: tuple[int, ...]) -> torch.Tensor:
        """The tensor, which must have this shape, in the type it is stored in."""
        return self._checked(name, shape)[...]

    def read_part(self, name: str, shape: tuple[int, ...], index: int, rows: slice) -> torch.Tensor:
        """``tensor[index, rows]`` of a tensor that must have this shape."""
        return self._checked(name, shape)[index, rows]

    def _checked(self, name: str, shape: tuple[int, ...]):
        file = self._file_of.get(name)
        if file is None:
            raise UserError(f"{self._folder}: holds no tensor {name}, which its config.json calls for; use a complete copy")
        handle = self._open(file)
        try:
            part = handle.get_slice(name)
        except SafetensorError as error:
            raise UserError(f"{self._folder / file}: lacks {name}, which {INDEX} says it holds; use a complete copy") from error
        found = tuple(part.get_shape())
        if found != shape:
            raise UserError(
                f"{self._folder / file}: {name} has shape {_show(found)}, the sizes in config.json make it {_show(shape)}; "
                "use the config.json that belongs to the weights"
            )
        return _Typed(part, f"{self._folder / file}: {name}")

    def _read_index(self) -> dict[str, str]:
        path = self._folder / INDEX
        try:
            weight_map = json.loads(path.read_text())["weight_map"]
            named = {str(name): str(file) for name, file in weight_map.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is not a safetensors index ({error}); use a complete copy") from error
        for file in set(named.values()):
            # An index is no reason to open files elsewhere.
            if Path(file).name != file:
                raise UserError(f"{path}: names {file}, which does not lie beside it; use a complete copy")
            if not (self._folder / file).exists():
                raise UserError(f"{self._folder / file}: missing, {INDEX} names it; use a complete copy")
        return named

    def _read_single(self) -> dict[str, str]:
        if (self._folder / SINGLE).exists():
            return dict.fromkeys(self._open(SINGLE).keys(), SINGLE)
        pickled = sorted(path.name for pattern in ("*.bin", "*.pt", "*.pth") for path in self._folder.glob(pattern))
        if pickled:
            raise UserError(
                f"{self._folder / pickled[0]}: is a pickle, and moestro unpickles nothing; "
                "save the model as safetensors, as Transformers' save_pretrained does"
            )
        raise UserError(f"{self._folder}: holds neither {SINGLE} nor {INDEX}; give a folder with a model's weights")

    def _open(self, file: str):
        if file not in self._handles:
            path = self._folder / file
            try:
                self._handles[file] = safe_open(path, framework="pt")
            except (OSError, SafetensorError) as error:
                raise UserError(f"{path}: damaged ({error}); fetch it again") from error
        return self._handles[file]


class _Typed:
    """A slice of a file that only gives out numbers of a type we compute with."""

    def __init__(self, part, label: str) -> None:
        self._part = part
        self._label = label

    def __getitem__(self, index) -> torch.Tensor:
        tensor = self._part[index]
        if tensor.dtype not in DTYPES:
            raise UserError(
                f"{self._label} is {str(tensor.dtype).removeprefix('torch.')}, moestro reads float32, bfloat16 and float16; "
                "use weights that are not quantised"
            )
        return tensor


def _show(shape: tuple[int, ...]) -> str:
    return "[" + ", ".join(map(str, shape)) + "]"
