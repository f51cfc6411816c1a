"""Our parameters, read out of a Hugging Face folder one at a time."""

import torch

from moestro_engine.errors import UserError
from moestro_engine.huggingface.folder import ModelFolder
from moestro_engine.huggingface.names import Parameter

# Transformers 5 keeps a layer's experts in two tensors, w1 above w3 and w2, under names of its own.
_RENAMED = (".block_sparse_moe.", ".mlp.")
_FUSED = {"w1": "gate_up_proj", "w3": "gate_up_proj", "w2": "down_proj"}
# What some files hold beside the weights: tables that follow from the config.
_NO_WEIGHTS = ("rotary_emb.inv_freq",)


def read_parameter(folder: ModelFolder, parameter: Parameter) -> torch.Tensor:
    """The parameter in our shape and the folder's type; UserError if the folder does not have it."""
    if not parameter.is_experts:
        (name,) = parameter.theirs
        other = name.replace(*_RENAMED)
        return folder.read(other if other in folder.names and name not in folder.names else name, parameter.shape)
    if (fused := fused_name(parameter)) in folder.names:
        return torch.stack([_read_fused(folder, fused, parameter, expert).t() for expert in range(parameter.shape[0])])
    read = [folder.read(name, parameter.their_shape).t() for name in parameter.theirs]
    # A dense network is read once and is every expert.
    return torch.stack(read) if len(read) == parameter.shape[0] else read[0].expand(parameter.shape)


def fused_name(parameter: Parameter) -> str:
    """What the tensor is called that Transformers 5 keeps all experts' ``w1`` and ``w3``, or ``w2``, in."""
    layer = parameter.name.split(".")[1]
    return f"model.layers.{layer}.mlp.experts.{_FUSED[parameter.name[-2:]]}"


def refuse_strangers(folder: ModelFolder, parameters: list[Parameter]) -> None:
    """UserError if the folder holds weights that our model would leave out: it would compute something else."""
    known = {name for parameter in parameters for name in parameter.theirs}
    known |= {name.replace(*_RENAMED) for name in known} | {fused_name(p) for p in parameters if p.is_experts}
    # A tied head may be stored beside the embedding it equals.
    known.add("lm_head.weight")
    strangers = sorted(name for name in folder.names - known if not name.endswith(_NO_WEIGHTS))
    if strangers:
        raise UserError(
            f"{folder}: holds {strangers[0]} ({len(strangers)} such), which a model of its config.json does not have; "
            "use the config.json that belongs to the weights"
        )


def _read_fused(folder: ModelFolder, name: str, parameter: Parameter, expert: int) -> torch.Tensor:
    rows, columns = parameter.their_shape
    halves = 2 if name.endswith("gate_up_proj") else 1
    start = rows if parameter.name.endswith("w3") else 0
    return folder.read_part(name, (parameter.shape[0], halves * rows, columns), expert, slice(start, start + rows))
