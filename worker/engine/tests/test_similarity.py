"""Expert similarity against the pairs' own cosines, with experts and their weights spread over ranks."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from moestro_engine.training.similarity import expert_similarity
from tests.helpers import make_job, make_plan
from tests.spawn import train_standalone

NUM_EXPERTS, HIDDEN, FFN = 6, 5, 8


def random_parts(seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    shapes = [(HIDDEN, FFN), (HIDDEN, FFN), (FFN, HIDDEN)]
    return [torch.randn(NUM_EXPERTS, *shape, generator=generator) + 0.3 for shape in shapes]


def mean_cosine(parts: list[torch.Tensor]) -> float:
    """Every pair by itself."""
    vectors = torch.cat([part.double().flatten(1) for part in parts], dim=1)
    pairs = [(e, f) for e in range(len(vectors)) for f in range(e)]
    return sum(torch.cosine_similarity(vectors[e], vectors[f], dim=0).item() for e, f in pairs) / len(pairs)


def alone(whole: torch.Tensor) -> torch.Tensor:
    return whole


def on_ranks(shares: list[list[torch.Tensor]], across_experts: bool) -> list[float]:
    """What each of some ranks gets, a thread a rank; they meet at every sum."""
    meeting = threading.Barrier(len(shares), timeout=20)
    given: list[torch.Tensor | None] = [None] * len(shares)

    def measure(rank: int) -> float:
        def summed(tensor: torch.Tensor) -> torch.Tensor:
            given[rank] = tensor
            meeting.wait()
            total = torch.stack(given).sum(0)
            meeting.wait()
            return total

        sums = (summed, alone) if across_experts else (alone, summed)
        return expert_similarity(shares[rank], NUM_EXPERTS, *sums).item()

    with ThreadPoolExecutor(len(shares)) as ranks:
        return list(ranks.map(measure, range(len(shares))))


def test_it_is_the_mean_cosine_over_pairs():
    parts = random_parts()
    assert expert_similarity(parts, NUM_EXPERTS, alone, alone).item() == pytest.approx(mean_cosine(parts), abs=1e-6)


def test_copies_have_similarity_one_whatever_their_length():
    parts = [part[:1].expand_as(part) * torch.arange(1, NUM_EXPERTS + 1)[:, None, None] for part in random_parts()]
    assert expert_similarity(parts, NUM_EXPERTS, alone, alone).item() == pytest.approx(1.0, abs=1e-6)


def test_opposite_experts_have_similarity_minus_one_and_experts_of_zeros_none():
    vector = torch.ones(1, HIDDEN, FFN)
    assert expert_similarity([torch.cat([vector, -vector])], 2, alone, alone).item() == pytest.approx(-1.0, abs=1e-6)
    assert torch.isfinite(expert_similarity([torch.zeros(2, HIDDEN, FFN)], 2, alone, alone))


def test_experts_spread_over_ranks_give_the_same():
    parts = random_parts()
    shares = [[part[start : start + 2] for part in parts] for start in (0, 2, 4)]
    assert on_ranks(shares, across_experts=True) == pytest.approx([mean_cosine(parts)] * 3, abs=1e-6)


def test_experts_cut_along_their_hidden_width_give_the_same():
    w1, w3, w2 = random_parts()
    shares = [[w1[..., cut], w3[..., cut], w2[:, cut]] for cut in (slice(0, 4), slice(4, 8))]
    assert on_ranks(shares, across_experts=False) == pytest.approx([mean_cosine([w1, w3, w2])] * 2, abs=1e-6)


def test_bf16_weights_are_measured_in_fp32():
    parts = [part.bfloat16() for part in random_parts()]
    assert expert_similarity(parts, NUM_EXPERTS, alone, alone).item() == pytest.approx(mean_cosine(parts), abs=1e-6)


def small_job(cache, **changes):
    # Without a capacity all layouts compute the same.
    sizes = {"num_layers": 2, "hidden_size": 32, "head_dim": 8, "ffn_hidden_size": 32, "capacity_factor": 0}
    return make_job(cache, validation_every_steps=2, **sizes, **changes)


@pytest.fixture(scope="module")
def by_one_rank(tmp_path_factory):
    folder = tmp_path_factory.mktemp("one")
    job = small_job(folder / "cache", steps=3)
    return train_standalone(folder / "run", job, make_plan(job))


def test_it_is_reported_in_steps_that_validate_and_near_zero_for_random_experts(by_one_rank):
    assert [sorted(by_one_rank[step].similarities) for step in (1, 2, 3)] == [[], [0, 1], [0, 1]]
    for (value,) in by_one_rank[3].similarities.values():
        assert abs(value) < 0.1


@pytest.mark.parametrize(
    "layout",
    [{"tp": 2}, {"tp": 2, "ep": 1, "etp": 2}, {"dp": 2, "sharding": "FSDP"}, {"stages": (1, 1)}],
    ids=["edp", "etp", "fsdp", "pp"],
)
def test_two_ranks_agree_with_one_however_experts_lie_on_them(layout, by_one_rank, tmp_path):
    job = small_job(tmp_path / "cache", steps=3)
    steps = train_standalone(tmp_path / "run", job, make_plan(job, **layout))
    for layer in (0, 1):
        # One value: both ranks of a layer say the same.
        (value,) = steps[3].similarities[layer]
        assert value == pytest.approx(*by_one_rank[3].similarities[layer], abs=1e-5)
