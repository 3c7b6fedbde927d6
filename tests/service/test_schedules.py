"""Creating schedules: what is understood and said back; bounds, zones, names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from schedule_zero.errors import Conflict, Invalid
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.engine.house import House
from tests.service.people import ANNA_ALONE, MOD, REMINDER, post, remind

Build = Callable[..., Awaitable[House]]
HOURLY = CronTrigger(expression="0 * * * *")


async def refusal(asking: Awaitable[object]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        await asking
    return caught.value


# ── what is understood is said back ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "kind", "first", "words"),
    [
        ("in 2 hours", "date", "2026-03-03T15:00", "3 March"),
        ("tomorrow at 5pm", "date", "2026-03-04T17:00:00+01:00", "17:00"),
        ("every weekday at 9", "cron", "2026-03-04T09:00:00+01:00", "weekday"),
        ("every 15 minutes", "interval", "2026-03-03T13:15", "15 minutes"),
        ("0 9 * * MON-FRI", "cron", "2026-03-04T09:00:00+01:00", "9"),
        ("RRULE:FREQ=WEEKLY;BYDAY=MO", "rrule", "2026-03-09T09:00:00+01:00", "Monday"),
    ],
)
async def test_text_is_saved_as_what_it_was_read_as_and_said_back(
    house: House, text: str, kind: str, first: str, words: str
) -> None:
    schedule = await house.schedule(TextTrigger(text=text), timezone="Europe/Berlin")
    assert msgspec.to_builtins(schedule.trigger)["type"] == kind
    assert schedule.next_fire_times[0].startswith(first)
    assert words.lower() in schedule.words.lower()
    assert schedule.timezone == "Europe/Berlin"


@pytest.mark.parametrize(
    ("trigger", "field"),
    [
        (TextTrigger(text="blue"), "trigger.text"),
        (TextTrigger(text=""), "trigger.text"),
        (TextTrigger(text="x" * 201), "trigger.text"),
        (TextTrigger(text="yesterday at 5pm"), "trigger.text"),
        (TextTrigger(text="at 5pm", timezone="Mars/Phobos"), "trigger.timezone"),
        (DateTrigger(at="2020-01-01T00:00:00Z"), "trigger"),
        (DateTrigger(at="tomorrow"), "trigger.at"),
        (DateTrigger(at="9999-12-31T23:59:59Z"), "trigger.at"),
        (CronTrigger(expression="0 0 30 2 *"), "trigger"),
        (CronTrigger(expression="every day"), "trigger.expression"),
        (CronTrigger(expression="0 9 * * *", timezone="Mars/Phobos"), "trigger.timezone"),
        (IntervalTrigger(every="2 hours"), "trigger.every"),
        (IntervalTrigger(every="PT0S"), "trigger.every"),
        (RRuleTrigger(rule="FREQ=SECONDLY"), "trigger.rule"),
    ],
    ids=str,
)
async def test_a_time_that_cannot_be_is_refused_with_its_place(house: House, trigger: Trigger, field: str) -> None:
    error = await refusal(house.schedule(trigger))
    assert error.errors[0].field.startswith(field) or field.startswith(error.errors[0].field)
    assert error.sentence.endswith((".", "'", '"', ")")) or len(error.sentence) > 15
    assert (await house.client.list_schedules(guild_id="1")).items == ()


async def test_an_ambiguous_time_is_refused_with_its_readings(house: House) -> None:
    error = await refusal(house.schedule(TextTrigger(text="03/04/2026 17:00")))
    assert len(error.readings) >= 2
    for reading in error.readings:
        again = await house.schedule(TextTrigger(text=reading.text))
        assert again.next_fire_times[0][:16] == (reading.next or "")[:16]


async def test_a_time_a_moment_ago_is_taken_as_now(build: Build) -> None:
    """Somebody typed "now", and the answer took a while."""
    house = await build()
    schedule = await house.schedule(DateTrigger(at=house.clock.in_s(-30)))
    await house.heard("run.succeeded", schedule_id=schedule.id)


async def test_every_mistake_is_named_at_once(house: House) -> None:
    spec = ScheduleSpec(
        handler="nobody", method="x", trigger=HOURLY, guild_id="1", name="", count=0, calendar="holidays",
        metadata={"k": "v" * 2000},
    )  # fmt: skip
    error = await refusal(house.client.create_schedule(spec))
    assert {each.field for each in error.errors} == {"handler", "name", "count", "calendar", "metadata"}
    assert "(and 4 more)" in error.sentence


# ── bounds ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_start_until_and_count_bound_a_series(house: House) -> None:
    bounded = await house.schedule(HOURLY, start="2026-04-01T00:30:00Z", until="2026-04-01T03:00:00Z")
    assert [time[11:16] for time in bounded.next_fire_times] == ["01:00", "02:00", "03:00"]
    counted = await house.schedule(HOURLY, count=2)
    assert (counted.count, len(counted.next_fire_times)) == (2, 2)
    preview = await house.client.preview_schedule(counted.id, n=10)
    assert len(preview.fires) == 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"start": "2026-05-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"}, "lies before the start"),
        ({"until": "2026-01-01T00:00:00Z"}, "lies in the past"),
        ({"until": "2026-03-03T12:30:00Z"}, "comes before the first time"),
    ],
)
async def test_an_end_that_leaves_nothing_is_refused_by_its_field(
    house: House, fields: dict[str, str], said: str
) -> None:
    error = await refusal(house.schedule(HOURLY, **fields))
    assert error.errors[0].field == "until"
    assert error.sentence.startswith(f"until: {said}")
    preview = await house.client.preview(HOURLY, timezone="UTC", **fields)
    assert preview.fires == ()
    assert preview.notes == (f"nothing is due: its end {said}",)


async def test_a_single_moment_has_no_beginning_end_or_number(house: House) -> None:
    once = DateTrigger(at="2026-03-05T09:00:00Z")
    bounds: dict[str, Any] = {"start": "2026-03-04T00:00:00Z", "until": "2026-04-01T00:00:00Z", "count": 5}
    for field, value in bounds.items():
        error = await refusal(house.schedule(once, **{field: value}))
        assert [each.field for each in error.errors] == [field]
        assert "is about a series" in error.sentence
    await house.schedule(once, count=1)


async def test_a_series_that_becomes_a_single_moment_leaves_its_bounds_behind(house: House) -> None:
    series = await house.schedule(HOURLY, start="2026-04-01T00:30:00Z", until="2026-04-01T03:00:00Z", count=7)
    moment = {"type": "date", "at": "2026-04-09T09:00:00Z"}
    changed = await house.client.patch_schedule(series.id, {"trigger": moment})
    assert (changed.start, changed.until, changed.count) == (None, None, None)
    assert len(changed.next_fire_times) == 1
    error = await refusal(house.client.patch_schedule(series.id, {"count": 3}))
    assert "is about a series" in error.sentence


async def test_a_count_is_obeyed(build: Build) -> None:
    house = await build()
    schedule = await house.every(1, count=2)
    await house.heard("run.created", count=1, schedule_id=schedule.id)
    house.clock.move(1)
    await house.heard("schedule.completed", schedule_id=schedule.id)
    house.clock.move(5)
    other = await house.schedule(DateTrigger(at=house.clock.in_s(0.05)))
    await house.heard("run.created", schedule_id=other.id)
    assert len(await house.runs(schedule.id)) == 2
    assert (await house.client.get_schedule(schedule.id)).state == "done"


# ── zones ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_items_zone_goes_before_the_persons_and_that_before_the_guilds(house: House) -> None:
    at_nine = TextTrigger(text="every day at 9")
    await house.client.change_guild_settings("1", {"timezone": "Asia/Tokyo"})
    assert (await post(house, MOD, trigger=at_nine)).timezone == "Asia/Tokyo"
    await house.client.set_user_timezone("mod", "Europe/Rome")
    assert (await post(house, MOD, trigger=at_nine)).timezone == "Europe/Rome"
    assert (await post(house, MOD, trigger=at_nine, timezone="America/New_York")).timezone == "America/New_York"
    own = TextTrigger(text="every day at 9", timezone="Africa/Cairo")
    assert (await post(house, MOD, trigger=own)).timezone == "Africa/Cairo"
    await house.client.set_user_timezone("mod", None)
    assert (await post(house, MOD, trigger=at_nine)).timezone == "Asia/Tokyo"
    assert (await remind(house, ANNA_ALONE, trigger=at_nine)).timezone == "UTC"


async def test_what_an_operator_makes_for_somebody_is_read_in_the_guilds_zone(house: House) -> None:
    await house.client.set_user_timezone("anna", "Asia/Tokyo")
    await house.client.change_guild_settings("1", {"timezone": "Europe/Rome"})
    assert (await house.schedule(HOURLY, owner_id="anna")).timezone == "Europe/Rome"
    reminder = await house.client.create_schedule(
        ScheduleSpec(handler="discord", method="send_dm", args={"user_id": "anna", "content": "x"}, trigger=HOURLY,
                     guild_id="1", owner_id="anna", metadata=REMINDER)
    )  # fmt: skip
    assert reminder.timezone == "Asia/Tokyo"


async def test_the_guilds_default_time_is_taken_where_none_is_said(house: House) -> None:
    await house.client.change_guild_settings("1", {"default_time": "07:30"})
    schedule = await post(house, MOD, trigger=TextTrigger(text="tomorrow"))
    assert schedule.next_fire_times[0].startswith("2026-03-04T07:30")
    assert "7:30" in schedule.words


# ── names ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_name_is_taken_once_in_a_guild_and_free_in_another(house: House) -> None:
    await house.schedule(name="standup")
    with pytest.raises(Conflict, match="'standup'"):
        await house.schedule(name=" standup ")
    await house.schedule(name="standup", guild_id="2")
    await house.schedule(name="standup", guild_id=None)
    with pytest.raises(Conflict):
        await house.schedule(name="standup", guild_id=None)
    other = await house.schedule(name="other")
    with pytest.raises(Conflict):
        await house.client.patch_schedule(other.id, {"name": "standup"})
