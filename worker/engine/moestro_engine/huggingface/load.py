"""Make a checkpoint that training can start from: import a Mixtral, or turn a dense Llama into one."""

from collections.abc import Callable
from pathlib import Path

import torch

from moestro.v1 import job_pb2, report_pb2
from moestro_engine.checkpoint.state import Slice
from moestro_engine.checkpoint.write import shard_name, write_shard
from moestro_engine.huggingface.folder import ModelFolder
from moestro_engine.huggingface.names import Parameter, parameters_of
from moestro_engine.huggingface.read import read_parameter, refuse_strangers
from moestro_engine.huggingface.sizes import MAX_FILE_BYTES, by_file

# Weights keep the folder's type; this many bytes is the most a number takes.
BYTES_PER_NUMBER = 4
# Before any generation of a run.
GENERATION = 0
STEP = 0


def import_mixtral(
    job: job_pb2.EngineJob, source: Path, target: Path, max_file_bytes: int = MAX_FILE_BYTES
) -> report_pb2.CheckpointShards:
    """Write the weights of a Mixtral folder as a checkpoint of step 0; UserError if they are not the job's model.

    A gate that has a bias gets zeros: Mixtral's has none.
    """
    folder = ModelFolder(source)
    parameters = parameters_of(job, "mixtral")
    refuse_strangers(folder, parameters)

    def make(parameter: Parameter) -> torch.Tensor:
        return read_parameter(folder, parameter) if parameter.theirs else torch.zeros(parameter.shape)

    return _write(target, parameters, make, max_file_bytes)


def upcycle_llama(
    job: job_pb2.EngineJob, source: Path, target: Path, seed: int, router_std: float
) -> report_pb2.CheckpointShards:
    """Write a checkpoint of step 0 whose every expert is the dense layer's network.

    Chosen gates sum to one and all experts agree, so whatever the router says, the function is the dense
    model's. The router is N(0, ``router_std``), which is what lets experts come to differ (Skywork-MoE
    report, section on upcycling); its bias, where the gate has one, is zero.
    """
    folder = ModelFolder(source)
    parameters = parameters_of(job, "llama")
    refuse_strangers(folder, parameters)
    generator = torch.Generator().manual_seed(seed)

    def make(parameter: Parameter) -> torch.Tensor:
        if parameter.theirs:
            return read_parameter(folder, parameter)
        if parameter.name.endswith("bias"):
            return torch.zeros(parameter.shape)
        return torch.empty(parameter.shape).normal_(0.0, router_std, generator=generator)

    return _write(target, parameters, make, MAX_FILE_BYTES)


def _write(
    target: Path, parameters: list[Parameter], make: Callable[[Parameter], torch.Tensor], max_file_bytes: int
) -> report_pb2.CheckpointShards:
    groups = by_file(parameters, BYTES_PER_NUMBER, max_file_bytes)
    shards = report_pb2.CheckpointShards(step=STEP, num_ranks=1)
    for index, group in enumerate(groups):
        slices = [Slice(f"model.{one.name}", make(one), one.shape, (0,) * len(one.shape), True) for one in group]
        shards.files.append(write_shard(target, shard_name(GENERATION, index, len(groups)), STEP, slices, {}))
    return shards
