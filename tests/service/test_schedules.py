"""Creating, reading, listing and previewing schedules; names, bounds, quotas; batches."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.governor.settings import GovernorSettings, GuildQuota, Plan
from schedule_zero.errors import Conflict, Invalid, QuotaExceeded
from schedule_zero.instant import DAY, SECOND, parse
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import CronTrigger, DateTrigger, IntervalTrigger, RRuleTrigger, TextTrigger, Trigger
from tests.engine.house import House
from tests.service.people import ANNA, ANNA_ALONE, BEN_ALONE, MOD, REMINDER, as_, post, remind

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
    "fields",
    [
        {"start": "2026-05-01T00:00:00Z", "until": "2026-04-01T00:00:00Z"},
        {"until": "2026-01-01T00:00:00Z"},
        {"until": "2026-03-03T12:30:00Z"},
    ],
)
async def test_bounds_that_leave_nothing_are_refused(house: House, fields: dict[str, str]) -> None:
    error = await refusal(house.schedule(HOURLY, **fields))
    assert "never due again" in error.sentence


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


# ── quotas ─────────────────────────────────────────────────────────────────────────────────────────────────────

SMALL = GovernorSettings(
    plans={"small": Plan(schedules=2, min_interval="PT5M", payload_bytes=60, handlers=["discord"])},
    default_plan="small",
    guilds={"9": GuildQuota(schedules=None, min_interval=None, payload_bytes=None, handlers=None)},
)


@pytest.fixture
async def small(build: Build) -> House:
    """A house whose guilds have the smallest of plans; guild 9 has no limits."""
    from tests.service.people import Post

    house = await build(run=False, governor=SMALL)
    house.engine.serve(Post())
    return house


async def test_a_guild_has_so_many_schedules(small: House) -> None:
    first, _ = [await post(small, MOD) for _ in range(2)]
    with pytest.raises(QuotaExceeded, match="2 schedules") as caught:
        await post(small, MOD)
    assert caught.value.details == {"scope": "guild:1", "limit": "schedules", "used": 2, "allowed": 2}
    await small.client.delete_schedule(first.id)
    await post(small, MOD)
    for _ in range(5):
        await small.schedule(guild_id="9")


async def test_a_person_without_a_guild_has_no_more_than_a_new_guild(small: House) -> None:
    for _ in range(2):
        await remind(small, ANNA_ALONE)
    with pytest.raises(QuotaExceeded, match="You have 2"):
        await remind(small, ANNA_ALONE)
    await remind(small, BEN_ALONE)
    with pytest.raises(QuotaExceeded, match="PT5M"):
        await remind(small, BEN_ALONE, trigger=IntervalTrigger(every="PT1M"))


@pytest.mark.parametrize(
    "trigger",
    [
        IntervalTrigger(every="PT4M59S"),
        CronTrigger(expression="* * * * *"),
        CronTrigger(expression="0,4 0 * * *"),
        RRuleTrigger(rule="FREQ=MINUTELY;INTERVAL=3"),
        TextTrigger(text="every 2 minutes"),
    ],
    ids=str,
)
async def test_a_rule_faster_than_the_plan_is_refused(small: House, trigger: Trigger) -> None:
    with pytest.raises(QuotaExceeded, match="PT5M") as caught:
        await post(small, MOD, trigger=trigger)
    assert caught.value.details["limit"] == "min_interval"
    await small.schedule(trigger, guild_id="9")


async def test_a_rule_of_exactly_the_plans_pace_is_taken(small: House) -> None:
    await post(small, MOD, trigger=IntervalTrigger(every="PT5M"))
    await post(small, MOD, trigger=DateTrigger(at=small.clock.in_s(1)))


async def test_arguments_are_no_larger_than_the_plan_allows(small: House) -> None:
    error = await refusal(post(small, MOD, "x" * 60))
    assert error.errors[0].field == "args"
    schedule = await post(small, MOD, "é" * 10)
    too_long = {"channel_id": "7", "content": "é" * 20}
    for asking in (
        small.client.patch_schedule(schedule.id, {"args": too_long}), small.client.run_schedule(schedule.id, args=too_long),
    ):  # fmt: skip
        assert (await refusal(asking)).errors[0].field == "args"


async def test_handlers_are_those_of_the_plan(small: House) -> None:
    error = await refusal(small.schedule())
    assert error.errors[0].field == "handler"
    assert "discord only" in error.errors[0].message


async def test_a_plan_that_became_smaller_does_not_lock_what_is_there(build: Build) -> None:
    house = await build(run=False)
    schedule = await house.schedule(IntervalTrigger(every="PT1M"), args={"n": 1})
    await house.kill()
    house.governor = SMALL
    await house.open(run=False)
    assert (await house.client.patch_schedule(schedule.id, {"name": "renamed"})).name == "renamed"
    assert (await house.client.pause_schedule(schedule.id)).state == "paused"
    with pytest.raises(Invalid, match="plan allows"):
        await house.client.patch_schedule(schedule.id, {"args": {"n": 2}})


# ── batches ────────────────────────────────────────────────────────────────────────────────────────────────────


def item(**fields: Any) -> dict[str, Any]:
    return {
        "handler": "discord", "method": "send_message", "guild_id": "1",
        "args": {"channel_id": "1", "content": "x"}, "trigger": {"type": "text", "text": "tomorrow at 9"}, **fields,
    }  # fmt: skip


async def test_a_batch_answers_item_by_item_and_keeps_what_is_right(house: House) -> None:
    items: list[Any] = [
        item(name="a"), item(name="a"), item(trigger={"type": "cron"}), item(handler="x"), "text", item(name="b"),
        item(colour=1), item(trigger={"type": "text", "text": "blue"}),
    ]  # fmt: skip
    view = await house.client.create_schedules(items)
    assert [each.status for each in view.items] == [201, 409, 422, 422, 422, 201, 422, 422]
    assert [each.schedule.name for each in view.items if each.schedule] == ["a", "b"]
    assert all(each.problem is not None and each.problem.detail for each in view.items if each.status != 201)
    listed = (await house.client.list_schedules(guild_id="1")).items
    assert {schedule.name for schedule in listed} == {"a", "b"}
    first = view.items[0].schedule
    assert first is not None
    assert first.undo is not None
    assert (await house.client.undo(first.undo.token)).state == "deleted"


async def test_a_batch_fills_up_to_the_quota_and_refuses_the_rest(small: House) -> None:
    await small.client.create_schedule(msgspec.convert(item(), ScheduleSpec))
    view = await small.client.create_schedules([item(), item(name="too many"), item(guild_id="9"), item(guild_id="2")])
    assert [each.status for each in view.items] == [201, 429, 201, 201]
    problem = view.items[1].problem
    assert problem is not None
    assert (problem.scope, problem.limit, problem.allowed) == ("guild:1", "schedules", 2)


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_has_one_to_a_thousand_items(house: House, count: int) -> None:
    error = await refusal(house.client.create_schedules([item()] * count))
    assert error.errors[0].field == "items"


# ── listing and previews ───────────────────────────────────────────────────────────────────────────────────────


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
    await house.client.create_schedules([item() for _ in range(210)])
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
