"""One run for each occurrence, whatever brings the occurrence back."""

from __future__ import annotations

import pytest

from schedule_zero.instant import parse
from schedule_zero.run import RunState
from schedule_zero.trigger import IntervalTrigger
from tests.engine.house import House


@pytest.mark.slow
async def test_an_occurrence_that_has_its_run_gets_no_second_one(house: House) -> None:
    """Should a due time ever come back (a clock set back and an edit), its key stops it, and the schedule goes on."""
    start = house.clock.in_s(0.05)
    schedule = await house.schedule(IntervalTrigger(every="PT1S", start=start))
    await house.heard("run.created", schedule_id=schedule.id)
    await house.client.pause_schedule(schedule.id)
    first = (await house.runs(schedule.id))[0]
    await house.rewrite(schedule.id, state="active", next_due=parse(first.occurrence[2:]), last_due=None)
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    house.engine.tick._horizon._known.pop(schedule.id, None)
    await house.engine.consequences.schedules_changed([row])
    house.clock.move(1)
    await house.until(lambda: len(house.hands.calls) >= 2)
    runs = await house.runs(schedule.id)
    assert len({run.occurrence for run in runs}) == len(runs)
    assert sum(run.occurrence == first.occurrence for run in runs) == 1


async def test_an_occurrence_that_comes_back_while_its_run_waits_leaves_that_run_alone(house: House) -> None:
    house.hands.set_available(False)
    schedule = await house.every(3600)
    waiting = (await house.heard("run.created", schedule_id=schedule.id)).run_id
    row = await house.ledger.reader.schedules.get(schedule.id)
    assert row is not None
    assert row.last_due is not None
    await house.rewrite(schedule.id, next_due=row.last_due, last_due=None)
    again = await house.ledger.reader.schedules.get(schedule.id)
    assert again is not None
    house.engine.tick._horizon._known.pop(schedule.id, None)
    await house.engine.consequences.schedules_changed([again])
    await house.until(lambda: house.engine.tick.fired >= 2)
    assert [(run.id, run.state) for run in await house.runs(schedule.id)] == [(waiting, RunState.WAITING)]
