"""Write a checkpoint as a folder that Transformers loads."""

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from moestro.v1 import job_pb2
from moestro_engine.checkpoint.read import CheckpointReader
from moestro_engine.checkpoint.state import Slice
from moestro_engine.errors import UserError
from moestro_engine.huggingface.config import config_of, family_of
from moestro_engine.huggingface.folder import INDEX, SINGLE
from moestro_engine.huggingface.names import Parameter, parameters_of
from moestro_engine.huggingface.sizes import MAX_FILE_BYTES, by_file

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def export_model(
    job: job_pb2.EngineJob, reader: CheckpointReader, target: Path, dtype: str, max_file_bytes: int = MAX_FILE_BYTES
) -> None:
    """config.json and safetensors files, with an index if there are several.

    ``dtype`` is a key of DTYPES. UserError if the format cannot say what the model computes.
    """
    config = config_of(job, dtype)
    family = family_of(job)
    parameters = [one for one in parameters_of(job, family) if not _is_left_out(one, family, reader)]
    number = DTYPES[dtype]
    groups = by_file(parameters, number.itemsize, max_file_bytes)
    target.mkdir(parents=True, exist_ok=True)
    (target / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    file_of: dict[str, str] = {}
    size = 0
    for index, group in enumerate(groups, start=1):
        file = SINGLE if len(groups) == 1 else f"model-{index:05d}-of-{len(groups):05d}.safetensors"
        tensors = {name: tensor for one in group for name, tensor in _theirs(one, _read(reader, one).to(number)).items()}
        save_file(tensors, target / file, {"format": "pt"})
        # safetensors makes files for their owner alone; a model is there to be passed on.
        shutil.copymode(target / "config.json", target / file)
        file_of |= dict.fromkeys(tensors, file)
        size += sum(tensor.nbytes for tensor in tensors.values())
    if len(groups) > 1:
        index_text = json.dumps({"metadata": {"total_size": size}, "weight_map": file_of}, indent=2, sort_keys=True)
        (target / INDEX).write_text(index_text + "\n")


def _theirs(parameter: Parameter, tensor: torch.Tensor) -> dict[str, torch.Tensor]:
    """Their tensors that hold one of our parameters."""
    parts = [part.t() for part in tensor.unbind()] if parameter.is_experts else [tensor]
    return {name: part.contiguous() for name, part in zip(parameter.theirs, parts, strict=True)}


def _read(reader: CheckpointReader, parameter: Parameter) -> torch.Tensor:
    tensor = torch.empty(parameter.shape)
    reader.load([Slice(f"model.{parameter.name}", tensor, parameter.shape, (0,) * len(parameter.shape), False)])
    return tensor


def _is_left_out(parameter: Parameter, family: str, reader: CheckpointReader) -> bool:
    """Whether the format does without the parameter; UserError if the model does not."""
    if parameter.theirs:
        return False
    is_gate = ".gate." in parameter.name
    # With one expert the gate chooses nothing, and a bias of zeros adds nothing.
    if is_gate and (family == "llama" or not _read(reader, parameter).any()):
        return True
    if is_gate:
        raise UserError(
            f"{parameter.name}: the router has learned a bias, and Mixtral's has none; "
            "only a model trained with model.routerBias: false can be exported"
        )
    raise UserError(f"{parameter.name}: {family.capitalize()}'s format has no such weight; this model cannot be exported")
