"""What people see of /schedule policy, with a real core behind it. It is Thursday 1 January 2026, midnight in UTC."""

from __future__ import annotations

from schedule_zero.closings import CalendarDays, HoursWindows
from schedule_zero.schedule import ActiveHours, Calendar
from tests.cogs.stage import Stage, labels, offered, said, scheduled, texts


async def _close(served: Stage, *dates: str) -> None:
    await served.bot.core.put_calendar(served.guild_id, "closed", CalendarDays(dates=dates))


async def test_a_calendar_shows_the_next_times_before_and_after(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    await _close(served, "2026-01-03 Moving house")
    result = await served.alice.slash(served.general, "schedule policy", item="standup", calendar="closed")
    assert result.response is not None
    words = texts(result.response)
    assert "**Days off**: closed (times there are left out)\n-# before: none" in words
    assert "- ~~`Sat 2026-01-03 09:00` <t:1767430800:R>~~ no more" in words
    assert "- `Sun 2026-01-04 09:00` <t:1767517200:R> · 2026-01-03 09:00 is Moving house, and left out" in words
    assert words.count("- `") == 9
    assert "**The next times, before and after** · UTC" in words
    assert labels(result.response)[-1] == "Undo"
    assert "**Days off**: closed (times there are left out)" in await said(served, "schedule policy", item="standup")
    await served.alice.click(result.response, label="Undo")
    assert (await served.bot.core.get_schedule(made.id)).calendar is None


async def test_what_becomes_of_times_on_days_off_and_outside_hours_can_be_said_later(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    await _close(served, "2026-01-03")
    await served.bot.core.put_hours(served.guild_id, "office", HoursWindows(windows=("MO-FR 08:00-17:00",)))
    await said(served, "schedule policy", item="standup", calendar="closed", active_hours="office", outside="later")
    words = await said(served, "schedule policy", item="standup", on_clash="later")
    assert "**Days off**: closed (times there come later)\n-# before: closed (times there are left out)" in words
    kept = await served.bot.core.get_schedule(made.id)
    assert kept.calendar == Calendar(name="closed", on_clash="later")
    assert kept.active_hours == ActiveHours(name="office", outside="later")
    await said(served, "schedule policy", item="standup", active_hours="none")
    assert (await served.bot.core.get_schedule(made.id)).active_hours is None


async def test_rules_are_changed_one_by_one_and_said_in_words(served: Stage) -> None:
    await scheduled(served, name="standup")
    words = await said(served, "schedule policy", item="standup", catchup="skip", dst="literal")
    assert (
        "**Catch up**: `skip`, missed times are left out\n-# before: `once`, missed times are made up for once" in words
    )
    assert "**Clock change**: `literal`" in words
    assert "End of month" not in words
    assert "The next 10 times stay as they are." in words
    result = await served.alice.slash(served.general, "schedule policy", item="standup", catchup="skip")
    assert result.response is not None
    assert "It was so already; nothing is different." in texts(result.response)
    assert "### Policy: standup" in texts(result.response)
    assert "revision 2" in texts(result.response)
    assert "Undo" not in labels(result.response)


async def test_what_happens_to_days_off_is_nothing_without_a_calendar(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    assert await said(served, "schedule policy", item="standup", on_clash="later") == (
        "`on_clash` is about days off, and this schedule heeds no calendar; name one in `calendar`."
    )
    assert await said(served, "schedule policy", item="standup", outside="later") == (
        "`outside` is about hours, and this schedule heeds none; name some in `active_hours`."
    )
    assert (await said(served, "schedule policy", item="standup", calendar="lost")).startswith(
        "`calendar`: there is no calendar 'lost'; this server has none yet"
    )
    assert (await served.bot.core.get_schedule(made.id)).revision == 1


async def test_names_are_suggested_and_none(served: Stage) -> None:
    await _close(served, "2026-01-03")
    assert await offered(served, "schedule policy", "calendar", "clo") == [("closed", "closed")]
    assert await offered(served, "schedule policy", "calendar", "") == [
        ("closed", "closed"),
        ("none: heed no more", "none"),
    ]
    assert await offered(served, "schedule policy", "active_hours", "") == [("none: heed no more", "none")]


async def test_a_policy_that_leaves_no_time_is_refused_and_changes_nothing(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    await served.bot.core.put_hours(served.guild_id, "night", HoursWindows(windows=("22:00-06:00",)))
    assert "never be due: 2026-01-01 09:00 is outside its hours" in await said(
        served, "schedule policy", item="standup", active_hours="night"
    )
    assert (await served.bot.core.get_schedule(made.id)).revision == 1
