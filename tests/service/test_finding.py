"""Listing, previews, readings and suggestions."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from schedule_zero.closings import CalendarDays, HoursWindows
from schedule_zero.errors import Invalid
from schedule_zero.instant import DAY, SECOND, parse
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.engine.house import House
from tests.service.people import ANNA, MOD, as_, post, remind

Build = Callable[..., Awaitable[House]]
HOURLY = CronTrigger(expression="0 * * * *")


async def refusal(asking: Awaitable[object]) -> Invalid:
    with pytest.raises(Invalid) as caught:
        await asking
    return caught.value


async def test_a_listing_is_paged_through_completely_and_once(house: House) -> None:
    made = [(await house.schedule()).id for _ in range(25)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await house.client.list_schedules(guild_id="1", limit=10, cursor=cursor)
        seen += [schedule.id for schedule in page.items]
        assert len(page.items) <= 10
        cursor = page.next
        if cursor is None:
            break
    assert sorted(seen) == sorted(made)


async def test_a_listing_filters(house: House) -> None:
    one = await house.schedule(name="Alpha 100%", metadata={"team": "ops"})
    two = await post(house, MOD, "find_me")
    await house.client.pause_schedule(two.id)

    async def found(**filters: Any) -> list[str]:
        return [schedule.id for schedule in (await house.client.list_schedules(guild_id="1", **filters)).items]

    assert await found(state="paused") == [two.id]
    assert await found(handler="hands") == [one.id]
    assert await found(q="alpha") == [one.id]
    assert await found(q="100%") == [one.id]
    assert await found(q="find_me") == [two.id]
    assert await found(q="findXme") == []
    assert await found(metadata={"team": "ops"}) == [one.id]
    assert await found(metadata={"team": "dev"}) == []
    assert await found(owner_id="mod") == [two.id]


async def test_a_page_is_never_empty_by_asking_and_never_longer_than_allowed(house: House) -> None:
    await asyncio.gather(*(house.schedule() for _ in range(210)))
    assert len((await house.client.list_schedules(guild_id="1", limit=-5)).items) == 1
    assert len((await house.client.list_schedules(guild_id="1", limit=10**9)).items) == 200


async def test_a_cursor_nobody_gave_is_refused(house: House) -> None:
    for asking in (house.client.list_schedules(cursor="zzz"), house.client.list_runs(cursor="' OR 1=1")):
        error = await refusal(asking)
        assert error.errors[0].field == "cursor"


async def test_a_preview_and_what_is_saved_agree(house: House) -> None:
    triggers: list[Trigger] = [
        TextTrigger(text="last day of the month at 6pm"), IntervalTrigger(every="P1M", start="2026-01-31T09:00:00Z"),
        CronTrigger(expression="0 0 31 * *"), TextTrigger(text="0 0 31 * *"),
        RRuleTrigger(rule="FREQ=MONTHLY;BYMONTHDAY=31", start="2026-01-31T09:00:00"),
        TextTrigger(text="every 2nd friday at 18:00"), CronTrigger(expression="30 2 * * *"),
    ]  # fmt: skip
    for trigger in triggers:
        preview = await house.client.preview(trigger, timezone="Europe/Berlin", n=5)
        saved = await house.schedule(trigger, timezone="Europe/Berlin")
        assert [parse(fire.at) for fire in preview.fires] == [parse(time) for time in saved.next_fire_times], trigger
        assert preview.words == saved.words
        shown = await house.client.preview_schedule(saved.id, n=5)
        assert [fire.at for fire in shown.fires] == [fire.at for fire in preview.fires]


async def test_cron_sent_as_text_leaves_out_a_day_that_a_month_does_not_have(house: House) -> None:
    for trigger in (CronTrigger(expression="0 0 31 * *"), TextTrigger(text="0 0 31 * *")):
        schedule = await house.schedule(trigger)
        assert [time[5:10] for time in schedule.next_fire_times[:3]] == ["03-31", "05-31", "07-31"]


@pytest.mark.parametrize("n", [0, -1, 1001])
async def test_a_preview_shows_one_to_a_thousand(house: House, n: int) -> None:
    error = await refusal(house.client.preview(HOURLY, n=n))
    assert error.errors[0].field == "n"
    assert len((await house.client.preview(HOURLY, n=1000)).fires) == 1000


async def test_a_preview_after_a_moment_reads_the_text_from_there(house: House) -> None:
    view = await house.client.preview(TextTrigger(text="tomorrow at 9"), after="2027-01-01T12:00:00Z")
    assert [fire.at[:16] for fire in view.fires] == ["2027-01-02T09:00"]
    for after in ("soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"):
        error = await refusal(house.client.preview(HOURLY, after=after))
        assert error.errors[0].field == "after"


async def test_reading_says_what_words_mean(house: House) -> None:
    reading = await house.client.read_time("tomorrow at 9", "every week", timezone="Europe/Berlin")
    assert (reading.recurring, reading.timezone) == (True, "Europe/Berlin")
    assert reading.fires[0].local == "2026-03-04T09:00:00+01:00"
    assert parse(reading.fires[1].at) - parse(reading.fires[0].at) == 7 * DAY
    for asking, field in (
        (house.client.read_time("blue"), "when"),
        (house.client.read_time("tomorrow at 9", "blue"), "repeat"),
        (house.client.read_time("tomorrow at 9", timezone="Mars/Phobos"), "timezone"),
    ):
        error = await refusal(asking)
        assert error.errors[0].field == field


@pytest.mark.parametrize("text", ["", "t", "tom", "every", "5", "😀", "x" * 300, "0 9 * *", "RRULE:", "12/13"])
@pytest.mark.parametrize("field", ["when", "repeat"])
async def test_suggestions_never_refuse_what_is_half_typed(house: House, text: str, field: str) -> None:
    for zone in (None, "Europe/Berlin", "Mars/Pho"):
        view = await house.client.suggest_times(field, text, timezone=zone, guild_id="1")
        assert len(view.items) <= 25
        assert all(0 < len(each.name) <= 100 and 0 < len(each.value) <= 100 for each in view.items)
    assert len((await house.client.suggest_zones(text)).items) <= 25


async def test_what_a_suggestion_offers_can_be_saved(house: House) -> None:
    for text, field in (("tomorrow", "when"), ("every day", "repeat"), ("5pm", "when")):
        view = await house.client.suggest_times(field, text, guild_id="1")
        assert view.items
        assert (await house.schedule(TextTrigger(text=view.items[0].value))).state == "active"


async def test_a_schedule_shows_its_newest_run(build: Build) -> None:
    house = await build()
    schedule = await house.schedule()
    assert schedule.last_run is None
    await house.ended((await house.run_now(schedule)).id)
    second = await house.run_now(schedule)
    await house.ended(second.id)
    shown = await house.client.get_schedule(schedule.id)
    assert shown.last_run is not None
    assert (shown.last_run.id, shown.last_run.state) == (second.id, "succeeded")
    (listed,) = (await house.client.list_schedules(guild_id="1")).items
    assert listed.last_run == shown.last_run


async def test_times_are_shown_on_the_clocks_of_the_schedules_zone(house: House) -> None:
    schedule = await house.schedule(HOURLY, timezone="Asia/Kathmandu", until="2027-01-01T00:00:00Z")
    assert all(
        time.endswith("+05:45") for time in (*schedule.next_fire_times, schedule.created_at, schedule.until or "")
    )
    run = await house.run_now(schedule)
    assert run.due.endswith("+05:45")


async def test_who_owns_it(house: House) -> None:
    assert (await house.schedule()).owner_id == "operator"
    assert (await house.schedule(owner_id="anna")).owner_id == "anna"
    assert (await remind(house, ANNA)).owner_id == "anna"
    assert (await as_(house, MOD).get_schedule((await post(house, MOD)).id)).owner_id == "mod"


async def test_an_interval_without_a_start_begins_one_interval_from_now(house: House) -> None:
    schedule = await house.schedule(IntervalTrigger(every="PT10M"))
    assert abs(parse(schedule.next_fire_times[0]) - house.clock.now() - 600 * SECOND) < 5 * SECOND


@pytest.mark.parametrize(
    ("text", "first"), [("DE", "Germany (DE)"), ("ger", "Germany (DE)"), ("united st", "United States (US)")]
)
async def test_countries_are_found_by_name_and_by_code(house: House, text: str, first: str) -> None:
    found = (await house.client.suggest_countries(text)).items
    assert found[0].name == first
    assert found[0].value == first[-3:-1]
    assert len(found) <= 25


async def test_calendars_and_hours_are_found_by_a_part_of_their_name(house: House) -> None:
    for name in ("closed", "bank holidays", "Holidays"):
        await house.client.put_calendar("1", name, CalendarDays(dates=("12-24",)))
    await house.client.put_hours("1", "office", HoursWindows(windows=("09:00-17:00",)))
    found = await house.client.suggest_closings("1", "calendar", "HOLI")
    assert [each.value for each in found.items] == ["Holidays", "bank holidays"]
    assert [each.value for each in (await house.client.suggest_closings("1", "hours", "")).items] == ["office"]
    assert not (await house.client.suggest_closings("2", "hours", "")).items
