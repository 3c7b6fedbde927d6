"""How a line of the audit reads: in one glance, and on a card of its own with what it made different."""

from __future__ import annotations

from typing import Any, Final

from discord import ButtonStyle, ui

from cogs.buttons import CardButton
from cogs.cards import card
from cogs.texts import CARD_TEXT, fit, list_of, moment, one_line, sentence_case, stamp
from schedule_zero.audit import DONE, Changed, spelled, what_changed
from schedule_zero.views import AuditLine

_FROM: Final = {
    "http": "by the API", "zmq": "by a program", "cli": "on the command line", "page": "on a page", "core": "by itself",
    "embedded": "by the program around it",
}  # fmt: skip
_WAY_BACK: Final = {"undo": "Undo", "revert": "Revert"}
_TITLE: Final = 60
_VALUE: Final = 120
_QUIET: Final = frozenset({"words", "next_due"})
"""What follows from other fields, and says nothing of its own beside them."""


def who(actor: str) -> str:
    """Who made a change: a person as Discord shows them, anybody else by kind and name."""
    kind, _, id = actor.partition(":")
    if actor == "user:erased":
        return "somebody who was erased"
    if kind in ("member", "discord") and id.isdecimal():
        return f"<@{id}>"
    return f"{kind} {one_line(id, _TITLE)}" if id and id != kind else kind


def row(line: AuditLine) -> str:
    """A change in one line."""
    via = _FROM.get(line.via or "", "")
    return " ".join(filter(None, (stamp(line.at, "R"), f"{who(line.actor)} {_done(line)}", via and f"({via})")))


def _done(line: AuditLine) -> str:
    """What was done, and to what. A guild's own settings need no name."""
    done = DONE.get(line.action, line.action)
    if line.target == line.guild_id:
        return done
    name = line.title or (f"<@{line.target}>" if line.action == "user.timezone" else line.target)
    return f"{done}: **{one_line(name, _TITLE)}**"


def line_card(line: AuditLine) -> ui.LayoutView:
    """A change with what it made different, and the way back where there is one."""
    facts = [f"**When**: {moment(line.at)}", f"**Who**: {who(line.actor)}"]
    if line.via is not None:
        facts.append(f"**From**: {_FROM.get(line.via, 'Discord')}")
    buttons = []
    if line.back is not None:
        buttons.append(CardButton(_WAY_BACK[line.back], "take_back", line.id, style=ButtonStyle.primary))
    small = f"-# `{line.action}` · `{one_line(line.target, _TITLE)}` · line {line.id}"
    return card(sentence_case(_done(line)), "\n".join(facts), _differences(line), small, buttons=buttons)


def _differences(line: AuditLine) -> str:
    if line.hidden:
        return "What it was and became is not for you to see here."
    found = what_changed(line.before, line.after)
    told = [each for each in found if each.field not in _QUIET] or list(found)
    if not told:
        return ""
    heading = (
        "**What is different**"
        if line.before and line.after
        else "**What it was**"
        if line.before
        else "**What it is**"
    )
    lines = list_of(_difference(each, line) for each in told).split("\n")
    return f"{heading}\n{fit(lines, CARD_TEXT - 1_000)}"


def _difference(change: Changed, line: AuditLine) -> str:
    if line.before is None or line.after is None:
        return f"{one_line(change.field, _TITLE)}: {_value(change.after if line.before is None else change.before)}"
    return f"{one_line(change.field, _TITLE)}: {_value(change.before)} → {_value(change.after)}"


def _value(value: Any) -> str:
    return one_line(spelled(value), _VALUE) or "nothing"
