"""When more is due at once than one tick takes, all of it becomes runs before attempts begin: up to a bound."""

from __future__ import annotations

import msgspec
import pytest

from core.engine import scheduler
from core.engine.ports import Pace
from schedule_zero.trigger import DateTrigger
from tests.engine.conftest import Build
from tests.engine.house import PACE, House

# APScheduler asks for a hundred at a time, so no tick is smaller.
ONE_TICK = 100
DUE = 3 * ONE_TICK


@pytest.fixture(autouse=True)
def small_ticks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "TICK_LIMIT", ONE_TICK)


async def storm(house: House, due: int = DUE, *, run: bool = True) -> None:
    """So many one-shots of as many guilds, due at one instant that has come."""
    at = house.clock.in_s(3600)
    items = [
        {"handler": "hands", "method": "work", "guild_id": str(n), "trigger": {"type": "date", "at": at}}
        for n in range(due)
    ]
    assert {item.status for item in (await house.client.create_schedules(items)).items} == {201}
    house.clock.set(3601)
    if run:
        house.run()


async def test_what_is_due_at_once_is_all_there_before_the_first_attempt(build: Build) -> None:
    house = await build(run=False, pace=_pace(60.0))
    await storm(house)
    await house.heard("run.succeeded", count=DUE)
    kinds = [event.kind for event in await house.told("run.created", "run.dispatched")]
    assert kinds.index("run.dispatched") == kinds.count("run.created") == DUE


async def test_a_run_due_after_a_storm_is_given_out_before_the_storm_has_become_runs(build: Build) -> None:
    house = await build(run=False, pace=_pace(0.0))
    await storm(house, due=10 * ONE_TICK, run=False)
    quiet = await house.schedule(DateTrigger(at=house.clock.in_s(-0.5)), guild_id="quiet")
    house.run()
    await house.heard("run.succeeded", schedule_id=quiet.id)
    created = await house.told("run.created")
    started = next(event for event in await house.told("run.dispatched") if event.schedule_id == quiet.id)
    assert sum(event.seq < started.seq for event in created) < 10 * ONE_TICK


@pytest.mark.slow
async def test_ticks_that_never_catch_up_do_not_starve_what_they_made(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = await build(run=False, pace=_pace(0.001))
    monkeypatch.setattr(house.engine.tick._caught_up, "set", lambda: None)
    house.engine.tick._caught_up.clear()
    await storm(house)
    await house.heard("run.succeeded", count=DUE)


def _pace(seconds: float) -> Pace:
    return msgspec.structs.replace(PACE, ticks_first_s=seconds)
