"""What people see of /calendar, with a real core behind it. It is Thursday 1 January 2026, midnight in UTC."""

from __future__ import annotations

import pytest

from cogs.calendar import affected, holidays, hours
from cogs.calendar.holidays import LARGEST_FILE
from cogs.calendar.windows import read_days, with_windows
from cogs.front import Interaction
from schedule_zero.closings import CalendarDays, CalendarView, HoursWindows
from tests.cogs.stage import Stage, offered, said, scheduled, texts
from tests.service.test_calendars import ICS

# ── days off ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("2 january", "2026-01-02"),
        ("today", "2026-01-01"),
        ("every 24 december", "12-24"),
        ("24 december to 27 december", "2026-12-24/2026-12-27"),
        ("2026-12-25 Christmas", "2026-12-25 Christmas"),
        ("12-31", "12-31"),
    ],
)
async def test_a_day_off_is_said_in_words_or_as_a_calendar_has_it(served: Stage, typed: str, kept: str) -> None:
    await said(served, "calendar holidays add", name="closed", date=typed)
    assert (await served.bot.core.get_calendar(served.guild_id, "closed")).dates == (kept,)


async def test_while_typing_a_day_is_read_back_with_the_same_day_of_every_year(served: Stage) -> None:
    assert await offered(served, "calendar holidays add", "date", "25 dec") == [
        ("Friday 25 December 2026", "2026-12-25"),
        ("25 December, every year", "12-25"),
    ]
    either = await offered(served, "calendar holidays add", "date", "03/04")
    assert ("Friday 3 April 2026", "2026-04-03") in either
    assert ("Wednesday 4 March 2026", "2026-03-04") in either
    assert await offered(served, "calendar holidays add", "date", "nonsense") == [
        ("Thursday 1 January 2026", "2026-01-01"),
        ("Friday 2 January 2026", "2026-01-02"),
        ("1 January, every year", "01-01"),
        ("2 January, every year", "01-02"),
    ]


async def test_what_changes_is_said_with_the_times_it_concerns(served: Stage) -> None:
    standup = await scheduled(served, name="standup")
    await scheduled(served, "every day at 10", name="lunch")
    await said(served, "calendar holidays add", name="closed", date="24 december")
    await said(served, "schedule policy", item="standup", calendar="closed")
    words = await said(served, "calendar holidays add", name="closed", date="2026-01-03 Moving house")
    assert "Calendar changed: closed" in words
    assert "- Saturday 3 January 2026: Moving house" in words
    assert "**1** schedule heeds it." in words
    assert standup.next_fire_times[2] == "2026-01-03T09:00:00+00:00"
    assert "**standup**: not <t:1767430800:f>; next <t:1767258000:f>" in words
    assert "lunch" not in words
    back = await said(served, "calendar holidays remove", name="closed", date="3 january")
    assert "**standup**: now also <t:1767430800:f>; next" in back


async def test_days_that_come_again_otherwise_than_every_year_are_refused(served: Stage) -> None:
    words = await said(served, "calendar holidays add", name="closed", date="every friday")
    assert words.startswith("'every friday' means every Friday at 09:00; a day off is one day, a span, or a day of")
    assert "/calendar hours set" in words
    assert (await served.bot.core.list_calendars(served.guild_id)).items == ()


async def test_an_unclear_day_is_answered_with_its_readings_and_one_press_adds_it(served: Stage) -> None:
    result = await served.alice.slash(served.general, "calendar holidays add", name="closed", date="03/04")
    assert result.response is not None
    assert texts(result.response) == (
        "`date`: '03/04' can be read in more than one way.\nDid you mean:\n"
        "- `Friday 3 April 2026 at 09:00`, next <t:1775206800:F>\n"
        "- `Wednesday 4 March 2026 at 09:00`, next <t:1772614800:F>"
    )
    await served.alice.click(result.response, label="Friday 3 April 2026 at 09:00")
    assert "Calendar made: closed" in texts(result.response)
    assert (await served.bot.core.get_calendar(served.guild_id, "closed")).dates == ("2026-04-03",)


async def test_a_reading_of_one_end_of_a_span_keeps_the_other(served: Stage) -> None:
    result = await served.alice.slash(served.general, "calendar holidays add", name="closed", date="2 march to 03/04")
    assert result.response is not None
    await served.alice.click(result.response, label="Friday 3 April 2026 at 09:00")
    assert (await served.bot.core.get_calendar(served.guild_id, "closed")).dates == ("2026-03-02/2026-04-03",)


async def test_what_is_no_day_is_refused_with_days_and_not_with_times(served: Stage) -> None:
    assert await said(served, "calendar holidays add", name="closed", date="foo") == (
        "`date`: 'foo' is not a time I can read; try 'tomorrow', '25 december' or '2026-12-25'"
    )


async def test_a_calendar_cannot_be_called_none(served: Stage) -> None:
    words = await said(served, "calendar holidays add", name="none", date="2 january")
    assert words == "`name`: must not be 'none', which stands for nothing of the kind; take another name"


async def test_holidays_of_a_country_are_found_by_its_name(served: Stage) -> None:
    assert ("Germany (DE)", "DE") in await offered(served, "calendar holidays add", "country", "germ")
    words = await said(served, "calendar holidays add", name="bank", country="germany", region="by")
    assert "- public holidays of **DE-BY**" in words
    assert "- Thursday 1 January 2026: New Year's Day\n- Tuesday 6 January 2026: Epiphany" in words
    other = await said(served, "calendar holidays add", name="bank", country="FR")
    assert other.startswith("bank has the holidays of DE-BY, and a calendar has those of one country.")
    assert await said(served, "calendar holidays add", name="x", country="united") == (
        "More than one country fits 'united'; United Arab Emirates (AE), United Kingdom (GB), United States (US), "
        "United States Minor Outlying Islands (UM), United States Virgin Islands (VI) do. Pick one from the suggestions."
    )
    wrong = await said(served, "calendar holidays add", name="x", country="DE", region="Mars")
    assert wrong.startswith("`region`: DE has no region 'MARS'; its regions are BB")
    assert await said(served, "calendar holidays add", name="x", date="today", region="BY") == (
        "`region` is one of a country; give `country`, too."
    )
    assert "Say what is off" in await said(served, "calendar holidays add", name="x")


async def test_a_file_adds_its_days_and_anything_else_is_refused_with_a_sentence(served: Stage) -> None:
    await said(served, "calendar holidays add", name="closed", date="24 december")
    words = await said(served, "calendar holidays import", name="closed", file=("days.ics", ICS.encode()))
    for line in (
        "Thursday 24 December 2026",
        "Thursday 5 March 2026 to Friday 6 March 2026: Retreat",
        "1 May, every year",
    ):
        assert f"- {line}" in words
    for data, sentence in (
        (b"hello", "this is no iCalendar file; export one (.ics) from a calendar program"),
        (b"\xff\xfe\x00", "`file` is no iCalendar file; export one (.ics) from a calendar program."),
        (b"x" * (LARGEST_FILE + 1), "`file` has 500,001 bytes; an iCalendar file may have at most 500,000."),
    ):
        assert sentence in await said(served, "calendar holidays import", name="closed", file=("x.ics", data))
    assert len((await served.bot.core.get_calendar(served.guild_id, "closed")).dates) == 3


async def test_a_calendar_goes_as_a_whole_when_nobody_heeds_it(served: Stage) -> None:
    await scheduled(served, name="standup")
    await said(served, "calendar holidays add", name="closed", date="24 december")
    assert "That is all there is in closed" in await said(
        served, "calendar holidays remove", name="closed", date="2026-12-24"
    )
    await said(served, "schedule policy", item="standup", calendar="closed")
    assert (await said(served, "calendar holidays remove", name="closed")).startswith(
        "The calendar closed cannot go: 1 schedule heeds it ('standup')."
    )
    await said(served, "schedule policy", item="standup", calendar="none")
    assert "next Thursday 24 December 2026 · No schedule heeds it yet." in await said(served, "calendar holidays list")
    gone = await said(served, "calendar holidays remove", name="closed")
    assert gone == "### Calendar deleted: closed\nIt was\n- Thursday 24 December 2026"
    assert "There are none yet" in await said(served, "calendar holidays list")
    missing = await said(served, "calendar holidays list", name="closed")
    assert missing == "There is no calendar 'closed' here; this server has none."


async def test_days_are_removed_by_what_is_offered_or_in_words(served: Stage) -> None:
    for date in ("12-24 Eve", "2026-02-03", "2026-02-04"):
        await said(served, "calendar holidays add", name="closed", date=date)
    await said(served, "calendar holidays add", name="closed", country="DE")
    kept = await offered(served, "calendar holidays remove", "date", "eve", name="closed")
    assert kept == [("24 December, every year: Eve", "12-24 Eve")]
    for date in ("12-24 Eve", "3 february"):
        await said(served, "calendar holidays remove", name="closed", date=date)
    await said(served, "calendar holidays remove", name="closed", country="germany")
    left = await served.bot.core.get_calendar(served.guild_id, "closed")
    assert (left.dates, left.country) == (("2026-02-04",), None)
    assert (await said(served, "calendar holidays remove", name="closed", date="5 february")).startswith(
        "Thursday 5 February 2026 is no day of its own in closed."
    )
    assert (await said(served, "calendar holidays add", name="closed", date="4 february")).startswith(
        "Wednesday 4 February 2026 is off in closed already."
    )


@pytest.mark.parametrize("known", [True, False])
async def test_of_two_who_add_days_to_one_calendar_at_once_both_do(
    served: Stage, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    core, home, find = served.bot.core, served.guild_id, holidays._find
    if known:
        await core.put_calendar(home, "closed", CalendarDays(dates=("2026-02-03",)))
    others = ["2026-02-04", "2026-02-06"]

    async def read_a_moment_too_early(interaction: Interaction, name: str) -> CalendarView | None:
        seen = await find(interaction, name)
        if others:
            there = () if seen is None else seen.dates
            await core.put_calendar(home, "closed", CalendarDays(dates=(*there, others.pop(0))))
        return seen

    monkeypatch.setattr(holidays, "_find", read_a_moment_too_early)
    words = await said(served, "calendar holidays add", name="closed", date="2026-02-05")
    assert "Thursday 5 February 2026" in words
    days = (*(("2026-02-03",) if known else ()), "2026-02-04", "2026-02-06", "2026-02-05")
    assert (await core.get_calendar(home, "closed")).dates == days
    others.append("2026-02-05")
    assert (await said(served, "calendar holidays remove", name="closed", date="2026-02-06")).startswith("### Calendar")
    assert "2026-02-06" not in (await core.get_calendar(home, "closed")).dates


async def test_who_is_never_quick_enough_hears_of_it(served: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    core, home, find = served.bot.core, served.guild_id, holidays._find
    looked: list[str] = []

    async def read_a_moment_too_early(interaction: Interaction, name: str) -> CalendarView | None:
        seen = await find(interaction, name)
        looked.append(f"2026-02-{len(looked) + 10}")
        await core.put_calendar(home, "closed", CalendarDays(dates=(looked[-1],)))
        return seen

    monkeypatch.setattr(holidays, "_find", read_a_moment_too_early)
    words = await said(served, "calendar holidays add", name="closed", date="2026-02-05")
    assert words == "The calendar closed changed since it was read; look again."
    assert len(looked) == holidays.LOOKS


@pytest.mark.parametrize("known", [True, False])
async def test_of_two_who_set_the_same_hours_at_once_the_later_hears_of_it(
    served: Stage, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    core, home = served.bot.core, served.guild_id
    if known:
        await core.put_hours(home, "office", HoursWindows(windows=("MO-FR 09:00-17:00",)))

    async def hours_meanwhile(interaction: Interaction) -> affected.Glance:
        await core.put_hours(home, "office", HoursWindows(windows=("MO-FR 10:00-12:00",)))
        return await affected.glance(interaction)

    monkeypatch.setattr(hours, "glance", hours_meanwhile)
    words = await said(served, "calendar hours set", name="office", days="sat", from_="9", to="10")
    assert words == "The hours office changed since they were read; look again."
    assert (await core.get_hours(home, "office")).windows == ("MO-FR 10:00-12:00",)


# ── hours ────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_hours_are_set_day_by_day_and_other_days_stay(served: Stage) -> None:
    words = await said(served, "calendar hours set", name="office", days="weekdays", from_="9", to="5pm")
    assert "Hours made: office" in words
    assert "- `MO-FR 09:00-17:00`" in words
    assert "Read in each schedule's own time zone. No schedule heeds it yet." in words
    words = await said(
        served, "calendar hours set", name="office", days="fri, sat", from_="9:00, 13:00", to="12:00, 15:30",
        tz="Europe/Berlin",
    )  # fmt: skip
    assert "Hours changed: office" in words
    kept = await served.bot.core.get_hours(served.guild_id, "office")
    assert kept.windows == ("MO-TH 09:00-17:00", "FR,SA 09:00-12:00", "FR,SA 13:00-15:30")
    await said(served, "calendar hours set", name="office", days="sun", from_="10", to="11")
    assert (await served.bot.core.get_hours(served.guild_id, "office")).timezone == "Europe/Berlin"
    assert await offered(served, "calendar hours show", "name", "off") == [("office", "office")]
    assert "**office**: MO-TH 09:00-17:00, FR,SA" in await said(served, "calendar hours show")
    assert "Hours deleted: office" in await said(served, "calendar hours clear", name="office")
    assert "There are none yet" in await said(served, "calendar hours show")


@pytest.mark.parametrize(
    ("days", "begin", "end", "sentence"),
    [
        ("funday", "9", "17", "'funday' in 'funday' is no day of the week"),
        ("weekdays", "25:00", "17", "'25:00' is no time of day"),
        ("weekdays", "9, 13", "17", "`from` has 2 times and `to` has 1; each window needs both."),
    ],
)
async def test_hours_that_cannot_be_read_are_refused(
    served: Stage, days: str, begin: str, end: str, sentence: str
) -> None:
    assert sentence in await said(served, "calendar hours set", name="office", days=days, from_=begin, to=end)
    assert (await served.bot.core.list_hours(served.guild_id)).items == ()


async def test_hours_that_change_tell_whose_times_do(served: Stage) -> None:
    await served.bot.core.put_hours(served.guild_id, "office", HoursWindows(windows=("MO-SU 08:00-17:00",)))
    await scheduled(served, name="standup")
    await said(served, "schedule policy", item="standup", active_hours="office")
    words = await said(served, "calendar hours set", name="office", days="fri", from_="10", to="12")
    assert "**standup**: not <t:1767344400:f>; next <t:1767258000:f>" in words
    assert "**1** schedule heeds it." in words


def test_windows_take_days_from_others_and_leave_what_only_the_core_can_read() -> None:
    windows = ("MO-FR 9:00-17:00", "20:00-22:00", "from dusk till dawn")
    assert with_windows(windows, read_days("fri, sat"), ["10:00"], ["12:00"]) == (
        "MO-TH 9:00-17:00",
        "MO-TH,SU 20:00-22:00",
        "from dusk till dawn",
        "FR,SA 10:00-12:00",
    )


# ── blackouts ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_blackout_tells_what_it_leaves_out_and_is_removed_by_its_reason(served: Stage) -> None:
    await scheduled(served, name="standup")
    await served.bob.slash(served.general, "remind me", when="every day at 9", text="Bob's own")
    words = await said(
        served, "calendar blackout add", from_="tomorrow at 8", to="tomorrow at 10", reason="release *freeze*"
    )
    assert "**From** <t:1767340800:F>\n**To** <t:1767348000:F>\n**Rests**: messages and jobs · UTC" in words
    assert r"**Reason**: release \*freeze\*" in words
    assert "**standup**: not <t:1767344400:f>; next <t:1767258000:f>" in words
    assert "Bob's own" not in words
    listed = await said(served, "calendar blackout list")
    assert "- <t:1767340800:f> to <t:1767348000:f> · release" in listed
    offers = await offered(served, "calendar blackout remove", "which", "freeze")
    assert [name for name, _ in offers] == ["2026-01-02 08:00 to 2026-01-02 10:00 · release *freeze*"]
    assert (await said(served, "calendar blackout remove", which="party")).startswith("No blackout fits 'party'.")
    back = await said(served, "calendar blackout remove", which="Release *freeze*")
    assert "Blackout removed" in back
    assert "**standup**: now also <t:1767344400:f>" in back
    assert "None; " in await said(served, "calendar blackout list")


async def test_no_blackout_is_removed_by_words_that_are_only_a_part_of_its_reason(served: Stage) -> None:
    for day in ("2", "3"):
        await said(
            served, "calendar blackout add", from_=f"{day} january 8:00", to=f"{day} january 9:00", reason="inventory"
        )
    await said(served, "calendar blackout add", from_="4 january 8:00", to="4 january 9:00", reason="release freeze")
    await said(served, "calendar blackout add", from_="5 january 8:00", to="5 january 9:00")
    pick = "Pick one from the suggestions of `which`."
    whole = "Write the whole reason, or pick one from the suggestions of `which`."
    for words, refusal in (
        ("freeze", f"No blackout is called 'freeze'. Did you mean 'release freeze'? {whole}"),
        ("inventory", f"2 blackouts fit 'inventory'. {pick}"),
        ("01-05", f"No blackout is called '01-05'. Did you mean '2026-01-05 08:00 to 2026-01-05 09:00'? {whole}"),
    ):
        assert await said(served, "calendar blackout remove", which=words) == refusal
    offers = dict(await offered(served, "calendar blackout remove", "which", ""))
    assert len(offers) == 4
    written, picked = (
        "2026-01-02 08:00 to 2026-01-02 09:00 · inventory",
        "2026-01-03 08:00 to 2026-01-03 09:00 · inventory",
    )
    for which in ("release freeze", "2026-01-05 08:00 to 2026-01-05 09:00", written, offers[picked]):
        assert "Blackout removed" in await said(served, "calendar blackout remove", which=which)
    assert "None; " in await said(served, "calendar blackout list")


async def test_a_blackout_may_begin_now_and_is_read_in_the_servers_zone(served: Stage) -> None:
    assert (await offered(served, "calendar blackout add", "from", "no"))[0] == ("now", "now")
    assert all(value != "now" for _, value in await offered(served, "calendar blackout add", "from", "tomorrow"))
    await said(served, "settings timezone", tz="Asia/Tokyo")
    await said(served, "timezone set", tz="Europe/Berlin")
    words = await said(served, "calendar blackout add", from_="now", to="tomorrow at 9", scope="jobs")
    assert "**From** <t:1767225600:F>\n**To** <t:1767312000:F>\n**Rests**: jobs · Asia/Tokyo" in words
    wrong = await said(served, "calendar blackout add", from_="tomorrow at 9", to="today at 20:00")
    assert wrong == "`to`: must come after from"


# ── agenda ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_agenda_lists_days_with_their_times_and_notes(served: Stage) -> None:
    await scheduled(served, name="standup")
    await scheduled(served, "every friday at 18:30", name="party")
    await scheduled(served, "every hour on the clock", name="hourly")
    await served.bob.slash(served.general, "remind me", when="tomorrow at 9", text="Bob's own")
    await said(served, "calendar holidays add", name="closed", date="2026-01-02 Bridge day")
    await said(served, "schedule policy", item="standup", calendar="closed")
    await said(served, "calendar blackout add", from_="friday 20:00", to="friday 22:00", reason="quiet")
    words = await said(served, "calendar agenda", to="3 january")
    lines = words.splitlines()
    assert lines[0] == "### Agenda, 2026-01-01 to 2026-01-03"
    assert "<t:1767384000:f> to <t:1767391200:f> · quiet" in words
    assert f"`09:00` · standup · <#{served.general.id}>" in lines[lines.index("**Thu 2026-01-01**") :]
    saturday = lines[lines.index("**Sat 2026-01-03**") :]
    assert f"`09:00` · standup · <#{served.general.id}> · 2026-01-02 09:00 is Bridge day, and left out" in saturday
    assert any("`18:30` · party" in line for line in lines)
    assert any("`00:00` `01:00` `02:00` `03:00` `04:00` `05:00` and 18 more · hourly" in line for line in saturday)
    assert "Bob's own" not in words
    assert "-# Times in UTC. Reminders are not listed." in lines


async def test_the_agenda_is_bounded(served: Stage) -> None:
    assert "Nothing is due." in await said(served, "calendar agenda", from_="tomorrow")
    words = await said(served, "calendar agenda", from_="tomorrow", to="in 60 days")
    assert words == "`to` must be 2026-01-02 or up to 30 days later, and is 2026-03-02."
    await scheduled(served, "every 10 minutes", name="busy")
    words = await said(served, "calendar agenda")
    assert "-# Of busy only the first 100 times were looked at." in words


async def test_of_very_many_schedules_the_oldest_are_looked_at_and_it_says_so(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(affected, "_FETCHED", 1)
    monkeypatch.setattr(affected, "LOOKED_AT", 2)
    note = "-# Only the oldest 2 schedules were looked at."
    for number in range(3):
        assert note not in await said(served, "calendar agenda")
        await scheduled(served, name=f"number {number}")
    words = await said(served, "calendar agenda")
    assert note in words
    assert "number 1" in words
    assert "number 2" not in words
    assert note in await said(served, "calendar blackout add", from_="now", to="in 2 days")
    assert note in await said(served, "calendar holidays add", name="closed", country="DE")


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_calendar_is_for_those_who_manage_the_server(served: Stage) -> None:
    assert "calendar agenda" in served.alice.available_commands(served.general)
    assert "calendar agenda" not in served.bob.available_commands(served.general)
