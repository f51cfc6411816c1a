"""The collectives of one group, differentiable, timed, under one name for all torch versions.

On one rank ``LocalGroup`` does nothing, so the model's code is the same with and without parallelism.
"""

import torch
import torch.distributed as dist

from moestro_engine.parallel.clock import Clock

# torch 2.13 renamed both; 2.11 and 2.12 only know the older names.
all_gather_single = getattr(dist, "all_gather_single", None) or dist.all_gather_into_tensor
reduce_scatter_single = getattr(dist, "reduce_scatter_single", None) or dist.reduce_scatter_tensor


def reduce_scatter(parts: torch.Tensor, group: dist.ProcessGroup) -> torch.Tensor:
    """[ranks, ...] of every rank → the sum over ranks of this rank's part, [...]."""
    if parts.is_cuda:
        mine = torch.empty_like(parts[0])
        reduce_scatter_single(mine, parts, group=group)
        return mine
    # gloo's own reduce-scatter takes three to four times as long as exchanging and adding.
    received = torch.empty_like(parts)
    dist.all_to_all_single(received, parts, group=group)
    return received.sum(0)


class TensorGroup:
    """One group of ranks, and the clock its collectives run against."""

    def __init__(self, group: dist.ProcessGroup, clock: Clock) -> None:
        self.group = group
        self.size = dist.get_world_size(group)
        self.rank = dist.get_rank(group)
        self.clock = clock

    def gather_sequence(self, x_BsD: torch.Tensor) -> torch.Tensor:
        """[B, S/n, D] of every rank → [B, S, D]; the gradient is summed and scattered back."""
        return _GatherSequence.apply(x_BsD, self)

    def scatter_sequence(self, x_BSD: torch.Tensor) -> torch.Tensor:
        """Partial sums [B, S, D] of every rank → their total's own part [B, S/n, D]; the gradient is gathered."""
        return _ScatterSequence.apply(x_BSD, self)

    def all_to_all(
        self, rows: torch.Tensor, out_splits: list[int] | None = None, in_splits: list[int] | None = None
    ) -> torch.Tensor:
        """Exchange rows [R, ...] between ranks, evenly or by the given row counts; so does the gradient, backwards."""
        return _AllToAll.apply(rows, self, out_splits, in_splits)

    def start_all_to_all(
        self, rows: torch.Tensor, out_splits: list[int] | None = None, in_splits: list[int] | None = None
    ) -> "Arriving":
        """The same, under way while the caller does something else; and so are its gradients on the way back."""
        arriving = Arriving(self, out_splits, in_splits)
        arriving.rows = _Start.apply(rows, arriving)
        return arriving

    def gather_rows(self, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        """Rows [counts[r], ...] of every rank r → all of them in order of rank; the gradient is summed and scattered back."""
        return _GatherRows.apply(rows, self, counts)

    def scatter_rows(self, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        """The reverse: partial sums of all rows → the total of this rank's own; the gradient is gathered."""
        return _ScatterRows.apply(rows, self, counts)

    def exchange_counts(self, counts: torch.Tensor) -> torch.Tensor:
        """Send part r of a flat integer tensor to rank r and return what the others sent."""
        received = torch.empty_like(counts)
        self.clock.start()
        dist.all_to_all_single(received, counts, group=self.group)
        self.clock.stop()
        return received

    def gather_counts(self, counts: torch.Tensor) -> torch.Tensor:
        """A flat integer tensor of every rank, one after the other: [n * N]."""
        return self._gather(counts[None])[0]

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
        by_rank = x_BSD.view(batch, self.size, length // self.size, *rest).transpose(0, 1).contiguous()
        self.clock.start()
        mine = reduce_scatter(by_rank, self.group)
        self.clock.stop()
        return mine

    def _exchange(self, rows: torch.Tensor, out_splits: list[int] | None, in_splits: list[int] | None) -> torch.Tensor:
        num_rows = rows.shape[0] if out_splits is None else sum(out_splits)
        received = rows.new_empty(num_rows, *rows.shape[1:])
        self.clock.start()
        dist.all_to_all_single(received, rows.contiguous(), out_splits, in_splits, group=self.group)
        self.clock.stop()
        return received

    def _copy_to_all(self, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        return self._exchange(torch.cat([rows] * self.size), counts, [counts[self.rank]] * self.size)

    def _sum_at_owner(self, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        received = self._exchange(rows, [counts[self.rank]] * self.size, counts)
        return received.view(self.size, counts[self.rank], *rows.shape[1:]).sum(0)


class Arriving:
    """Rows on their way from other ranks."""

    def __init__(self, group: TensorGroup, out_splits: list[int] | None, in_splits: list[int] | None) -> None:
        self._group = group
        self._out_splits, self._in_splits = out_splits, in_splits
        self._work: dist.Work | None = None
        self._received: torch.Tensor | None = None
        self.rows: torch.Tensor | None = None

    def wait(self) -> torch.Tensor:
        """The rows, all here."""
        return _Wait.apply(self.rows, self)

    def send(self, rows: torch.Tensor, back: bool) -> torch.Tensor:
        """Start the exchange, ``back`` that of the gradients; what is returned is not filled yet."""
        splits = (self._in_splits, self._out_splits) if back else (self._out_splits, self._in_splits)
        num_rows = rows.shape[0] if splits[0] is None else sum(splits[0])
        received = rows.new_empty(num_rows, *rows.shape[1:])
        self._work = dist.all_to_all_single(received, rows.contiguous(), *splits, group=self._group.group, async_op=True)
        self._received = received
        return received

    def finish(self) -> torch.Tensor:
        """Wait for what ``send`` started and return it; only this counts as communication, the rest was hidden."""
        self._group.clock.start()
        self._work.wait()
        self._group.clock.stop()
        received, self._received, self._work = self._received, None, None
        return received


class Here:
    """Rows that need not travel."""

    def __init__(self, rows: torch.Tensor) -> None:
        self._rows = rows

    def wait(self) -> torch.Tensor:
        return self._rows


class LocalGroup:
    """A group of one rank."""

    size = 1
    rank = 0

    def gather_sequence(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return x_BSD

    def scatter_sequence(self, x_BSD: torch.Tensor) -> torch.Tensor:
        return x_BSD

    def all_to_all(
        self, rows: torch.Tensor, out_splits: list[int] | None = None, in_splits: list[int] | None = None
    ) -> torch.Tensor:
        return rows

    def start_all_to_all(
        self, rows: torch.Tensor, out_splits: list[int] | None = None, in_splits: list[int] | None = None
    ) -> Here:
        return Here(rows)

    def gather_rows(self, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        return rows

    def scatter_rows(self, rows: torch.Tensor, counts: list[int]) -> torch.Tensor:
        return rows

    def exchange_counts(self, counts: torch.Tensor) -> torch.Tensor:
        return counts

    def gather_counts(self, counts: torch.Tensor) -> torch.Tensor:
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


class _Start(torch.autograd.Function):
    """Its gradient is what ``_Wait`` sent back, whatever autograd hands it; what ran in between forwards does so backwards."""

    @staticmethod
    def forward(ctx, rows, arriving: Arriving):
        ctx.arriving = arriving
        return arriving.send(rows, back=False)

    @staticmethod
    def backward(ctx, grad):
        return ctx.arriving.finish(), None


class _Wait(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, arriving: Arriving):
        ctx.arriving = arriving
        arriving.finish()
        return rows.view_as(rows)

    @staticmethod
    def backward(ctx, grad):
        ctx.arriving.send(grad, back=True)
        # Of the shape that autograd wants here; the gradients themselves are on their way to _Start.
        return grad, None


class _GatherRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, group: TensorGroup, counts):
        ctx.group, ctx.counts = group, counts
        return group._copy_to_all(rows, counts)

    @staticmethod
    def backward(ctx, grad):
        return ctx.group._sum_at_owner(grad, ctx.counts), None, None


class _ScatterRows(torch.autograd.Function):
    @staticmethod
    def forward(ctx, rows, group: TensorGroup, counts):
        ctx.group, ctx.counts = group, counts
        return group._sum_at_owner(rows, counts)

    @staticmethod
    def backward(ctx, grad):
        return ctx.group._copy_to_all(grad, ctx.counts), None, None
