"""What people see of /schedule skip and move, and of Skip next; with a real core. It is Thursday 1 January 2026, midnight."""

from __future__ import annotations

import pytest

from cogs import presses
from cogs.front import Interaction
from cogs.presses import STALE
from schedule_zero.schedule import Schedule
from tests.cogs.stage import Stage, labels, offered, said, scheduled, texts

FIRST = "<t:1767258000:F> (<t:1767258000:R>)"
SECOND = "<t:1767344400:F> (<t:1767344400:R>)"
THIRD = "<t:1767430800:F> (<t:1767430800:R>)"


async def test_the_next_time_is_skipped_with_the_way_back(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    result = await served.alice.slash(served.general, "schedule skip", item="standup")
    assert result.response is not None
    words = texts(result.response)
    assert f"### Skipped: standup\nLeft out: {FIRST}" in words
    assert f"**Next**\n- {SECOND}" in words
    await served.alice.click(result.response, label="Undo")
    assert (await served.bot.core.get_schedule(made.id)).next_fire_times == made.next_fire_times


async def test_the_next_times_are_suggested_as_local_time(served: Stage) -> None:
    made = await scheduled(served, name="standup", tz="Asia/Tokyo")
    offers = await offered(served, "schedule skip", "which", "", item=made.id)
    assert offers[0] == ("Fri 2 Jan 2026 09:00", "2026-01-02T00:00:00+00:00")
    assert len(offers) == 25
    assert await offered(served, "schedule skip", "which", "3 jan", item="standup") == [
        ("Sat 3 Jan 2026 09:00", "2026-01-03T00:00:00+00:00"),
        ("Tue 13 Jan 2026 09:00", "2026-01-13T00:00:00+00:00"),
        ("Fri 23 Jan 2026 09:00", "2026-01-23T00:00:00+00:00"),
    ]
    assert await offered(served, "schedule skip", "which", "", item="nothing like it") == []
    words = await said(served, "schedule skip", item=made.id, which="2026-01-03T00:00:00+00:00")
    assert "Left out: <t:1767398400:F>" in words
    assert "-# 2026-01-03 09:00 is skipped" in words


async def test_notes_are_said_whole_and_with_their_day(served: Stage) -> None:
    await served.env.advance_time(86_400 * 86)  # to Saturday 28 March
    made = await scheduled(served, name="standup", tz="Europe/Berlin")
    offers = await offered(served, "schedule skip", "which", "29 mar", item=made.id)
    assert offers[0][0] == "Sun 29 Mar 2026 09:00 · the clocks go forward 1 h since the time before (now UTC+02:00)"
    words = await said(served, "schedule skip", item="standup", which="30 march at 9")
    assert "-# 2026-03-29 09:00: the clocks go forward 1 h since the time before (now UTC+02:00)" in words
    assert "-# 2026-03-30 09:00 is skipped" in words


async def test_a_time_is_meant_in_words_too_and_refused_if_it_is_none_of_them(served: Stage) -> None:
    await scheduled(served, name="standup")
    assert f"Left out: {THIRD}" in await said(served, "schedule skip", item="standup", which="3 january at 9")
    wrong = await said(served, "schedule skip", item="standup", which="3 january at 10")
    assert wrong == (
        "`which`: it is not due at <t:1767434400:f>; its next times are <t:1767258000:f>, <t:1767344400:f>, <t:1767517200:f>."
    )
    series = await said(served, "schedule skip", item="standup", which="every day at 9")
    assert series == "`which` must be one moment, and 'every day at 9' means every day at 09:00."


async def test_a_time_is_moved_and_the_series_stays(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    words = await said(served, "schedule move", item="standup", which="tomorrow at 9", to="tomorrow at 11:30")
    assert f"### Moved: standup\nMoved: {SECOND} comes at <t:1767353400:F> (<t:1767353400:R>) instead" in words
    assert f"- {FIRST}\n- <t:1767353400:F> (<t:1767353400:R>)\n- {THIRD}" in words
    assert "-# moved from 2026-01-02 09:00" in words
    tokens = await offered(served, "schedule undo", "token", "moved")
    await said(served, "schedule undo", token=tokens[0][1])
    assert (await served.bot.core.get_schedule(made.id)).next_fire_times == made.next_fire_times


async def test_where_nothing_is_due_nothing_is_skipped(served: Stage) -> None:
    await scheduled(served, name="standup")
    await said(served, "schedule pause", item="standup")
    assert await said(served, "schedule skip", item="standup") == (
        "Nothing of this schedule is due at the moment; `/schedule show` says why."
    )


async def test_skip_next_leaves_out_the_time_the_card_shows_and_no_other(served: Stage) -> None:
    made = await scheduled(served, name="standup")
    shown = await served.alice.slash(served.general, "schedule show", item=made.id)
    assert shown.response is not None
    await served.alice.click(shown.response, label="Skip next")
    assert f"### Skipped: standup\nLeft out: {FIRST}" in texts(shown.response)
    shown = await served.alice.slash(served.general, "schedule show", item=made.id)
    assert shown.response is not None
    await served.env.advance_time(86_400 * 2)  # the time on the card has passed
    pressed = await served.alice.click(shown.response, label="Skip next")
    assert [message.content for message in pressed.followups] == [STALE]
    assert (await served.bot.core.get_schedule(made.id)).revision == 2


async def test_of_two_who_press_skip_next_at_once_one_time_is_left_out(
    served: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await scheduled(served, name="standup")
    shown = await served.alice.slash(served.general, "schedule show", item=made.id)
    assert shown.response is not None
    read = presses.shown

    async def read_a_moment_too_early(interaction: Interaction, schedule_id: str) -> Schedule:
        schedule = await read(interaction, schedule_id)
        if schedule.revision == made.revision:
            await served.bot.core.skip_occurrence(schedule_id)
        return schedule

    monkeypatch.setattr(presses, "shown", read_a_moment_too_early)
    pressed = await served.alice.click(shown.response, label="Skip next")
    assert [message.content for message in pressed.followups] == [STALE]
    assert "### Schedule: standup" in texts(shown.response)
    assert (await served.bot.core.get_schedule(made.id)).revision == made.revision + 1


async def test_what_is_due_once_offers_no_skip(served: Stage) -> None:
    made = await scheduled(served, "tomorrow at 9")
    shown = await served.alice.slash(served.general, "schedule show", item=made.id)
    assert shown.response is not None
    assert labels(shown.response) == ["Pause", "Preview", "Refresh", "Delete"]


async def test_a_reminder_of_ones_own_can_skip_its_next_time(served: Stage) -> None:
    shown = await served.bob.slash(served.general, "remind me", when="every day at 9", text="tea")
    assert shown.response is not None
    await served.bob.click(shown.response, label="Skip next")
    assert f"Skipped: tea\nLeft out: {FIRST}" in texts(shown.response)
