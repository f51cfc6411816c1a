"""How alike the experts of a layer are, which tells whether they specialise.

The Skywork-MoE report (arXiv 2406.06563, the section on upcycling against training from scratch) watches
expert similarity through training: 0.23, 0.15 and 0.08 for upcycled models under three schedules and 0.00
from scratch, higher is worse. Upcycled experts are copies and start at 1; experts drawn at random are
nearly orthogonal and start near 0. The definition here:

v_e being all weights (w1, w3 and w2) of expert e of n as one vector, the mean cosine over pairs e, f. With
u_e = v_e / ||v_e|| the pairs need not be formed:

    ||sum_e u_e||^2 = n + sum_{e != f} <u_e, u_f>,  so  mean cosine = (||sum_e u_e||^2 - n) / (n (n - 1))
"""

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch.distributed.fsdp import FSDPModule

from moestro.v1 import report_pb2
from moestro_engine.model.experts import Experts
from moestro_engine.parallel.groups import Group, Groups
from moestro_engine.training.context import Context

# Sums a tensor over ranks and returns the total.
Sum = Callable[[torch.Tensor], torch.Tensor]


@torch.no_grad()
def expert_similarity(
    weights: Sequence[torch.Tensor], num_experts: int, sum_over_experts: Sum, sum_over_shards: Sum
) -> torch.Tensor:
    """Mean cosine between pairs of a layer's experts, fp64 scalar in [-1 / (n - 1), 1]; needs n >= 2.

    ``weights`` are the parts of this rank's experts, [L, ...] each, L of the layer's ``num_experts``.
    ``sum_over_experts`` runs over the ranks that hold the layer's other experts, ``sum_over_shards`` over
    those that hold the rest of these experts (expert-tensor parallelism). Per part one tensor of the size
    of one expert's part is summed.
    """
    squared_L = sum_over_shards(sum(part.double().square().flatten(1).sum(1) for part in weights))
    # An expert of zeros has no direction; it must not make the layer's figure NaN.
    inverse_L = squared_L.clamp_min(torch.finfo(torch.float32).tiny).rsqrt().float()
    squared = squared_L.new_zeros(())
    for part in weights:
        total = sum_over_experts(torch.tensordot(inverse_L, part.float(), dims=1))
        squared += total.double().square().sum()
    return (sum_over_shards(squared) - num_experts) / (num_experts * (num_experts - 1))


def report_similarity(context: Context, report: report_pb2.StepReport) -> None:
    """Measure every layer of the stage and write it into the step's report; reads the device once a layer.

    Collective over the ranks that hold a layer's experts.
    """
    num_experts = context.job.moe.num_experts
    if num_experts < 2:
        return

    found = {
        int(name): _layer_similarity(layer.moe.experts, num_experts, context.groups)
        for chunk in context.chunks
        for name, layer in chunk.model.layers.items()
        if layer.moe is not None
    }
    for layer in report.layers:
        if layer.layer in found:
            layer.expert_similarity = found[layer.layer]


def _layer_similarity(experts: Experts, num_experts: int, groups: Groups) -> float:
    if isinstance(experts, FSDPModule):
        experts.unshard()
    weights = (experts.w1, experts.w3, experts.w2)
    value = expert_similarity(weights, num_experts, _sum_over(groups.ep), _sum_over(groups.etp)).item()
    if isinstance(experts, FSDPModule):
        experts.reshard()
    return value


def _sum_over(group: Group) -> Sum:
    def total(tensor: torch.Tensor) -> torch.Tensor:
        if group is not None:
            dist.all_reduce(tensor, group=group)
        return tensor

    return total
