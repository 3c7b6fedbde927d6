"""One guild floods, fifty quiet guilds must not feel it: messaging study, section 3.2, in virtual time."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from benchmarks.fairness.floor import simulate
from benchmarks.fairness.policies import Fifo, Governed, Policy
from core.governor.fairness import Waiting

pytestmark = pytest.mark.slow

SLOTS, RUN_S, QUIET_GUILDS, SECONDS = 100, 0.2, 50, 25
CAPACITY = SLOTS / RUN_S


def floods(guilds: int, runs: int) -> list[tuple[float, Waiting]]:
    return [
        (0.0, Waiting(f"flood{guild}-{place:05}", f"flood{guild}", "h.m", "h", 1, 0))
        for guild in range(guilds)
        for place in range(runs)
    ]


def quiet() -> list[tuple[float, Waiting]]:
    """Each of fifty guilds has one run per second, at its own moment of it."""
    dice = random.Random(3)
    offsets = [dice.random() for _ in range(QUIET_GUILDS)]
    return [
        (second + offset, Waiting(f"quiet{guild:02}-{second:02}", f"quiet{guild}", "h.m", "h", 1, second + 1))
        for guild, offset in enumerate(offsets)
        for second in range(SECONDS)
    ]


def run_all(policy: Policy, arrivals: Sequence[tuple[float, Waiting]]) -> tuple[float, float]:
    """The 99th percentile of what quiet runs waited, and when the flood had ended."""
    came = {entry.run_id: at for at, entry in arrivals}
    times = simulate(policy, arrivals, slots=SLOTS, run_s=lambda entry: RUN_S)
    assert times.keys() == came.keys()
    waits = sorted(start - came[run_id] for run_id, (start, _) in times.items() if run_id.startswith("quiet"))
    return waits[len(waits) * 99 // 100], max(end for run_id, (_, end) in times.items() if run_id.startswith("flood"))


def test_a_flood_of_ten_thousand_is_not_felt_by_quiet_guilds() -> None:
    arrivals = [*floods(1, 10_000), *quiet()]
    p99, ended = run_all(Governed(SLOTS), arrivals)
    _, fifo_ended = run_all(Fifo(), arrivals)
    print(f"quiet p99 {p99 * 1000:.1f} ms, flood ended after {ended:.1f} s, first come first served {fifo_ended:.1f} s")
    assert p99 <= 0.050
    assert ended <= 1.35 * fifo_ended


def test_without_the_cap_the_same_flood_is_felt() -> None:
    p99, _ = run_all(Governed(SLOTS, largest_share=1.0), [*floods(1, 10_000), *quiet()])
    assert p99 > 0.050


def test_without_fair_queueing_the_same_flood_is_felt() -> None:
    p99, _ = run_all(Fifo(), [*floods(1, 10_000), *quiet()])
    assert p99 > 5.0


def test_several_floods_cost_quiet_guilds_at_most_one_run_and_a_cap_alone_does_not_do_that() -> None:
    arrivals = [*floods(3, 3000), *quiet()]
    p99, _ = run_all(Governed(SLOTS), arrivals)
    capped, _ = run_all(Fifo(cap=80), arrivals)
    print(f"three floods: quiet p99 {p99 * 1000:.0f} ms, with a cap alone {capped:.1f} s")
    assert p99 <= RUN_S + 0.01
    assert capped > 5.0


def test_all_slots_are_used_while_anything_waits() -> None:
    times = simulate(Governed(SLOTS), floods(3, 2000), slots=SLOTS, run_s=lambda entry: RUN_S)
    assert max(end for _, end in times.values()) == pytest.approx(6000 / CAPACITY)
