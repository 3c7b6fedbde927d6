"""Limits that adapt find what a method bears, on a clock that only the test moves."""

from __future__ import annotations

import heapq
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.governor.adaptive import FIRST, MOST, Aimd, Gradient2, adaptive_of

KINDS: list[type[Aimd]] = [Aimd, Gradient2]


def serve(
    limit: Aimd, bears: int, *, seconds: float, base_s: float = 0.1, fails: bool = True
) -> list[tuple[float, int]]:
    """A server that bears so many at once, always with more to do; what the limit was, as time went on.

    With more than it bears it takes longer in proportion; ``fails``: and what it was given beyond that fails.
    """
    now, ends, seen = 0.0, list[tuple[float, int, float, bool]](), list[tuple[float, int]]()
    number = 0
    while now < seconds:
        while limit.in_flight < limit.allowed:
            limit.take(now)
            over = limit.in_flight > bears
            took = base_s * max(1.0, limit.in_flight / bears)
            number += 1
            heapq.heappush(ends, (now + took, number, now, not (over and fails)))
        now, _, taken_at, ok = heapq.heappop(ends)
        limit.ended(ok, now - taken_at, taken_at, now)
        seen.append((now, limit.allowed))
    return seen


def test_aimd_finds_what_a_server_bears_and_stays_near_it() -> None:
    seen = serve(Aimd(1, 100), 30, seconds=120.0)
    late = [allowed for at, allowed in seen if at > 60.0]
    assert min(late) >= 12
    assert max(late) <= 33
    assert sum(late) / len(late) > 18


def test_gradient2_stays_near_it_although_nothing_fails() -> None:
    seen = serve(Gradient2(1, 500), 30, seconds=300.0, fails=False)
    late = [allowed for at, allowed in seen if at > 20.0]
    assert min(late) >= 30
    assert max(late) < 70


def test_gradient2_learns_that_a_server_has_become_slower_for_good() -> None:
    limit = Gradient2(1, 100)
    for base_s, bears in ((0.1, 60), (0.5, 60)):
        seen = serve(limit, bears, seconds=400.0, base_s=base_s, fails=False)
        limit.in_flight = 0
        assert seen[-1][1] >= bears


@pytest.mark.parametrize("kind", KINDS)
def test_what_fails_together_halves_it_once(kind: type[Aimd]) -> None:
    limit = kind(1, 64)
    limit.limit = 64.0
    for _ in range(64):
        limit.take(0.0)
    for place in range(64):
        limit.ended(ok=False, took_s=0.1, taken_at=0.0, now=1.0 + place / 100)
    assert limit.allowed == 32
    limit.take(2.0)
    limit.ended(ok=False, took_s=0.1, taken_at=2.0, now=3.0)
    assert limit.allowed == 16


@pytest.mark.parametrize("kind", KINDS)
def test_it_never_grows_while_it_is_not_in_use(kind: type[Aimd]) -> None:
    limit = kind(1, 64)
    limit.limit = 64.0
    limit.take(0.0)
    limit.ended(ok=False, took_s=0.1, taken_at=0.0, now=0.1)
    for place in range(1000):
        limit.take(1.0 + place)
        limit.ended(ok=True, took_s=0.1, taken_at=1.0 + place, now=1.1 + place)
    assert limit.allowed == 32


def test_aimd_grows_by_one_in_a_round() -> None:
    limit, now = Aimd(1, 64), 0.0
    limit.limit = 8.0
    for expected in (9, 10, 11):
        now += 1.0
        for _ in range(limit.allowed):
            limit.take(now)
        for _ in range(limit.in_flight):
            limit.ended(ok=True, took_s=0.1, taken_at=now, now=now)
        limit.limit = float(round(limit.limit))
        assert limit.allowed == expected


@given(
    st.sampled_from(KINDS),
    st.integers(1, 5),
    st.integers(1, 50),
    st.lists(st.tuples(st.sampled_from([True, True, False, None]), st.floats(0, 10), st.booleans()), max_size=300),
)
def test_it_stays_between_its_bounds_and_counts_what_is_under_way(
    kind: Callable[[int, int | None], Aimd], least: int, most: int, steps: list[tuple[bool | None, float, bool]]
) -> None:
    limit, now, under_way = kind(least, most), 0.0, list[float]()
    for ok, seconds, start in steps:
        now += seconds
        if start and limit.in_flight < limit.allowed:
            limit.take(now)
            under_way.append(now)
        elif under_way:
            taken_at = under_way.pop(0)
            limit.ended(ok, now - taken_at, taken_at, now)
        assert min(least, most) <= limit.allowed <= most
        assert limit.in_flight == len(under_way)


def test_without_a_ceiling_it_begins_low() -> None:
    limit = adaptive_of("aimd", 1, None)
    assert limit is not None
    assert (limit.allowed, limit.most) == (FIRST, MOST)
    assert adaptive_of(None, 1, 50) is None
    assert isinstance(adaptive_of("gradient2", 1, 50), Gradient2)
