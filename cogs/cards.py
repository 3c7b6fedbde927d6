"""Cards: how a schedule, a list and a preview look, with the buttons that belong to them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final

from discord import ButtonStyle, ui

from cogs.buttons import CardButton
from cogs.texts import (
    CARD_TEXT,
    WORDS,
    content_of,
    fit,
    list_of,
    moment,
    one_line,
    owner_of,
    place_of,
    quote,
    rule_of,
    seconds,
    shorten,
    stamp,
    state_of,
    title_of,
    waits_for,
)
from schedule_zero import instant
from schedule_zero.masking import without
from schedule_zero.run import Run
from schedule_zero.schedule import Schedule
from schedule_zero.views import Fire, PreviewView

NEXT_SHOWN: Final = 5
CLASHES: Final = {
    "skip": "times there are left out",
    "later": "times there come later",
    "earlier": "times there come earlier",
}
QUOTED: Final = 600
_RESTS_UNTIL: Final = {
    "paused": "until it is resumed",
    "blocked": "until it is resumed",
    "needs_owner": "until it is resumed",
    "pending": "until it is approved",
    "deleted": "unless that is undone",
}
_BUTTONS_IN_ROW: Final = 5


def card(
    heading: str,
    *blocks: str,
    menus: Sequence[tuple[str, ui.Item[Any]]] = (),
    buttons: Sequence[CardButton | ui.Button[Any]] = (),
) -> ui.LayoutView:
    """A card: a heading (without foreign markdown in it), blocks of text with rules between them, menus with the words above
    each, buttons below. Empty blocks are left out.

    All text together stays within Discord's limit: later blocks are cut first.
    """
    container: ui.Container[Any] = ui.Container()
    left = CARD_TEXT - sum(len(words) for words, _ in menus)
    for text in (f"### {shorten(heading, 200)}", *blocks):
        if not text or left <= 1:
            continue
        shown = text if len(text) <= left else fit(text.split("\n"), left)
        left -= len(shown)
        container.add_item(ui.TextDisplay(shown))
    for words, menu in menus:
        container.add_item(ui.TextDisplay(words))
        container.add_item(ui.ActionRow(menu))
    for start in range(0, len(buttons), _BUTTONS_IN_ROW):
        container.add_item(ui.ActionRow(*buttons[start : start + _BUTTONS_IN_ROW]))
    layout = ui.LayoutView(timeout=None)
    layout.add_item(container)
    return layout


def schedule_card(
    schedule: Schedule,
    heading: str,
    *,
    done: str = "",
    notes: Iterable[str] = (),
    runs: Sequence[Run] = (),
    before: Sequence[str] = (),
    after: Sequence[str] = (),
    below: str = "",
    hidden: frozenset[str] = frozenset(),
    buttons: Sequence[CardButton] | None = None,
) -> ui.LayoutView:
    """A schedule: what it says, its rule, its next five times, notes, and what can be done with it.

    Args:
        done: what has just been done to it, where the heading does not say it all.
        before, after, below: further facts, and a block below them.
        hidden: texts that nothing said of its runs may repeat.
        buttons: what can be done with it; None: what can be done with any schedule.
    """
    facts = [*before, f"**When**: {rule_of(schedule)}"]
    place = place_of(schedule)
    if place:
        facts.append(f"**Where**: {place}")
    facts += closings_of(schedule)
    facts += after
    if schedule.state != "active":
        facts.append(f"**State**: {without(state_of(schedule), hidden)}")
    content = content_of(schedule)
    small = f"-# `{schedule.id}` · revision {schedule.revision} · {owner_of(schedule)}"
    return card(
        f"{heading}: {title_of(schedule)}",
        done,
        quote(content, QUOTED) if content else "",
        "\n".join(facts),
        below,
        _next_times(schedule),
        _notes([*schedule.notes, *notes]),
        _last_runs(runs, hidden),
        small,
        buttons=schedule_buttons(schedule) if buttons is None else buttons,
    )


def closings_of(schedule: Schedule) -> list[str]:
    """The days off and the hours a schedule heeds, and what becomes of times there; nothing where it heeds none."""
    facts = []
    calendar, hours = schedule.calendar, schedule.active_hours
    if calendar is not None:
        name = calendar.name or ", ".join(filter(None, (calendar.country, *calendar.dates)))
        facts.append(f"**Days off**: {one_line(name, 150)} ({CLASHES[calendar.on_clash]})")
    if hours is not None:
        facts.append(f"**Hours**: {one_line(hours.name or ', '.join(hours.windows), 150)} ({CLASHES[hours.outside]})")
    return facts


def schedule_buttons(schedule: Schedule) -> list[CardButton]:
    """What can be done with a schedule in its state, and the way back."""
    revision = schedule.revision
    buttons: list[CardButton] = []
    if schedule.state == "active":
        if len(schedule.next_fire_times) > 1:
            detail = f"{revision}.{seconds(schedule.next_fire_times[0])}"
            buttons.append(CardButton("Skip next", "skip", schedule.id, detail))
        buttons.append(CardButton("Pause", "pause", schedule.id, revision))
    elif schedule.state in {"paused", "blocked", "needs_owner"}:
        buttons.append(CardButton("Resume", "resume", schedule.id, revision, style=ButtonStyle.success))
    if schedule.state != "deleted":
        buttons.append(CardButton("Preview", "preview", schedule.id, revision))
        buttons.append(CardButton("Refresh", "refresh", schedule.id, revision))
        buttons.append(CardButton("Delete", "delete", schedule.id, revision, style=ButtonStyle.danger))
    if schedule.undo is not None:
        buttons.append(CardButton("Undo", "undo", schedule.undo.token, style=ButtonStyle.primary))
    return buttons


def preview_card(
    heading: str, words: str, timezone: str, fires: Sequence[Fire], notes: Sequence[str], state: str = ""
) -> ui.LayoutView:
    """The due times to come as a table: local time, UTC, how far away, and what is odd about each.

    ``state``: why none of them comes as it stands.
    """
    rows = [_fire_row(fire) for fire in fires] or ["Nothing is due any more."]
    table = fit(rows, CARD_TEXT - 800)
    return card(heading, state, f"**When**: {one_line(words, WORDS)} · {timezone}", table, _notes(notes))


def fires_of(view: PreviewView, heading: str, state: str = "") -> ui.LayoutView:
    """A preview as the core answered it."""
    return preview_card(heading, view.words, view.timezone, view.fires, view.notes, state)


def fires_of_schedule(view: PreviewView, schedule: Schedule) -> ui.LayoutView:
    """The preview of a schedule; while it rests, it says that nothing of it comes."""
    rests = schedule.state not in {"active", "done"}
    until = "before that" if schedule.paused_until is not None else _RESTS_UNTIL.get(schedule.state, "")
    state = f"**State**: {state_of(schedule)}. Nothing of this comes {until}." if rests else ""
    return fires_of(view, f"Preview: {title_of(schedule)}", state)


def notes_card(heading: str, *blocks: str) -> ui.LayoutView:
    """A card without buttons."""
    return card(heading, *blocks)


def run_line(run: Run, hidden: frozenset[str] = frozenset()) -> str:
    """A run in one line: how it stands or ended, when it was due, what it waits for, and why if it did not go well.

    ``hidden``: texts that it may not repeat.
    """
    line = f"{run.standing.replace('_', ' ')} · due {stamp(run.due, 'f')}"
    if run.missed is not None:
        line += f" · {run.missed.count} due times until {stamp(run.missed.end, 'f')} were missed"
    elif run.trouble:
        line += f" · {one_line(without(run.trouble, hidden), 120)}"
    return line if run.why is None else f"{line} · {waits_for(run.why.words)}"


def _next_times(schedule: Schedule) -> str:
    times = schedule.next_fire_times[:NEXT_SHOWN]
    if not times:
        return ""
    return "**Next**\n" + list_of(moment(at) for at in times)


def _last_runs(runs: Sequence[Run], hidden: frozenset[str]) -> str:
    return "**Last runs**\n" + list_of(run_line(run, hidden) for run in runs) if runs else ""


def _notes(notes: Sequence[str]) -> str:
    return "\n".join(f"-# {one_line(note, 300)}" for note in dict.fromkeys(notes))


def _fire_row(fire: Fire) -> str:
    at = instant.to_datetime(instant.parse(fire.at))
    local = datetime.fromisoformat(fire.local)
    clock = "%H:%M:%S" if local.second else "%H:%M"
    same_day = at.date() == local.date()
    utc = at.strftime(clock if same_day else f"%d %b {clock}") + "Z"
    row = f"`{local.strftime(f'%a %Y-%m-%d {clock}')}` · `{utc}` · {stamp(fire.at, 'R')}"
    return f"{row} · {one_line('; '.join(fire.notes), 120)}" if fire.notes else row
