"""Text from the trained model: the prompt walks through the pipeline once for every byte."""

import torch
import torch.distributed as dist

from moestro.v1 import job_pb2
from moestro_engine.model.transformer import StageModel
from moestro_engine.parallel.groups import Groups
from moestro_engine.parallel.mesh import Mesh

TEMPERATURE = 0.8
# A larger vocabulary has entries that stand for no byte.
NUM_BYTES = 256
# Lengths are rounded up to a multiple of this per rank, so that few different shapes occur.
PART = 16


@torch.no_grad()
def sample_text(model: StageModel, job: job_pb2.EngineJob, mesh: Mesh, groups: Groups, device: torch.device) -> bytes:
    """``training.sample_bytes`` bytes after the prompt; the same on every rank, the same for one seed.

    Every data-parallel replica computes the same; the first one's last stage draws and tells all.
    """
    training = job.training
    model.eval()
    generator = torch.Generator().manual_seed(training.seed)
    text = list(training.sample_prompt.encode() or b"\n")
    num_prompt = len(text)
    for _ in range(training.sample_bytes):
        window = text[-training.sequence_length :]
        text.append(_next_byte(model, window, job, mesh, groups, generator, device))
    return bytes(text[num_prompt:])


def draw_byte(logit_V: torch.Tensor, point: torch.Tensor) -> int:
    """The byte at ``point``, fp64 [1] in [0, 1), of the cumulative distribution over the logits that are bytes."""
    probability_B = torch.softmax(logit_V[:NUM_BYTES].double() / TEMPERATURE, dim=-1).cpu()
    # Rounding may leave the sum just below the point.
    return min(int(torch.searchsorted(probability_B.cumsum(0), point)), len(probability_B) - 1)


def _next_byte(model, window: list[int], job, mesh: Mesh, groups: Groups, generator, device) -> int:
    unit = mesh.tp * PART
    padded = min(-(-len(window) // unit) * unit, job.training.sequence_length)
    part = padded // mesh.tp
    tokens = torch.tensor(window + [0] * (padded - len(window)), device=device)
    x = tokens[mesh.tp_rank * part : (mesh.tp_rank + 1) * part][None]
    if mesh.pp_rank > 0:
        x = torch.empty(1, part, job.model.hidden_size, device=device)
        dist.recv(x, mesh.rank_at(mesh.tp_rank, mesh.dp_rank, mesh.pp_rank - 1), group=groups.pp)
    out = model(x)
    if mesh.pp_rank < mesh.pp - 1:
        dist.send(out, mesh.rank_at(mesh.tp_rank, mesh.dp_rank, mesh.pp_rank + 1), group=groups.pp)
    # The rank whose slice of the sequence holds the last byte draws the next one.
    owner_tp, offset = divmod(len(window) - 1, part)
    owner = mesh.rank_at(owner_tp, 0, mesh.pp - 1)
    drawn = torch.zeros(1, dtype=torch.long, device=device)
    # Every rank draws a number, so that all generators stay in step whoever the owner is.
    point = torch.rand(1, generator=generator, dtype=torch.float64)
    if mesh.rank == owner:
        drawn[0] = draw_byte(out[0, offset], point)
    dist.broadcast(drawn, owner)
    return int(drawn)
