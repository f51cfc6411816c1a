"""Operations with a backward pass of their own, against finite differences and against torch's."""

import pytest
import torch
import torch.nn.functional as F
from torch.autograd import gradcheck

from moestro_engine.kernels.cross_entropy import summed_cross_entropy
from moestro_engine.kernels.grouped import looped_swiglu
from moestro_engine.kernels.swiglu import swiglu
from moestro_engine.model.experts import Experts
from moestro_engine.model.rms_norm import RmsNorm
from moestro_engine.model.rotary import rotary_table, rotate

COUNTS = [3, 0, 5]


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=True)


def test_gradients_agree_with_finite_differences():
    torch.manual_seed(1)
    table = [part.double() for part in rotary_table(5, 6, 1e4, torch.device("cpu"))]
    norm = RmsNorm(7, eps=1e-5, dtype=torch.float64)
    weights = random(3, 4, 6), random(3, 4, 6), random(3, 6, 4)
    assert gradcheck(lambda x: rotate(x, *table), random(2, 3, 5, 6))
    assert gradcheck(swiglu, (random(4, 3), random(4, 3)))
    assert gradcheck(lambda x, w: torch.func.functional_call(norm, {"weight": w}, x), (random(2, 3, 7), random(7)))
    assert gradcheck(lambda x, *w: looped_swiglu(x, COUNTS, *w), (random(8, 4), *weights))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_cross_entropy_is_torchs_and_so_is_its_gradient(dtype):
    torch.manual_seed(2)
    logits = torch.randn(6, 11).to(dtype).requires_grad_()
    target = torch.tensor([0, 10, 3, 3, 5, 9])
    ours = 0.5 * summed_cross_entropy(logits, target)
    theirs = 0.5 * F.cross_entropy(logits.float(), target, reduction="sum")
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(torch.autograd.grad(ours, logits), torch.autograd.grad(theirs, logits))


@pytest.mark.parametrize("shape", ["ragged", "even"])
def test_gradients_added_in_place_equal_the_sum_of_those_that_autograd_returns(shape):
    torch.manual_seed(3)
    experts = Experts(3, 8, 12)
    for parameter in experts.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    found = []
    for experts.adds_up_gradients in (False, True):
        for parameter in experts.parameters():
            parameter.grad = torch.zeros_like(parameter)
        generator = torch.Generator().manual_seed(4)
        for _ in range(2):
            rows = torch.randn(3, 4, 8, generator=generator)
            out = experts.even(rows) if shape == "even" else experts.ragged(rows[:2].flatten(0, 1), COUNTS)
            out.square().sum().backward()
        found.append([parameter.grad for parameter in experts.parameters()])
    assert all(gradient.abs().max() > 0 for gradient in found[0])
    torch.testing.assert_close(found[0], found[1])
