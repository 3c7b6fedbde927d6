"""Single due times: skipped, moved, and taken back, with the series as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded
from schedule_zero.instant import parse
from schedule_zero.schedule import Calendar
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger
from tests.engine.house import House, plan
from tests.service.people import ANNA, MOD, STRANGER, as_, post

DAILY = CronTrigger(expression="0 9 * * *")
Build = Callable[..., Awaitable[House]]


def times(fires: tuple[str, ...]) -> list[str]:
    return [time[5:16] for time in fires]


async def test_the_next_time_is_skipped_and_no_other(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    skipped = await as_(house, MOD).skip_occurrence(made.id)
    assert times(skipped.next_fire_times)[:2] == ["03-05T09:00", "03-06T09:00"]
    assert skipped.trigger == made.trigger
    again = await as_(house, MOD).skip_occurrence(made.id, "2026-03-06T09:00:00Z")
    assert times(again.next_fire_times)[:2] == ["03-05T09:00", "03-07T09:00"]
    assert "2026-03-06 09:00 is skipped" in again.notes


async def test_a_skipped_time_comes_back_with_undo(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    skipped = await as_(house, MOD).skip_occurrence(made.id)
    assert skipped.undo is not None
    back = await as_(house, MOD).undo(skipped.undo.token)
    assert back.next_fire_times == made.next_fire_times


async def test_a_time_is_moved_and_moved_on_and_known_by_its_own_instant(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    moved = await as_(house, MOD).move_occurrence(made.id, "2026-03-04T15:00:00Z", "t:2026-03-04T09:00:00Z")
    assert times(moved.next_fire_times)[:2] == ["03-04T15:00", "03-05T09:00"]
    assert moved.notes[0] == "moved from 2026-03-04 09:00 to 2026-03-04 15:00"
    on = await as_(house, MOD).move_occurrence(made.id, "in 30 hours", "2026-03-04T15:00:00Z")
    assert times(on.next_fire_times)[:2] == ["03-04T18:00", "03-05T09:00"]
    assert on.notes[0] == "moved from 2026-03-04 09:00 to 2026-03-04 18:00"
    skipped = await as_(house, MOD).skip_occurrence(made.id, "t:2026-03-04T09:00:00Z")
    assert times(skipped.next_fire_times)[0] == "03-05T09:00"


async def test_a_moved_time_fires_once_under_its_own_instant(build: Build) -> None:
    house = await build()
    made = await house.schedule(IntervalTrigger(every="PT1H", start="2026-03-03T13:00:00Z"))
    await house.client.move_occurrence(made.id, "2026-03-03T12:30:00Z")
    house.clock.move(31 * 60)
    run = await house.client.get_run((await house.heard("run.succeeded")).run_id or "")
    assert run.occurrence == "t:2026-03-03T13:00:00+00:00"
    assert run.due == "2026-03-03T12:30:00+00:00"
    house.clock.move(91 * 60)
    second = await house.client.get_run((await house.heard("run.succeeded", count=2)).run_id or "")
    assert second.occurrence == "t:2026-03-03T14:00:00+00:00"


async def test_what_cannot_be_skipped_or_moved_is_refused_in_one_sentence(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    mod = as_(house, MOD)
    with pytest.raises(Invalid, match="its next times are 2026-03-04T09:00:00"):
        await mod.skip_occurrence(made.id, "2026-03-04T10:00:00Z")
    with pytest.raises(Invalid, match="skip this time instead"):
        await mod.move_occurrence(made.id, "2026-03-05T09:00:00Z")
    with pytest.raises(Invalid, match="past"):
        await mod.move_occurrence(made.id, "2026-03-01T09:00:00Z")
    with pytest.raises(Invalid, match="no instant"):
        await mod.skip_occurrence(made.id, "tomorrow-ish")
    once = await post(house, MOD, trigger=DateTrigger(at="2026-03-05T08:00:00Z"))
    with pytest.raises(Conflict, match="last time"):
        await mod.skip_occurrence(once.id)
    await mod.pause_schedule(made.id)
    with pytest.raises(Conflict, match="resume it first"):
        await mod.skip_occurrence(made.id)


async def test_a_single_time_is_moved_too(house: House) -> None:
    once = await post(house, MOD, trigger=DateTrigger(at="2026-03-05T08:00:00Z"))
    moved = await as_(house, MOD).move_occurrence(once.id, "2026-03-06T10:00:00Z")
    assert times(moved.next_fire_times) == ["03-06T10:00"]


async def test_a_time_off_a_day_off_is_skipped_by_either_instant(house: House) -> None:
    off = Calendar(dates=("2026-03-05",), on_clash="later")
    weekly = CronTrigger(expression="0 9 * * THU")
    for named in ("2026-03-05T09:00:00Z", "2026-03-06T09:00:00Z"):
        made = await post(house, MOD, trigger=weekly, calendar=off)
        skipped = await as_(house, MOD).skip_occurrence(made.id, named)
        assert times(skipped.next_fire_times)[0] == "03-12T09:00"


async def test_a_new_rule_forgets_single_times_of_the_old_one(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    await as_(house, MOD).skip_occurrence(made.id)
    same = await as_(house, MOD).patch_schedule(made.id, {"name": "kept"})
    assert times(same.next_fire_times)[0] == "03-05T09:00"
    new = await as_(house, MOD).patch_schedule(made.id, {"trigger": {"type": "cron", "expression": "30 9 * * *"}})
    assert times(new.next_fire_times)[0] == "03-04T09:30"


async def test_only_who_may_make_it_act_skips_and_moves(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    with pytest.raises((Forbidden, NotFound)):
        await as_(house, ANNA).skip_occurrence(made.id)
    with pytest.raises(NotFound):
        await as_(house, STRANGER).move_occurrence(made.id, "2026-03-04T15:00:00Z")


async def test_next_due_stands_in_the_ledger_as_it_is_answered(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY)
    moved = await as_(house, MOD).move_occurrence(made.id, "2026-03-03T20:00:00Z")
    row = await house.ledger.reader.schedules.get(made.id)
    assert row is not None
    assert row.next_due == parse(moved.next_fire_times[0]) == parse("2026-03-03T20:00:00Z")


async def test_a_time_that_was_moved_ahead_and_fired_is_promised_by_no_new_rule_nor_undo(build: Build) -> None:
    house = await build()
    for undone in (False, True):
        made = await house.schedule(DAILY)
        moved = await house.client.move_occurrence(made.id, house.clock.in_s(60))
        house.clock.move(61)
        await house.heard("run.succeeded", schedule_id=made.id)
        assert moved.undo is not None
        weekly = {"trigger": {"type": "cron", "expression": "0 9 * * WED"}}
        now = await (house.client.undo(moved.undo.token) if undone else house.client.patch_schedule(made.id, weekly))
        assert times(now.next_fire_times)[0] == ("03-05T09:00" if undone else "03-11T09:00")


async def test_a_series_of_so_many_times_is_moved_no_farther_than_its_next_one(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY, count=2)
    with pytest.raises(Invalid, match="so many times"):
        await as_(house, MOD).move_occurrence(made.id, "2026-03-08T10:00:00Z")
    moved = await as_(house, MOD).move_occurrence(made.id, "2026-03-04T18:00:00Z")
    assert times(moved.next_fire_times) == ["03-04T18:00", "03-05T09:00"]


async def test_a_time_is_moved_no_nearer_to_another_than_the_plan_allows(build: Build) -> None:
    house = await build(governor=plan(min_interval="PT5M", schedules=5))
    made = await house.schedule(DAILY)
    with pytest.raises(QuotaExceeded, match="shortest interval"):
        await house.client.move_occurrence(made.id, "2026-03-05T08:58:00Z")
    moved = await house.client.move_occurrence(made.id, "2026-03-05T08:50:00Z")
    assert times(moved.next_fire_times)[0] == "03-05T08:50"
    again = await house.client.move_occurrence(made.id, "2026-03-05T08:52:00Z")
    assert times(again.next_fire_times)[0] == "03-05T08:52"
