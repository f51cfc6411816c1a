"""All weights of a rank in one buffer and all gradients in another: zeroed, summed, measured and updated in bulk.

Plain data parallelism updates everything on every rank. Under ZeRO-1 (arXiv 1910.02054) each
data-parallel rank receives the sum of one part's gradients, updates that part and hands it round.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn

from moestro.v1 import job_pb2
from moestro_engine.checkpoint.boxes import boxes_of_range
from moestro_engine.checkpoint.state import Slice
from moestro_engine.model.initialize import initial_tensor
from moestro_engine.parallel.collectives import all_gather_single, reduce_scatter
from moestro_engine.parallel.groups import Group, Groups
from moestro_engine.parallel.parallelize import Chunk, set_parameter
from moestro_engine.parallel.pieces import Piece, make_optimizer, set_optimizer_step, slices_of, squared_norm, step_optimizer
from moestro_engine.parallel.placement import KINDS, Kind, Placed

# Values are padded to whole numbers of this many per shard, so that collectives start on 16 bytes.
ALIGNMENT = 8


@dataclass(frozen=True)
class _Section:
    """A stretch of the buffers that one group sums over, and the part of it that this rank updates."""

    start: int
    end: int
    group: Group
    num_shards: int
    shard: int

    @property
    def own(self) -> tuple[int, int]:
        size = (self.end - self.start) // self.num_shards
        return self.start + self.shard * size, self.start + (self.shard + 1) * size


class FlatState:
    """Parameters are views of one buffer in the precision of the products.

    In fp32 their gradients are views of the gradient buffer and master weights are the weights; in bf16
    ``collect_gradients`` adds them up in fp32, and master weights lie beside.
    """

    def __init__(
        self,
        chunks: Sequence[Chunk],
        job: job_pb2.EngineJob,
        groups: Groups | None,
        device: torch.device,
        sharded: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self._groups = groups
        placed = {p.name: (chunk, name, p) for chunk in reversed(chunks) for name, p in chunk.placements.items()}
        ordered = sorted((p for _, _, p in placed.values()), key=lambda p: KINDS.index(p.kind))
        self._lay_out(ordered, sharded)
        self.gradients = torch.zeros(self._length, dtype=torch.float32, device=device)
        self._weights = torch.zeros(self._length, dtype=dtype, device=device)
        # By section: the master weights of what this rank updates.
        self._masters = [
            self._weights[slice(*section.own)]
            if dtype == torch.float32
            else torch.zeros(section.own[1] - section.own[0], dtype=torch.float32, device=device)
            for section in self._sections
        ]
        self._collected: list[tuple[nn.Parameter, torch.Tensor]] = []
        self._pieces: list[Piece] = []
        for p in ordered:
            self._add(p, job, device)
        for chunk in chunks:
            for name, p in chunk.placements.items():
                set_parameter(chunk.model, name, self._parameters[p.name])
        self._optimizer = make_optimizer(self._pieces, job.training)
        self.publish()

    def zero_gradients(self) -> None:
        self.gradients.zero_()

    def collect_gradients(self) -> None:
        for parameter, total in self._collected:
            if parameter.grad is not None:
                total.add_(parameter.grad)
                parameter.grad = None

    def reduce_gradients(self) -> None:
        """Over tp: replicated parameters, of which each rank saw its tokens only. Over data-parallel ranks: everything.

        Expert gradients hold the tokens of the whole expert-parallel group already.
        """
        groups = self._groups
        if groups is None:
            return
        # Tied and replicated parameters lie side by side at the front.
        self._sum(self.gradients[: self._ends["replicated"]], groups.tp)
        self._sum(self.gradients[self._ends["replicated"] : self._ends["kv"]], groups.kv)
        if groups.dense_dp is groups.expert_dp and all(section.num_shards == 1 for section in self._sections):
            self._sum(self.gradients, groups.dense_dp)
        else:
            for section in self._sections:
                self._reduce(section)
        # Last, so that both ends add the same two numbers and stay bit-equal.
        self._sum(self.gradients[: self._ends["tied"]], groups.tied)

    def squared_norm_share(self) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64, device=self.gradients.device)
        for start, end, num_replicas in self._runs:
            total += squared_norm(self.gradients[start:end]) / num_replicas
        return total

    def clip(self, norm: float, max_norm: float) -> None:
        if 0 < max_norm < norm:
            self.gradients.mul_(max_norm / norm)

    def update(self, rate: float) -> None:
        step_optimizer(self._optimizer, rate)
        self.publish()

    def publish(self) -> None:
        for section, master in zip(self._sections, self._masters, strict=True):
            mine = self._weights[slice(*section.own)]
            if master.dtype != mine.dtype:
                mine.copy_(master)
            if section.num_shards > 1:
                all_gather_single(self._weights[section.start : section.end], mine.clone(), group=section.group)

    def slices(self) -> list[Slice]:
        return slices_of(self._pieces, self._optimizer)

    def set_step(self, step: int) -> None:
        set_optimizer_step(self._optimizer, step)

    def _lay_out(self, ordered: Sequence[Placed], sharded: bool) -> None:
        """Give every parameter its place: tied, then the other dense ones, then experts."""
        self._starts: dict[str, int] = {}
        self._ends: dict[Kind, int] = {}
        self._runs: list[tuple[int, int, int]] = []
        self._parameters: dict[str, nn.Parameter] = {}
        self._sections: list[_Section] = []
        end = 0
        # Both ends of the pipeline hold tied weights, at different places: they are never cut.
        for kinds, cut in ((("tied",), False), (("replicated", "kv", "tensor"), sharded), (("expert",), sharded)):
            start = end
            members = [p for p in ordered if p.kind in kinds]
            for kind in kinds:
                for p in (p for p in members if p.kind == kind):
                    self._starts[p.name] = end
                    end += p.numel
                self._ends[kind] = end
            if members:
                dp_size, dp_rank = members[0].dp_size, members[0].dp_rank
                num_shards = dp_size if cut else 1
                end += (start - end) % (num_shards * ALIGNMENT)
                group = self._groups and (self._groups.expert_dp if kinds == ("expert",) else self._groups.dense_dp)
                section = _Section(start, end, group, num_shards, dp_rank if cut else 0)
                self._sections.append(section)
                self._runs += self._runs_of(section, members)
        self._length = end

    def _runs_of(self, section: _Section, members: Sequence[Placed]) -> list[tuple[int, int, int]]:
        """Stretches of what this rank updates and on how many ranks they are updated; neighbours that agree are one."""
        runs: list[tuple[int, int, int]] = []
        for p in members:
            start, end = self._own_range(section, p)
            num_replicas = p.num_replicas // section.num_shards
            if runs and runs[-1][1:] == (start, num_replicas):
                runs[-1] = (runs[-1][0], end, num_replicas)
            elif start < end:
                runs.append((start, end, num_replicas))
        return runs

    def _own_range(self, section: _Section, p: Placed) -> tuple[int, int]:
        start, (own_start, own_end) = self._starts[p.name], section.own
        first = max(start, own_start)
        return first, max(first, min(start + p.numel, own_end))

    def _add(self, p: Placed, job: job_pb2.EngineJob, device: torch.device) -> None:
        """Make the parameter, fill it with its initial values, and make the piece of it that this rank updates."""
        start = self._starts[p.name]
        weight = self._weights[start : start + p.numel].view(p.local_shape)
        gradient = self.gradients[start : start + p.numel].view(p.local_shape)
        initial = initial_tensor(p, job).to(device)
        weight.copy_(initial)
        parameter = nn.Parameter(weight)
        if weight.dtype == torch.float32:
            parameter.grad = gradient
        else:
            self._collected.append((parameter, gradient))
        self._parameters[p.name] = parameter
        index = next(i for i, section in enumerate(self._sections) if section.start <= start < section.end)
        section = self._sections[index]
        first, last = self._own_range(section, p)
        if first == last:
            return
        master = self._masters[index][first - section.own[0] : last - section.own[0]]
        master.copy_(initial.flatten()[first - start : last - start])
        piece = nn.Parameter(master)
        piece.grad = self.gradients[first:last]
        boxes = tuple(
            (tuple(o + b for o, b in zip(p.offsets, offsets, strict=True)), shape)
            for offsets, shape in boxes_of_range(p.local_shape, first - start, last - start)
        )
        if section.num_shards > 1:
            self._pieces.append(Piece(p, boxes, piece, p.copies, p.copy))
        else:
            self._pieces.append(Piece(p, boxes, piece, p.num_replicas, p.dp_rank * p.copies + p.copy))

    def _reduce(self, section: _Section) -> None:
        if section.num_shards == 1:
            self._sum(self.gradients[section.start : section.end], section.group)
        else:
            parts = self.gradients[section.start : section.end].view(section.num_shards, -1)
            self.gradients[slice(*section.own)] = reduce_scatter(parts, section.group)

    @staticmethod
    def _sum(part: torch.Tensor, group: Group) -> None:
        if group is not None and part.numel() > 0:
            dist.all_reduce(part, group=group)
