"""What a preview says is what happens: three years on a clock moved by hand, in a dozen zones, with all that moves times."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

import msgspec
import pytest

from core.engine.janitor import Retention
from core.engine.plan import rule_of
from schedule_zero.instant import DAY, spell
from schedule_zero.schedule import ActiveHours, Calendar, Policy
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, Trigger
from tests.engine.house import PATIENCE_S, House

Build = Callable[..., Awaitable[House]]
YEARS = 3
KEPT = 10 * 366 * DAY
ALL = {"catchup": "all", "catchup_window": None, "overlap": "allow"}
WEEKENDS = ActiveHours(windows=("MO-FR 08:00-18:00",), outside="later")
CASES: tuple[tuple[str, Trigger, dict[str, Any]], ...] = (
    ("Europe/Berlin", CronTrigger(expression="30 2 * * *"), {}),
    ("Europe/Berlin", CronTrigger(expression="30 2 * * *"), {"dst": "literal"}),
    ("America/New_York", CronTrigger(expression="15 1 * * *"), {"dst": "literal"}),
    ("Australia/Lord_Howe", CronTrigger(expression="45 1 * * *"), {}),
    ("America/Santiago", CronTrigger(expression="0 0 * * *"), {}),
    ("Africa/Cairo", CronTrigger(expression="0 0 L * *"), {}),
    ("Asia/Beirut", CronTrigger(expression="0 0 * * SUN"), {}),
    ("Pacific/Chatham", CronTrigger(expression="0 3 31 * *"), {"month_end": "clamp"}),
    ("America/St_Johns", IntervalTrigger(every="P1M", start="2026-03-31T02:30:00"), {"month_end": "last"}),
    ("Asia/Kolkata", IntervalTrigger(every="PT25H"), {}),
    ("Africa/Casablanca", CronTrigger(expression="30 2 * * *"), {}),
    ("America/Havana", RRuleTrigger(rule="FREQ=DAILY;INTERVAL=2", start="2026-03-04T00:30:00"), {}),
    ("Europe/London", CronTrigger(expression="0 9 * * *"), {"calendar": Calendar(country="GB", on_clash="later")}),
    ("Europe/Rome", CronTrigger(expression="0 9 1 * *"), {"calendar": Calendar(country="IT", on_clash="earlier")}),
    ("Asia/Tokyo", CronTrigger(expression="0 9 * * MON"), {"calendar": Calendar(country="JP")}),
    ("America/Los_Angeles", CronTrigger(expression="0 20 * * *"), {"active_hours": WEEKENDS}),
    ("Antarctica/Troll", RRuleTrigger(rule="FREQ=MONTHLY;BYDAY=-1SU", start="2026-03-29T01:30:00"), {}),
)  # fmt: skip


async def caught_up(house: House) -> None:
    """Until nothing in the ledger is due any more."""
    async with asyncio.timeout(PATIENCE_S):
        while (soonest := await house.ledger.reader.schedules.next_due_after(0)) is not None:
            if soonest > house.clock.now():
                return
            await asyncio.sleep(0.001)


@pytest.mark.slow
async def test_preview_equals_firing_for_three_years_in_a_dozen_zones(build: Build) -> None:
    house = await build(retention=Retention(runs=KEPT, events=KEPT))
    begin = house.clock.now()
    expected = dict[str, list[int]]()
    for zone, trigger, more in CASES:
        laid_around = {name: value for name, value in more.items() if name in ("calendar", "active_hours")}
        policy = ALL | {name: value for name, value in more.items() if name not in laid_around}
        made = await house.schedule(trigger, timezone=zone, policy=policy, **laid_around)
        row = await house.ledger.reader.schedules.get(made.id)
        assert row is not None
        rule = rule_of(row, msgspec.json.decode(row.policy, type=Policy))
        dues = rule.upcoming(begin, 1_200)
        shown = await house.client.preview_schedule(made.id, n=1_000)
        assert [fire.at for fire in shown.fires] == [spell(due) for due in dues[:1_000]]
        expected[made.id] = dues

    random = Random(1)
    while house.clock.now() < begin + YEARS * 366 * DAY:
        house.clock.move(random.uniform(0.2, 4) * 86_400)
        await caught_up(house)
    end = house.clock.now()

    fired = dict[str, list[int]]()
    for event in await house.told("run.created"):
        assert event.schedule_id is not None
        fired.setdefault(event.schedule_id, []).append(event.data["due"])
    for id, dues in expected.items():
        assert fired[id] == [due for due in dues if due <= end], (await house.client.get_schedule(id)).words
    assert not await house.told("run.skipped")
