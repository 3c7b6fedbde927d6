"""Wording that several cards share, so that the same thing is always said in the same way."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

import discord

from schedule_zero import instant
from schedule_zero.run import Why
from schedule_zero.schedule import MESSAGES, Schedule

CARD_TEXT: Final = 4_000
"""The most characters all texts of a Components V2 message may have together (Discord documentation)."""
CONTENT: Final = 2_000
"""The most characters of a classic message."""
TITLE: Final = 80
WORDS: Final = 300
_TURNING: Final = re.compile("[\u202a-\u202e\u2066-\u2069]")
"""Unicode's embeddings, overrides and isolates (UAX 9)."""
_MOMENT: Final = re.compile(r"(?:at )?(?P<at>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))")
"""RFC 3339, as the core writes it in a sentence."""

_HERE: Final = {
    "guild": ("Guild", "This server"), "dms": ("Guild", "This server"), "schedule": ("Schedule", "This schedule"),
}  # fmt: skip
"""By the kind of a scope: how the core's sentences call it, and how who asks in its server does."""
STATES: Final[dict[str, str]] = {
    "active": "active",
    "paused": "paused",
    "blocked": "blocked",
    "needs_owner": "needs a new owner",
    "pending": "waits for approval",
    "done": "done",
    "deleted": "deleted",
}


def seconds(at: str) -> int:
    """Unix seconds of an RFC 3339 instant."""
    return instant.parse(at) // instant.SECOND


def stamp(at: str, style: str = "F") -> str:
    """An instant as Discord shows it in everybody's own zone."""
    return f"<t:{seconds(at)}:{style}>"


def moment(at: str) -> str:
    """An instant as date and as distance."""
    return f"{stamp(at)} ({stamp(at, 'R')})"


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` characters; what was cut is shown by an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def sentence_case(text: str) -> str:
    """A sentence begins with a capital; one that begins with a quoted word stays as it is."""
    return text[:1].upper() + text[1:]


def plain_line(text: str, limit: int) -> str:
    """The beginning of a text on one line, for labels, which show no markdown.

    Marks that turn the direction of writing are left out: they would turn what stands behind the text, too.
    """
    return shorten(" ".join(_TURNING.sub("", text).split()), limit)


def one_line(text: str, limit: int) -> str:
    """The beginning of a text on one line, without markdown of its own; escaping it may make it longer than ``limit``.

    It is cut before it is escaped: half an escape would escape what stands behind it.
    """
    return discord.utils.escape_markdown(plain_line(text, limit))


def quote(text: str, limit: int) -> str:
    """A text as a block quote, cut at ``limit`` characters."""
    return "\n".join(f"> {line}" for line in shorten(text, limit).splitlines()) or "> "


def fit(lines: Sequence[str], limit: int, more: str = "… and {count} more") -> str:
    """As many whole lines as fit into ``limit`` characters, and how many did not."""
    kept: list[str] = []
    used = 0
    for index, line in enumerate(lines):
        rest = len(lines) - index - 1
        reserve = len(more.format(count=rest)) + 1 if rest else 0
        if used + len(line) + reserve > limit:
            return "\n".join([*kept, more.format(count=rest + 1)])[:limit]
        kept.append(line)
        used += len(line) + 1
    return "\n".join(kept)


def runs_wait(count: int, *, most: int | None = None) -> str:
    """How many runs wait; ``most``: that many are as many as are counted."""
    return "1 run waits" if count == 1 else f"{count:,}{' or more' if count == most else ''} runs wait"


def waits_for(words: str) -> str:
    """What something waits for, as the core says it, with the moments in it as distances."""
    return _MOMENT.sub(lambda found: stamp(found["at"], "R"), one_line(words, WORDS))


def explained(why: Why) -> str:
    """What a run waits for, as the core says it, to who asks in its server: that is no number to them, and the moments are
    dates and distances."""
    kind, _, name = why.scope.partition(":")
    called, here = _HERE.get(kind, ("", ""))
    whose = f"{called} {name} "
    words = f"{here} {why.words.removeprefix(whose)}" if here and why.words.startswith(whose) else why.words
    return _MOMENT.sub(lambda found: moment(found["at"]), one_line(words, WORDS))


def is_job(schedule: Schedule) -> bool:
    """Whether it is work for another program; else it is a message."""
    return schedule.handler != MESSAGES


def noun_of(schedule: Schedule) -> str:
    """What it is called at the head of its card."""
    return "Job" if is_job(schedule) else "Schedule"


def content_of(schedule: Schedule) -> str:
    """The words of a message. What a job's arguments say is nobody's business but its own card's."""
    return "" if is_job(schedule) else str(schedule.args.get("content", ""))


def label_of(schedule: Schedule) -> str:
    """What a schedule is called, where markdown is not shown: its name, else the beginning of its text, else its work."""
    texts = (schedule.name or "", content_of(schedule))
    lines = (plain_line(text, TITLE) for text in texts)
    return next(filter(_is_visible, lines), f"{schedule.handler}.{schedule.method}")


def title_of(schedule: Schedule) -> str:
    """What a schedule is called, as a card shows it."""
    return discord.utils.escape_markdown(label_of(schedule))


def _is_visible(text: str) -> bool:
    return any(char.isprintable() and not char.isspace() for char in text)


def place_of(schedule: Schedule) -> str:
    """Where a schedule's message goes."""
    if is_job(schedule):
        return ""
    channel = schedule.args.get("channel_id")
    if isinstance(channel, str) and channel.isdecimal():
        return f"<#{channel}>"
    return "direct message" if "user_id" in schedule.args else ""


def owner_of(schedule: Schedule) -> str:
    """Whose schedule it is."""
    return f"<@{schedule.owner_id}>" if schedule.owner_id.isdecimal() else one_line(schedule.owner_id, 60)


def rule_of(schedule: Schedule) -> str:
    """The rule in words, with the zone by name: a timestamp cannot say "9:00 Berlin"."""
    parts = [f"{one_line(schedule.words, WORDS)} · {schedule.timezone}"]
    if schedule.until is not None:
        parts.append(f"until {stamp(schedule.until)}")
    if schedule.count is not None:
        parts.append(f"{schedule.count} times")
    return ", ".join(parts)


def state_of(schedule: Schedule) -> str:
    """The state in words, with its reason and end."""
    text = STATES[schedule.state]
    if schedule.paused_until is not None:
        text += f" until {moment(schedule.paused_until)}"
    if schedule.note:
        text += f": {one_line(schedule.note, 200)}"
    return text


def list_of(items: Iterable[str]) -> str:
    """Items as a bulleted list."""
    return "\n".join(f"- {item}" for item in items)


def unix(now: datetime) -> int:
    """Unix seconds of an aware datetime."""
    return int(now.timestamp())
