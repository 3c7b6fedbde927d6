"""Long tests begin early, as many with each worker, and none is lost on the way."""

from __future__ import annotations

import pytest

from tests.turns import early


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("long", [0, 1, 7, 60])
def test_long_ones_lie_in_the_first_two_thirds_of_every_workers_tests(workers: int, long: int) -> None:
    heavy = [f"long {n}" for n in range(long)]
    light = [f"short {n}" for n in range(1000)]
    ordered = early(heavy, light, workers)
    assert sorted(ordered) == sorted(heavy + light)
    pieces = [ordered[len(ordered) * n // workers : len(ordered) * (n + 1) // workers] for n in range(workers)]
    counts = [sum(test in heavy for test in piece) for piece in pieces]
    assert max(counts) - min(counts) <= 1
    for piece in pieces:
        assert not set(heavy) & set(piece[len(piece) * 2 // 3 :])


def test_where_there_are_none_the_order_stays() -> None:
    assert early([], [1, 2, 3], 3) == [1, 2, 3]


@pytest.mark.parametrize("workers", [1, 3])
def test_long_ones_alone_are_shared_out(workers: int) -> None:
    assert sorted(early([1, 2, 3, 4], [], workers)) == [1, 2, 3, 4]
