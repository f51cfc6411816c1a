"""The collectives inside a tensor-parallel group, differentiable, timed, under one name for all torch versions.

On one rank ``LocalGroup`` does nothing, so the model's code is the same with and without parallelism.
"""

import torch
import torch.distributed as dist

from moestro_engine.parallel.clock import Clock

# torch 2.13 renamed both; 2.11 and 2.12 only know the older names.
all_gather_single = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
reduce_scatter_single = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor


class TensorGroup:
    """One tensor- and expert-parallel group, and the clock its collectives run against."""

    def __init__(self, group: dist.ProcessGroup, clock: Clock) -> None:
        self.group = group
        self.size = dist.get_world_size(group)
        self.clock = clock

    def gather_sequence(self, x_BsD: torch.Tensor) -> torch.Tensor:
        """[B, S/tp, D] of every rank → [B, S, D]; the gradient is summed and scattered back."""
        return _GatherSequence.apply(x_BsD, self)

    def scatter_sequence(self, x_BSD: torch.Tensor) -> torch.Tensor:
        """Partial sums [B, S, D] of every rank → their total's own part [B, S/tp, D]; the gradient is gathered."""
        return _ScatterSequence.apply(x_BSD, self)

    def all_to_all(
        self, rows: torch.Tensor, out_splits: list[int] | None = None, in_splits: list[int] | None = None
    ) -> torch.Tensor:
        """Exchange rows [R, ...] between ranks, evenly or by the given row counts; so does the gradient, backwards."""
        return _AllToAll.apply(rows, self, out_splits, in_splits)

    def exchange_counts(self, counts: torch.Tensor) -> torch.Tensor:
        """Send part r of a flat integer tensor to rank r and return what the others sent."""
        received = torch.empty_like(counts)
        self.clock.start()
        dist.all_to_all_single(received, counts, group=self.group)
        self.clock.stop()
        return received

    def sum_later(self, tensor: torch.Tensor) -> dist.Work:
        """Start summing the tensor in place over the group; wait on the result before reading it."""
        return dist.all_reduce(tensor, group=self.group, async_op=True)

    def _gather(self, x_BsD: torch.Tensor) -> torch.Tensor:
        batch, part, *rest = x_BsD.shape
        gathered = x_BsD.new_empty(self.size * batch, part, *rest)
        self.clock.start()
        all_gather_single(gathered, x_BsD.contiguous(), group=self.group)
        self.clock.stop()
        by_rank = gathered.view(self.size, batch, part, *rest)
        return by_rank.transpose(0, 1).reshape(batch, self.size * part, *rest)

    def _scatter(self, x_BSD: torch.Tensor) -> torch.Tensor:
        batch, length, *rest = x_BSD.shape
        part = length // self.size
        by_rank = x_BSD.view(batch, self.size, part, *rest).transpose(0, 1).contiguous()
        self.clock.start()
        if x_BSD.is_cuda:
            mine = x_BSD.new_empty(batch, part, *rest)
            reduce_scatter_single(mine, by_rank.flatten(0, 1), group=self.group)
        else:
            # gloo's own reduce-scatter takes three to four times as long as exchanging and adding.
            received = torch.empty_like(by_rank)
            dist.all_to_all_single(received, by_rank, group=self.group)
            mine = received.sum(0)
        self.clock.stop()
        return mine

    def _exchange(self, rows: torch.Tensor, out_splits: list[int] | None, in_splits: list[int] | None) -> torch.Tensor:
        num_rows = rows.shape[0] if out_splits is None else sum(out_splits)
        received = rows.new_empty(num_rows, *rows.shape[1:])
        self.clock.start()
        dist.all_to_all_single(received, rows.contiguous(), out_splits, in_splits, group=self.group)
        self.clock.stop()
        return received


class LocalGroup:
    """A group of one rank."""

    size = 1

    def gather_sequence(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return x_BSD

    def scatter_sequence(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return x_BSD

    def all_to_all(
        self, rows: torch.Tensor, out_splits: list[int] | None = None, in_splits: list[int] | None = None
    ) -> torch.Tensor:
        return rows

    def exchange_counts(self, counts: torch.Tensor) -> torch.Tensor:
        return counts

    def sum_later(self, tensor: torch.Tensor) -> None:
        return None


AnyGroup = TensorGroup | LocalGroup


class _GatherSequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, group: TensorGroup):
        ctx.group = group
        return group._gather(x)

    @staticmethod
    def backward(ctx, grad):
        return ctx.group._scatter(grad.contiguous()), None


class _ScatterSequence(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, group: TensorGroup):
        ctx.group = group
        return group._scatter(x)

    @staticmethod
    def backward(ctx, grad):
        return ctx.group._gather(grad), None


class _AllToAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, group: TensorGroup, out_splits, in_splits):
        ctx.group, ctx.out_splits, ctx.in_splits = group, out_splits, in_splits
        return group._exchange(rows, out_splits, in_splits)

    @staticmethod
    def backward(ctx, grad):
        return ctx.group._exchange(grad, ctx.in_splits, ctx.out_splits), None, None, None
