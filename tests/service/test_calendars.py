"""What guilds keep closed, and what it does to the schedules that heed it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest

from core.ledger.schedules import Schedules
from core.service.batch import Batches
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import Conflict, Forbidden, Invalid, NotFound, QuotaExceeded, RevisionMismatch
from schedule_zero.instant import MINUTE, parse
from schedule_zero.schedule import ActiveHours, Calendar
from schedule_zero.trigger import CronTrigger, DateTrigger
from tests.engine.house import House
from tests.service.people import ADMIN, ANNA, MOD, STRANGER, as_, post

Build = Callable[..., Awaitable[House]]
DAILY = CronTrigger(expression="0 9 * * *")
HALF_HOURLY = CronTrigger(expression="*/30 * * * *")
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20260305
DTEND;VALUE=DATE:20260307
SUMMARY:Retreat
END:VEVENT
BEGIN:VEVENT
UID:2
DTSTART;VALUE=DATE:20200501
RRULE:FREQ=YEARLY
SUMMARY:Labour Day
END:VEVENT
BEGIN:VEVENT
UID:3
DTSTART:20260304T100000Z
SUMMARY:A meeting is no day off
END:VEVENT
END:VCALENDAR
"""


def days(times: tuple[str, ...]) -> list[str]:
    return [time[5:10] for time in times]


async def test_a_schedule_is_not_due_on_the_days_of_a_calendar(house: House) -> None:
    made = await post(house, MOD, trigger=DAILY, calendar=Calendar(dates=("2026-03-05", "03-07 Opening")))
    assert days(made.next_fire_times) == ["03-04", "03-06", "03-08", "03-09", "03-10"]
    assert "2026-03-07 09:00 is Opening, and left out" in made.notes


async def test_a_time_on_a_day_off_comes_on_the_next_open_day_or_the_last(house: House) -> None:
    weekly = CronTrigger(expression="0 9 * * THU")
    off = Calendar(dates=("2026-03-05/2026-03-06 Retreat",), on_clash="later")
    later = await post(house, MOD, trigger=weekly, calendar=off)
    assert later.next_fire_times[0].startswith("2026-03-07T09:00")
    assert later.notes[0] == "2026-03-07 09:00: moved from 2026-03-05 09:00, which is Retreat"
    earlier = await post(house, MOD, trigger=weekly, calendar=Calendar(dates=("2026-03-05",), on_clash="earlier"))
    assert earlier.next_fire_times[0].startswith("2026-03-04T09:00")


async def test_holidays_of_a_country_are_days_off_by_their_names(house: House) -> None:
    made = await post(
        house,
        MOD,
        trigger=DAILY,
        timezone="Europe/Berlin",
        calendar=Calendar(country="DE"),
        start="2026-04-02T00:00:00Z",
    )
    assert days(made.next_fire_times)[:2] == ["04-02", "04-04"]
    assert "2026-04-03 09:00 is Good Friday, and left out" in made.notes


async def test_hours_decide_what_comes_of_a_time_outside_them(house: House) -> None:
    evening = CronTrigger(expression="0 20 * * *")
    windows = ("MO-FR 09:00-17:00",)
    with pytest.raises(
        Invalid, match=r"20:00 is outside its hours.*outside later \(or earlier\) moves them"
    ) as refused:
        await post(house, MOD, trigger=evening, active_hours=ActiveHours(windows=windows))
    assert refused.value.errors[0].field == "active_hours"
    shown = await house.client.preview(evening, active_hours=ActiveHours(windows=windows))
    assert shown.fires == ()
    assert any("20:00 is outside its hours" in note for note in shown.notes)
    later = await post(house, MOD, trigger=evening, active_hours=ActiveHours(windows=windows, outside="later"))
    assert [time[5:16] for time in later.next_fire_times[:4]] == [
        "03-04T09:00", "03-05T09:00", "03-06T09:00", "03-09T09:00",
    ]  # fmt: skip
    earlier = await post(house, MOD, trigger=evening, active_hours=ActiveHours(windows=windows, outside="earlier"))
    assert earlier.next_fire_times[0].startswith("2026-03-03T17:00")


@pytest.mark.parametrize("window", ["09:00-09:00", "MO-FR 9:00 - 09:00"])
async def test_hours_that_end_when_they_begin_are_refused_where_they_are_written(house: House, window: str) -> None:
    said = "begins and ends at the same time; write 00:00-24:00 for the whole day"
    with pytest.raises(Invalid, match=said):
        await as_(house, ADMIN).put_hours("1", "office", HoursWindows(windows=(window,)))
    with pytest.raises(Invalid, match=said) as refused:
        await post(house, MOD, active_hours=ActiveHours(windows=("08:00-17:00", window)))
    assert refused.value.errors[0].field == "active_hours"
    with pytest.raises(Invalid, match=said):
        await house.client.preview(HALF_HOURLY, active_hours=ActiveHours(windows=(window,)))
    for fine in ("00:00-24:00", "22:00-06:00"):
        await house.client.preview(HALF_HOURLY, active_hours=ActiveHours(windows=(fine,)))


async def test_hours_that_were_saved_before_they_were_refused_keep_their_meaning(house: House) -> None:
    made = await post(house, MOD, trigger=HALF_HOURLY, active_hours=ActiveHours(windows=("09:00-10:00",)))
    saved = ActiveHours(windows=("09:00-09:00",))
    row = await house.ledger.reader.schedules.get(made.id)
    assert row is not None
    older = msgspec.structs.replace(row, active_hours=msgspec.json.encode(saved).decode())

    async def unit(tx: Any) -> None:
        assert await tx.schedules.replace(older, expected=row.revision)

    await house.ledger.write(unit)
    changed = await as_(house, MOD).patch_schedule(made.id, {"trigger": {"type": "cron", "expression": "30 * * * *"}})
    assert changed.active_hours == saved
    assert changed.next_fire_times[0].startswith("2026-03-03T12:30")


async def test_page_not_updated_when_hours_change(house: House) -> None:
    """A schedule is due by new hours as soon as they are saved, and says so."""
    admin = as_(house, ADMIN)
    await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 09:00-17:00",)))
    made = await post(house, MOD, trigger=HALF_HOURLY, active_hours="office")
    assert made.next_fire_times[0].startswith("2026-03-03T12:30")
    await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 15:00-16:00",)))
    now = await house.client.get_schedule(made.id)
    assert now.next_fire_times[0].startswith("2026-03-03T15:00")
    assert now.revision == made.revision + 1
    assert now.active_hours == ActiveHours(name="office")
    row = await house.ledger.reader.schedules.get(made.id)
    assert row is not None
    assert row.next_due == house.clock.now() // MINUTE // 60 * 60 * MINUTE + 3 * 60 * MINUTE


async def test_next_run_shows_2_30_instead_of_the_next_half_hour(house: House) -> None:
    """It did, elsewhere, after hours were widened: the next run has to be the next :30 within the hours of now."""
    admin = as_(house, ADMIN)
    await admin.put_hours("1", "night", HoursWindows(windows=("02:00-03:00",)))
    made = await post(house, MOD, trigger=CronTrigger(expression="30 * * * *"), active_hours="night")
    assert made.next_fire_times[0].startswith("2026-03-04T02:30")
    await admin.put_hours("1", "night", HoursWindows(windows=("00:00-24:00",)))
    assert (await house.client.get_schedule(made.id)).next_fire_times[0].startswith("2026-03-03T12:30")
    own = await as_(house, MOD).patch_schedule(made.id, {"active_hours": {"windows": ["02:00-03:00"]}})
    assert own.next_fire_times[0].startswith("2026-03-04T02:30")
    back = await as_(house, MOD).patch_schedule(made.id, {"active_hours": None})
    assert back.next_fire_times[0].startswith("2026-03-03T12:30")


async def test_what_is_brought_back_heeds_the_hours_of_now(house: House) -> None:
    admin = as_(house, ADMIN)
    await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 09:00-17:00",)))
    made = await post(house, MOD, trigger=HALF_HOURLY, active_hours="office")
    gone = await as_(house, MOD).delete_schedule(made.id)
    await admin.put_hours("1", "office", HoursWindows(windows=("MO-FR 15:00-16:00",)))
    assert gone.undo is not None
    back = await as_(house, MOD).undo(gone.undo.token)
    assert back.next_fire_times[0].startswith("2026-03-03T15:00")


async def test_what_goes_by_a_name_is_refused_where_there_is_none_of_it(house: House) -> None:
    with pytest.raises(Invalid) as caught:
        await post(house, MOD, trigger=DAILY, calendar="bank-holidays")
    assert caught.value.errors[0].field == "calendar"
    await as_(house, ADMIN).put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)))
    with pytest.raises(Invalid, match="known are ours"):
        await post(house, MOD, trigger=DAILY, calendar="bank-holidays")
    named = await post(house, MOD, trigger=DAILY, calendar={"name": "ours", "on_clash": "later"})
    assert named.calendar == Calendar(name="ours", on_clash="later")


async def test_a_calendar_that_schedules_heed_stays(house: House) -> None:
    admin = as_(house, ADMIN)
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)))
    made = await post(house, MOD, trigger=DAILY, calendar="ours")
    with pytest.raises(Conflict, match="1 schedule heeds it"):
        await admin.delete_calendar("1", "ours")
    assert (await admin.get_calendar("1", "ours")).used_by == 1
    await as_(house, MOD).delete_schedule(made.id)
    assert (await admin.delete_calendar("1", "ours")).name == "ours"
    with pytest.raises(NotFound):
        await admin.get_calendar("1", "ours")


async def test_an_icalendar_file_brings_its_whole_days(house: House) -> None:
    view = await as_(house, ADMIN).put_calendar("1", "club", CalendarDays(ics=ICS))
    assert view.dates == ("2026-03-05/2026-03-06 Retreat", "05-01 Labour Day")
    assert view.next_days[:3] == ("2026-03-05 Retreat", "2026-03-06 Retreat", "2026-05-01 Labour Day")


def ics(*events: str) -> str:
    lines = "".join(f"BEGIN:VEVENT\nSUMMARY:Odd\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:x\n{lines}END:VCALENDAR\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "no iCalendar file"),
        (ics("DTSTART:20260304T100000Z"), "no event that lasts whole days"),
        (ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY\nRRULE:FREQ=DAILY"), "'Odd' of this iCalendar file"),
        (ics("DTSTART;VALUE=DATE:99991231"), "'Odd' of this iCalendar file"),
        (ics("DTSTART;VALUE=DATE:20261399"), "'Odd' of this iCalendar file"),
        (ics("DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=NOPE"), "cannot be followed: FREQ must be"),
        (ics(*["DTSTART;VALUE=DATE:20260101\nRRULE:FREQ=YEARLY;BYWEEKNO=1"] * 51), "50 repeating events"),
    ],
)
async def test_an_odd_icalendar_file_is_refused_in_one_sentence(house: House, text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        await as_(house, ADMIN).put_calendar("1", "club", CalendarDays(ics=text))


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        (CalendarDays(dates=("2026-02-30",)), "no day that exists"),
        (CalendarDays(country="XX"), "no holidays of 'XX'"),
        (CalendarDays(country="DE-ZZ"), "no region 'ZZ'"),
        (CalendarDays(), "at least one day"),
        (CalendarDays(dates=("2026-03-05/2026-03-01",)), "no span"),
        (CalendarDays(dates=tuple(f"20{year}-01-01/20{year}-12-31" for year in range(30, 42))), "at most 4,000 days"),
        (
            CalendarDays(dates=tuple(f"01-{day:02} {'x' * 150} {n}" for n in range(5) for day in range(1, 29))),
            "16,000 characters",
        ),
    ],
)
async def test_a_calendar_that_cannot_be_is_refused_in_one_sentence(house: House, calendar: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        await as_(house, ADMIN).put_calendar("1", "ours", calendar)


@pytest.mark.parametrize(
    ("windows", "said"),
    [
        ((), "no window"),
        (("9 to 5",), "no window"),
        (("MO-XX 09:00-17:00",), "no day of the week"),
        (("25:00-26:00",), "no time of day"),
    ],
)
async def test_hours_that_cannot_be_are_refused_in_one_sentence(house: House, windows: Any, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        await as_(house, ADMIN).put_hours("1", "office", HoursWindows(windows=windows))


async def test_in_a_blackout_no_series_is_due_and_a_single_time_comes_when_it_ends(house: House) -> None:
    series = await post(house, MOD, trigger=DAILY)
    once = await post(house, MOD, trigger=DateTrigger(at="2026-03-05T08:00:00Z"))
    added = await as_(house, ADMIN).add_blackout(
        "1", NewBlackout(begin="2026-03-04T00:00:00Z", end="2026-03-06T00:00:00Z", reason="Freeze")
    )
    assert days((await house.client.get_schedule(series.id)).next_fire_times)[:2] == ["03-06", "03-07"]
    moved = await house.client.get_schedule(once.id)
    assert moved.next_fire_times[0].startswith("2026-03-06T00:00")
    assert moved.notes == ("2026-03-06 00:00: moved from 2026-03-05 08:00, which is Freeze",)
    assert [each.id for each in (await as_(house, ADMIN).list_blackouts("1")).items] == [added.id]
    later = await post(house, MOD, trigger=DAILY)
    assert days(later.next_fire_times)[0] == "03-06", "a new schedule heeds it as well"
    await as_(house, ADMIN).remove_blackout("1", added.id)
    assert days((await house.client.get_schedule(series.id)).next_fire_times)[0] == "03-04"
    assert (await house.client.get_schedule(once.id)).next_fire_times[0].startswith("2026-03-05T08:00")


async def test_a_blackout_of_jobs_leaves_messages_alone(house: House) -> None:
    message = await post(house, MOD, trigger=DAILY)
    job = await house.schedule(DAILY, guild_id="1")
    await as_(house, ADMIN).add_blackout(
        "1", NewBlackout(begin="2026-03-04T00:00:00Z", end="2026-03-06T00:00:00Z", scope="jobs")
    )
    assert days((await house.client.get_schedule(message.id)).next_fire_times)[0] == "03-04"
    assert days((await house.client.get_schedule(job.id)).next_fire_times)[0] == "03-06"


async def test_a_single_time_that_is_left_none_is_blocked_and_its_owner_told(house: House) -> None:
    admin = as_(house, ADMIN)
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-04-01",)))
    once = await post(house, MOD, trigger=DateTrigger(at="2026-03-05T08:00:00Z"), calendar="ours")
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)))
    now = await house.client.get_schedule(once.id)
    assert now.state == "blocked"
    assert "leave it no time" in (now.note or "")
    assert (await house.heard("schedule.blocked")).schedule_id == once.id


async def test_only_who_manages_the_server_closes_anything_and_only_there(house: House) -> None:
    calendar, hours = CalendarDays(dates=("2026-03-05",)), HoursWindows(windows=("09:00-17:00",))
    blackout = NewBlackout(begin="tomorrow", end="in 3 days")
    for actor, error in ((ANNA, Forbidden), (MOD, Forbidden), (STRANGER, NotFound)):
        client = as_(house, actor)
        with pytest.raises(error):
            await client.put_calendar("1", "ours", calendar)
        with pytest.raises(error):
            await client.put_hours("1", "ours", hours)
        with pytest.raises(error):
            await client.add_blackout("1", blackout)
    with pytest.raises(NotFound):
        await as_(house, STRANGER).list_calendars("1")
    assert (await as_(house, ANNA).list_calendars("1")).items == ()


async def test_one_guilds_closings_change_nothing_elsewhere(house: House) -> None:
    here = await post(house, MOD, trigger=DAILY)
    there = await post(house, STRANGER, trigger=DAILY)
    await house.client.add_blackout("2", NewBlackout(begin="2026-03-04T00:00:00Z", end="2026-03-06T00:00:00Z"))
    assert days((await house.client.get_schedule(here.id)).next_fire_times)[0] == "03-04"
    assert days((await house.client.get_schedule(there.id)).next_fire_times)[0] == "03-06"


async def test_there_is_a_number_of_calendars_a_guild_may_have(house: House) -> None:
    admin = as_(house, ADMIN)
    for number in range(50):
        await admin.put_calendar("1", f"c{number}", CalendarDays(dates=("2026-03-05",)))
    with pytest.raises(QuotaExceeded):
        await admin.put_calendar("1", "one more", CalendarDays(dates=("2026-03-05",)))
    await admin.put_calendar("1", "c7", CalendarDays(dates=("2026-03-06",)))


async def test_a_preview_heeds_what_it_is_asked_about_with(house: House) -> None:
    await as_(house, ADMIN).put_calendar("1", "ours", CalendarDays(dates=("2026-03-05 Retreat",)))
    hours = ActiveHours(windows=("WE-SU 08:00-10:00",))
    view = await as_(house, ADMIN).preview(DAILY, n=3, calendar="ours", guild_id="1", active_hours=hours)
    assert days(tuple(fire.local for fire in view.fires)) == ["03-04", "03-06", "03-07"]
    assert "2026-03-05 09:00 is Retreat, and left out" in view.fires[1].notes


async def test_an_edit_of_something_else_keeps_calendar_and_hours(house: House) -> None:
    made = await post(
        house,
        MOD,
        trigger=DAILY,
        calendar=Calendar(dates=("2026-03-05",)),
        active_hours=ActiveHours(windows=("08:00-10:00",)),
    )
    renamed = await as_(house, MOD).patch_schedule(made.id, {"name": "standup"})
    assert (renamed.calendar, renamed.active_hours) == (made.calendar, made.active_hours)
    assert renamed.next_fire_times == made.next_fire_times
    without = await as_(house, MOD).patch_schedule(made.id, {"calendar": None})
    assert without.calendar is None
    assert days(without.next_fire_times)[1] == "03-05"


async def test_what_waited_for_a_blackouts_end_comes_when_that_is_lifted(build: Build) -> None:
    house = await build()
    admin = as_(house, ADMIN)
    once = await house.schedule(DateTrigger(at="2026-03-03T13:00:00Z"))
    added = await admin.add_blackout("1", NewBlackout(begin="2026-03-03T12:30:00Z", end="2026-03-03T14:00:00Z"))
    house.clock.move(90 * 60)
    await admin.remove_blackout("1", added.id)
    run = await house.client.get_run((await house.heard("run.succeeded", schedule_id=once.id)).run_id or "")
    assert run.occurrence.startswith("t:2026-03-03T13:00")


async def test_what_was_put_off_comes_when_hours_are_widened(build: Build) -> None:
    house = await build()
    admin = as_(house, ADMIN)
    await admin.put_hours("1", "work", HoursWindows(windows=("14:00-17:00",)))
    late = ActiveHours(name="work", outside="later")
    made = await house.schedule(CronTrigger(expression="30 12 * * *"), active_hours=late)
    house.clock.move(60 * 60)
    await admin.put_hours("1", "work", HoursWindows(windows=("10:00-17:00",)))
    run = await house.client.get_run((await house.heard("run.succeeded", schedule_id=made.id)).run_id or "")
    assert run.occurrence.startswith("t:2026-03-03T12:30")


async def test_what_is_brought_back_keeps_the_days_and_hours_that_are_gone_as_its_own(house: House) -> None:
    """No calendar is heeded that nobody can see, and none made later under the name takes its place unasked."""
    admin, mod = as_(house, ADMIN), as_(house, MOD)
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)))
    await admin.put_hours("1", "work", HoursWindows(windows=("08:00-17:00",)))
    made = await post(house, MOD, trigger=DAILY, calendar="ours", active_hours="work")
    gone = await mod.delete_schedule(made.id)
    await admin.delete_calendar("1", "ours")
    await admin.delete_hours("1", "work")
    assert gone.undo is not None
    back = await mod.undo(gone.undo.token)
    assert back.calendar == Calendar(dates=("2026-03-05",))
    assert back.active_hours == ActiveHours(windows=("08:00-17:00",))
    assert "the calendar ours is gone; its days are kept here" in back.notes
    assert "the hours work are gone; its windows are kept here" in back.notes
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-04",)))
    renamed = await mod.patch_schedule(made.id, {"name": "standup"})
    assert days(renamed.next_fire_times)[:2] == ["03-04", "03-06"]
    assert (await admin.get_calendar("1", "ours")).used_by == 0


async def test_what_was_over_when_its_calendar_went_keeps_the_days_as_its_own(house: House) -> None:
    admin, mod = as_(house, ADMIN), as_(house, MOD)
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)))
    made = await post(house, MOD, trigger=DAILY, calendar="ours", count=1)
    house.run()
    house.clock.move(24 * 60 * 60)
    await house.heard("schedule.completed", schedule_id=made.id)
    await admin.delete_calendar("1", "ours")
    again = await mod.patch_schedule(made.id, {"count": 5})
    assert again.calendar == Calendar(dates=("2026-03-05",))


async def test_changes_at_one_moment_leave_every_schedule_due_by_the_last_one(house: House) -> None:
    admin, mod = as_(house, ADMIN), as_(house, MOD)
    await admin.put_hours("1", "office", HoursWindows(windows=("09:00-17:00",)))
    made = [await post(house, MOD, trigger=HALF_HOURLY, active_hours="office") for _ in range(30)]
    changes = [admin.put_hours("1", "office", HoursWindows(windows=(f"{hour}:00-{hour}:45",))) for hour in (14, 15, 16)]
    rest = admin.add_blackout("1", NewBlackout(begin="now", end="in 3 hours"))
    edits = [mod.patch_schedule(each.id, {"name": each.id}) for each in made]
    results = await asyncio.gather(*changes, rest, *edits, return_exceptions=True)
    assert {type(each) for each in results if isinstance(each, Exception)} <= {RevisionMismatch}
    (window,) = (await admin.get_hours("1", "office")).windows
    first = "2026-03-04T14:00" if window.startswith("14") else f"2026-03-03T{window[:2]}:00"
    told = [(each.schedule_id, each.data["revision"]) for each in await house.told("schedule.updated")]
    assert len(set(told)) == len(told), "two changes made one revision"
    for each in made:
        now = await house.client.get_schedule(each.id)
        assert now.next_fire_times[0].startswith(first)
        row = await house.ledger.reader.schedules.get(each.id)
        assert row is not None
        assert row.next_due == parse(now.next_fire_times[0])


async def test_a_blackout_may_begin_now(house: House) -> None:
    added = await as_(house, ADMIN).add_blackout("1", NewBlackout(begin="now", end="in 3 hours"))
    made = await post(house, MOD, trigger=HALF_HOURLY)
    assert added.begin.startswith("2026-03-03T12:00")
    assert made.next_fire_times[0].startswith("2026-03-03T15:")


async def test_a_day_that_leaves_no_time_is_refused_by_its_name(house: House) -> None:
    christmas = DateTrigger(at="2026-12-25T09:00:00+01:00")
    with pytest.raises(Invalid, match="is Christmas Day; on_clash later") as refused:
        await post(house, MOD, trigger=christmas, timezone="Europe/Berlin", calendar=Calendar(country="DE"))
    assert refused.value.errors[0].field == "calendar"


async def test_who_changes_what_somebody_else_changed_meanwhile_hears_of_it(house: House) -> None:
    admin = as_(house, ADMIN)
    made = await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)), revision=0)
    with pytest.raises(RevisionMismatch, match="The calendar ours changed since it was read"):
        await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-06",)), revision=0)
    theirs = await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-07",)), revision=made.revision)
    with pytest.raises(RevisionMismatch):
        await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-06",)), revision=made.revision)
    assert await admin.get_calendar("1", "ours") == theirs
    hours = await admin.put_hours("1", "office", HoursWindows(windows=("09:00-17:00",)), revision=0)
    await admin.put_hours("1", "office", HoursWindows(windows=("10:00-17:00",)), revision=hours.revision)
    with pytest.raises(RevisionMismatch, match="The hours office changed since they were read"):
        await admin.put_hours("1", "office", HoursWindows(windows=("09:00-12:00",)), revision=hours.revision)
    await admin.put_hours("1", "office", HoursWindows(windows=("09:00-12:00",)))
    again = await admin.put_hours("1", "office", HoursWindows(windows=("09:00-12:00",)), revision=hours.revision)
    assert again.windows == ("09:00-12:00",)  # a repetition whose first answer was lost is none of somebody else's


async def test_who_heeds_what_is_counted_without_reading_every_schedule(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = as_(house, ADMIN)
    await admin.put_calendar("1", "ours", CalendarDays(dates=("2026-03-05",)))
    await admin.put_hours("1", "office", HoursWindows(windows=("09:00-17:00",)))
    await post(house, MOD, trigger=DAILY, calendar="ours", active_hours="office")
    await post(house, MOD, trigger=DAILY, calendar=Calendar(dates=("2026-03-05",)))
    await post(house, MOD, trigger=DAILY)
    monkeypatch.setattr(Schedules, "page", None)
    assert (await admin.get_calendar("1", "ours")).used_by == 1
    assert [hours.used_by for hours in (await admin.list_hours("1")).items] == [1]


async def test_a_batch_is_answered_as_it_is_saved_also_where_hours_changed_meanwhile(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = as_(house, ADMIN)
    await admin.put_hours("1", "office", HoursWindows(windows=("09:00-17:00",)))
    saved = Batches._saved

    async def later(*args: Any) -> Any:
        await admin.put_hours("1", "office", HoursWindows(windows=("14:00-14:45",)))
        return await saved(*args)

    monkeypatch.setattr(Batches, "_saved", later)
    item = {
        "handler": "hands", "method": "work", "guild_id": "1", "active_hours": "office",
        "trigger": {"type": "cron", "expression": "*/30 * * * *"},
    }  # fmt: skip
    batch = await admin.create_schedules([item] * 3)
    for each in (answer.schedule for answer in batch.items):
        assert each is not None
        assert each.undo is not None
        assert each.next_fire_times[0].startswith("2026-03-03T14:00"), "answered as it was judged"
        row = await house.ledger.reader.schedules.get(each.id)
        assert row is not None
        assert row.next_due == parse(each.next_fire_times[0])
