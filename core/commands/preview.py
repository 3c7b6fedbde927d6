"""``schedule-zero preview``: when words are due, computed here and now by the function that fires them."""

from __future__ import annotations

import time
from typing import Any, Final

import click
import msgspec

from core.commands.closed import Closed
from core.commands.explain import WrongInput
from core.commands.output import say_json
from core.timing.compile import compile_rule
from core.timing.hashed import drawn
from core.timing.laid_around import why_never
from core.timing.preview import preview
from core.timing.reading import Reading, Unreadable, read
from core.timing.rhythm import rhythm_notes
from core.timing.rule import Rule
from core.timing.zones import zone
from schedule_zero import instant
from schedule_zero.errors import FieldError, Invalid, ReadingOffer
from schedule_zero.instant import SECOND
from schedule_zero.trigger import Trigger

_DEFAULT_TIME: Final = "09:00"  # what a day without a time of day means, unless a guild has set another
_NO_GUILD: Final = ""


class Preview(msgspec.Struct):
    """What ``--json`` prints (contract of the command line)."""

    trigger: Trigger
    timezone: str
    fires: tuple[str, ...]
    notes: tuple[str, ...]


def show(
    text: str, *, timezone: str, count: int, after: str | None, dst: str, closed: Closed, as_json: bool
) -> None:  # fmt: skip
    """Print the next due times of a text.

    Raises:
        Invalid: the text cannot be read; ``readings`` offers what it could mean.
        WrongInput: zone, instant or what is closed cannot be read, or nothing is due any more.
    """
    now = _instant(after)
    try:
        name = zone(timezone).key
        reading = read(drawn(text, _NO_GUILD), now=now, timezone=name, default_time=_DEFAULT_TIME, hour24=True)
        rule = closed.around(_rule(reading, name, now, dst), now)
    except Unreadable as error:
        offers = tuple(_offer(each, timezone, now, dst) for each in error.readings)
        raise Invalid(str(error), (FieldError("text", str(error)),), offers) from None
    except ValueError as error:
        raise WrongInput(str(error)) from None
    asked = count if reading.count is None else min(count, reading.count)
    fires = preview(rule, after=now, n=asked, new=True)
    if not fires:
        at, why = instant.spell(now // SECOND * SECOND, rule.zone), why_never(rule, now, as_option=True)
        raise WrongInput(f"{reading.words}: nothing is due after {at}" + ("" if why is None else f"; {why.clause}"))
    default_taken = reading.defaulted_time and not reading.part_of_day
    defaulted = (f"no time of day was said, so {_DEFAULT_TIME} is taken",) if default_taken else ()
    notes = defaulted + tuple(f"{fire.local}: {note}" for fire in fires for note in fire.notes)
    notes += rhythm_notes(rule, after=now, dues=[fire.at for fire in fires])
    found = Preview(reading.trigger, rule.zone.key, tuple(fire.local for fire in fires), notes)
    if as_json:
        say_json(found)
    else:
        _say(found, reading.words)


def _say(found: Preview, words: str) -> None:
    click.echo(f"{words} ({found.timezone})")
    for fire in found.fires:
        click.echo(f"  {fire}")
    for note in found.notes:
        click.echo(f"note: {note}")


def _instant(after: str | None) -> int:
    if after is None:
        return time.time_ns() // 1000
    try:
        return instant.parse(after)
    except ValueError:
        raise WrongInput(f"--after takes an instant such as 2026-03-28T09:00:00+01:00, not {after!r}") from None


def _rule(reading: Reading, timezone: str, now: int, dst: str) -> Rule:
    return compile_rule(
        reading.trigger, timezone=timezone, anchor=now, dst=dst, month_end=reading.month_end, start=reading.start,
        until=reading.until,
    )  # fmt: skip


def _offer(reading: Reading, timezone: str, now: int, dst: str) -> ReadingOffer:
    trigger: Any = msgspec.to_builtins(reading.trigger)
    rule = _rule(reading, timezone, now, dst)
    due = rule.next_after(now)
    return ReadingOffer(reading.text, trigger, reading.words, None if due is None else instant.spell(due, rule.zone))
