"""Three hundred simulated days: stops at every kind of await, faults everywhere, and nothing lost or doubled."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.postgres import Databases, databases
from tests.simulation.checker import faults
from tests.simulation.day import live
from tests.simulation.rows import ServerRows
from tests.simulation.world import Guards

__all__ = ["databases"]  # a fixture

SEEDS = 300
GROUP = 10
ON_A_SERVER = 8
GROUP_ON_A_SERVER = 2
_RUNS = "SELECT * FROM runs ORDER BY id"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(1, SEEDS + 1, GROUP))
def test_nothing_is_lost_or_doubled_whatever_is_stopped_where(first: int) -> None:
    for seed in range(first, first + GROUP):
        with closing(live(seed)) as story:
            assert story.stops > 0
            assert faults(story) == [], f"replay with: python -m tests.simulation {seed}"


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("first", range(1, ON_A_SERVER + 1, GROUP_ON_A_SERVER))
def test_nothing_is_lost_or_doubled_on_a_server_either(first: int, databases: Databases) -> None:
    for seed in range(first, first + GROUP_ON_A_SERVER):
        with databases.one() as name, closing(live(seed, rows=ServerRows(databases.server.url(name)))) as story:
            assert story.stops > 0
            assert faults(story) == [], f"replay with: python -m tests.simulation {seed} {seed} server"


@pytest.mark.slow
def test_a_day_on_a_server_is_the_day_in_memory(databases: Databases) -> None:
    with (
        databases.one() as name,
        closing(live(7, rows=ServerRows(databases.server.url(name)))) as there,
        closing(live(7)) as here,
    ):
        assert there.steps == here.steps
        assert there.world.chat.messages == here.world.chat.messages
        assert there.disk.rows.ask(_RUNS) == here.disk.rows.ask(_RUNS)


@pytest.mark.slow
def test_a_day_repeats_itself_from_its_seed() -> None:
    with closing(live(7)) as first, closing(live(7)) as again:
        assert first.steps == again.steps
        assert first.world.chat.messages == again.world.chat.messages


@pytest.mark.slow
@pytest.mark.parametrize("guards", [Guards(nonce=False), Guards(outbox=False)], ids=["nonce", "outbox"])
def test_without_one_of_the_guards_a_day_goes_wrong(guards: Guards) -> None:
    """The simulation can see what the guards are for: take one away and messages come twice."""
    assert any("posted" in fault for seed in range(1, 40) for fault in faults_of(seed, guards))


def faults_of(seed: int, guards: Guards) -> list[str]:
    with closing(live(seed, guards)) as story:
        return faults(story)
