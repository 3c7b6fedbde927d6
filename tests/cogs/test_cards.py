"""Cards stay within Discord's limits, whatever they show."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from discord import ui
from hypothesis import given
from hypothesis import strategies as st

from cogs.buttons import CUSTOM_ID, CardButton
from cogs.cards import card, preview_card, run_line, schedule_card
from cogs.lists import LONGEST_SEARCH, Listing, _row
from cogs.texts import CARD_TEXT, fit, shorten, title_of
from schedule_zero.run import Missed, RunState, Why
from schedule_zero.schedule import Policy, Schedule, UndoToken
from schedule_zero.trigger import DateTrigger
from schedule_zero.views import Fire
from tests.bot.fake_core import START, make_run

AT = START.isoformat()
FULL = Why(
    scope="guild:1", limit="rate", used=30, allowed=30, until=AT,
    words=f"Guild 1 has used 30 of 30; the next can start at {AT}.",
)  # fmt: skip
LATER = Why(scope="schedule:s", limit="retry", used=1, allowed=3, until=AT, words=f"The next begins at {AT}.")


def _schedule(**fields: Any) -> Schedule:
    plain: dict[str, Any] = {
        "id": "sch_" + "z" * 20, "revision": 123_456, "guild_id": "1" * 19, "name": None, "owner_id": "2" * 19,
        "handler": "discord", "method": "send_message", "args": {"channel_id": "3" * 19, "content": "tea"},
        "trigger": DateTrigger(AT), "timezone": "Europe/Berlin", "words": "once", "start": None, "until": None,
        "count": None, "calendar": None, "active_hours": None, "policy": Policy(), "after": (), "state": "active",
        "next_fire_times": (AT,) * 5, "notes": (), "created_at": AT,
    }  # fmt: skip
    return Schedule(**(plain | fields))


def _words(layout: ui.LayoutView) -> list[str]:
    return [item.content for item in layout.walk_children() if isinstance(item, ui.TextDisplay)]


def _require_limits(layout: ui.LayoutView) -> None:
    texts = _words(layout)
    assert all(texts)
    assert sum(len(text) for text in texts) <= CARD_TEXT
    assert len(list(layout.walk_children())) <= 40
    for item in layout.walk_children():
        if isinstance(item, CardButton):
            assert len(item.custom_id) <= CUSTOM_ID


LONG = st.text(max_size=2_500)


@given(content=LONG, name=st.none() | LONG, notes=st.lists(LONG, max_size=8), words=LONG, note=st.none() | LONG)
async def test_a_schedules_card_fits_whatever_it_says(
    content: str, name: str | None, notes: list[str], words: str, note: str | None
) -> None:
    undo = UndoToken("u" * 26, AT)
    runs = [make_run("run_1", "sch_1", RunState.FAILED, reason="x" * 3_000)] * 5
    schedule = _schedule(
        args={"channel_id": "3" * 19, "content": content}, name=name, notes=tuple(notes), words=words, note=note,
        state="paused", undo=undo,
    )  # fmt: skip
    _require_limits(schedule_card(schedule, "Scheduled", notes=notes, runs=runs))


@given(st.lists(LONG, max_size=12))
async def test_any_blocks_fit_on_a_card(blocks: list[str]) -> None:
    _require_limits(card("Heading", *blocks))


async def test_a_persons_markdown_stays_text_in_headings_and_runs_loose_nowhere() -> None:
    heading = _words(schedule_card(_schedule(name="# tea_time `x` @everyone"), "Reminder"))[0]
    assert heading == "### Reminder: \\# tea\\_time \\`x\\` @everyone"


async def test_a_title_that_is_cut_takes_nothing_with_it() -> None:
    # Half an escape at the cut would escape the stars that end the bold print.
    row = _row(_schedule(name="x" * 78 + "*" * 2_000))
    assert row.startswith(f"- **{'x' * 78}\\*…** · <t:")


async def test_marks_that_turn_the_writing_stay_out_of_titles() -> None:
    heading = _words(schedule_card(_schedule(name="\u202egnp.tac\u2066"), "Reminder"))[0]
    assert heading == "### Reminder: gnp.tac"


@pytest.mark.parametrize("blank", ["   ", "\u200b\u200b", "\u202e", ""])
async def test_what_has_no_visible_name_is_called_by_its_text(blank: str) -> None:
    assert title_of(_schedule(name=blank)) == "tea"
    assert title_of(_schedule(name=blank, args={"content": blank})) == "discord.send\\_message"


async def test_a_rule_is_shown_as_it_is_written() -> None:
    shown = _words(schedule_card(_schedule(words="the cron line */5 * */2 * *"), "Reminder"))
    assert any(r"\*/5 \* \*/2 \* \* · Europe/Berlin" in block for block in shown)


async def test_fifty_due_times_are_all_shown() -> None:
    moments = [START + timedelta(days=number) for number in range(50)]
    fires = [Fire(at=moment.isoformat(), local=moment.isoformat()[:19]) for moment in moments]
    layout = preview_card("Preview", "every day at 9", "Europe/Berlin", fires, ["a note"])
    _require_limits(layout)
    assert _words(layout)[2].count("\n") == 49
    assert "`Mon 2027-03-01 09:00` · `09:00Z` · <t:" in _words(layout)[2]


async def test_fifty_due_times_with_long_notes_say_how_many_are_left_out() -> None:
    fires = [Fire(at=AT, local=AT[:19], notes=("n" * 200,))] * 50
    layout = preview_card("Preview", "every day at 9", "Europe/Berlin", fires, [])
    _require_limits(layout)
    assert _words(layout)[2].splitlines()[-1].startswith("… and ")


async def test_local_time_on_another_day_than_utc_names_both_days() -> None:
    moment = datetime(2027, 3, 1, 23, 30, 15, tzinfo=UTC)
    fire = Fire(at=moment.isoformat(), local="2027-03-02T00:30:15", notes=("the clock changes",))
    words = _words(preview_card("Preview", "x", "Europe/Berlin", [fire], []))[2]
    assert words.startswith("`Tue 2027-03-02 00:30:15` · `01 Mar 23:30:15Z` · <t:")
    assert words.endswith(" · the clock changes")


@given(st.lists(st.text(alphabet="abc", max_size=30), max_size=20), st.integers(min_value=40, max_value=200))
def test_fitting_keeps_whole_lines_and_counts_the_rest(lines: list[str], limit: int) -> None:
    fitted = fit(lines, limit)
    assert len(fitted) <= limit
    if fitted != "\n".join(lines):
        *kept, last = fitted.split("\n")
        assert kept == lines[: len(kept)]
        assert last == f"… and {len(lines) - len(kept)} more"


@given(st.text(max_size=50), st.integers(min_value=1, max_value=60))
def test_shortening_never_exceeds_its_limit(text: str, limit: int) -> None:
    assert len(shorten(text, limit)) <= limit


@given(
    st.builds(
        Listing,
        kind=st.sampled_from(["s", "j", "r"]),
        here=st.booleans(),
        state=st.none() | st.sampled_from(["active", "needs_owner", "done"]),
        search=st.text(max_size=LONGEST_SEARCH),
        channel_id=st.just("") | st.integers(10**17, 10**20 - 1).map(str),
        owner_id=st.just("") | st.integers(10**17, 10**20 - 1).map(str),
        sort=st.none() | st.sampled_from(["next", "name", "newest", "oldest"]),
        page=st.integers(1, 101),
    )
)
async def test_what_is_listed_fits_into_a_button_and_comes_back_out(listing: Listing) -> None:
    subject, detail = listing.spell()
    button = CardButton("Next", "list", subject, detail)
    assert len(button.custom_id) <= CUSTOM_ID
    match = button.template.fullmatch(button.custom_id)
    assert match is not None
    assert Listing.parse(match["subject"], match["detail"]) == listing


def test_a_paging_button_from_before_lists_could_be_sorted_still_works() -> None:
    assert Listing.parse("sa1.2", "..tea") == Listing(state="active", search="tea", page=2)
    with pytest.raises(ValueError, match="spells no listing"):
        Listing.parse("xx", "..")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": RunState.SUCCEEDED, "reason": None}, "succeeded · due <t:1803978000:f>"),
        ({"state": RunState.FAILED, "reason": "no_rights"}, "failed · due <t:1803978000:f> · no\\_rights"),
        (
            {"state": RunState.WAITING, "why": FULL},
            "waiting · due <t:1803978000:f> · Guild 1 has used 30 of 30; the next can start <t:1803978000:R>.",
        ),
        (
            {"state": RunState.WAITING, "error": "OSError: *away*", "why": LATER},
            "waiting · due <t:1803978000:f> · OSError: \\*away\\* · The next begins <t:1803978000:R>.",
        ),
        (
            {"state": RunState.FAILED, "reason": "timed_out", "error": "took longer than 3 s"},
            "failed · due <t:1803978000:f> · timed\\_out: took longer than 3 s",
        ),
        ({"state": RunState.RUNNING, "cancelling": True}, "running, being cancelled · due <t:1803978000:f>"),
        (
            {"state": RunState.SKIPPED, "reason": "missed", "missed": Missed(start=AT, end=AT, count=3)},
            "skipped · due <t:1803978000:f> · 3 due times until <t:1803978000:f> were missed",
        ),
    ],
)
def test_a_run_is_told_in_one_line(fields: dict[str, Any], words: str) -> None:
    stamp = int(START.timestamp())
    run = msgspec.structs.replace(make_run("run_1", "sch_1", RunState.WAITING), **fields)
    assert run_line(run) == words.replace("1803978000", str(stamp))
