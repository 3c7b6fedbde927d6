"""Triggers as clients send them: read, turned into rules, said back, and refused at their fields. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from core.engine.plan import rule_of
from core.ledger.rows import ScheduleRow
from core.service.policy import NO_WISHES, defaults_for
from core.timing.compile import compile_rule, month_end_of
from core.timing.hashed import drawn, is_hashed, resolve_hashed
from core.timing.laid_around import why_never
from core.timing.locales import order_of
from core.timing.reading import Reading, Unreadable, read
from core.timing.rule import EARLIEST, LATEST, Rule
from core.timing.say import say
from schedule_zero.errors import FieldError, Invalid, ReadingOffer
from schedule_zero.instant import parse, spell
from schedule_zero.schedule import MonthEnd, Policy
from schedule_zero.trigger import CronTrigger, DateTrigger, TextTrigger, Trigger
from schedule_zero.views import GuildPolicy, GuildSettings


class Understood(msgspec.Struct):
    """A trigger in one of the stored forms, with the bounds that words gave; ``words``: those of a text that was read."""

    trigger: Trigger | None
    words: str | None
    month_end: MonthEnd
    start: int | None = None
    until: int | None = None
    count: int | None = None


def trigger_of(trigger: Trigger | None, *, now: int, timezone: str, settings: GuildSettings) -> Understood:
    """A trigger as sent, in stored form: text is read, the others are taken as they are, whether they make sense or not.

    Raises:
        Invalid: the text cannot be read, with the readings it could have.
    """
    try:
        if isinstance(trigger, CronTrigger) and is_hashed(trigger.expression):
            expression = resolve_hashed(trigger.expression, settings.guild_id)
            trigger = msgspec.structs.replace(trigger, expression=expression)
        if not isinstance(trigger, TextTrigger):
            return Understood(trigger, None, month_end_of(trigger))
        reading = read(
            drawn(trigger.text, settings.guild_id), now=now, timezone=trigger.timezone or timezone, **manner(settings)
        )  # fmt: skip
    except Unreadable as error:
        raise unreadable(error, "trigger.text", now, timezone) from None
    except ValueError as error:
        raise refuse_rule(error) from None
    return Understood(
        reading.trigger, reading.words, reading.month_end, reading.start, reading.until, reading.count
    )  # fmt: skip


def said(understood: Understood, timezone: str, settings: GuildSettings) -> str:
    """What was understood, said back in words; none where there is no trigger. Its rule was compiled before, so it makes
    sense."""
    if understood.words is not None:
        return understood.words
    if understood.trigger is None:
        return ""
    order = order_of(settings.locale)
    return say(understood.trigger, timezone=timezone, hour24=settings.hour24, order=order)


def manner(settings: GuildSettings) -> dict[str, Any]:
    """How a guild says times: the options of ``core.timing.reading``."""
    return {
        "default_time": settings.default_time, "hour24": settings.hour24, "order": order_of(settings.locale),
    }  # fmt: skip


def unreadable(error: Unreadable, field: str, now: int, timezone: str) -> Invalid:
    """The refusal of a text, with what it could have meant."""
    offers = tuple(offer(reading, now, timezone) for reading in error.readings)
    message = str(error)
    return Invalid(message, errors=(FieldError(field, message),), readings=offers)


def offer(reading: Reading, now: int, timezone: str) -> ReadingOffer:
    """A reading as it is offered: what to write to mean it, and when it would be due next."""
    due = (rule := rule_read(reading, now, timezone)).next_after(now)
    return ReadingOffer(
        text=reading.text,
        trigger=msgspec.to_builtins(reading.trigger),
        words=reading.words,
        next=None if due is None else spell(due, rule.zone),
    )


def end_too_early(start: int | None, until: int | None, now: int) -> str | None:
    """What is wrong with the end of a series of which nothing is due, to go on from "it"; None where it has none."""
    if until is None:
        return None
    if until < now:
        return "lies in the past"
    return "lies before the start" if start is not None and until < start else "comes before the first time"


def refuse_reading(trigger: object, rule: Rule, now: int, *, start: int | None, until: int | None) -> Invalid:
    """The refusal of a rule that is never due again."""
    never = why_never(rule, now)
    if never is not None:
        message = f"It would never be due: {never.clause}"
        return Invalid(message, (FieldError(never.field or "trigger", message),))
    early = end_too_early(start, until, now)
    if early is not None:
        return Invalid.at("until", f"{early}, so nothing would be due; choose a later end, or leave it out")
    if isinstance(trigger, DateTrigger):
        past = rule.last_until(now)
        when = "never comes" if past is None else f"lies in the past ({spell(past, rule.zone)})"
        message = f"this time {when}; choose one that is still to come"
    else:
        message = "this rule is never due again; check its dates, its end and its day of the month"
    return Invalid.at("trigger", message)


def refuse_rule(error: ValueError) -> Invalid:
    """The refusal of a rule that makes no sense, at its field."""
    field, message = getattr(error, "place", "trigger"), getattr(error, "message", str(error))
    return Invalid.at(field, message)


def rule_sent(
    trigger: Trigger | None, timezone: str, anchor: int, policy: Policy, start: int | None, until: int | None
) -> Rule:
    """The rule of a trigger in stored form. Raises Invalid where it makes no sense."""
    try:
        return compile_rule(
            trigger, timezone=timezone, anchor=anchor, dst=policy.dst, month_end=policy.month_end, start=start,
            until=until,
        )  # fmt: skip
    except ValueError as error:
        raise refuse_rule(error) from None


def rule_in(row: ScheduleRow, policy: Policy, trigger: Trigger | None = None) -> Rule:
    """The rule of a row (``rule_of``). Raises Invalid where it makes no sense."""
    try:
        return rule_of(row, policy, trigger)
    except ValueError as error:
        raise refuse_rule(error) from None


def rule_read(reading: Reading, now: int, timezone: str, guilds: GuildPolicy = NO_WISHES) -> Rule:
    """The rule of a reading, as it would be saved without a policy by a guild that wants this of new schedules."""
    policy = defaults_for(reading.trigger, reading.month_end, guilds)
    return rule_sent(reading.trigger, timezone, now, policy, reading.start, reading.until)


def instant_in(text: str | None, field: str, default: int) -> int:
    """An RFC 3339 instant sent in a field. Raises Invalid."""
    if text is None:
        return default
    try:
        instant = parse(text)
    except (ValueError, OverflowError):
        message = f"{text[:64]!r} is no instant; write it as 2026-03-29T09:00:00+02:00"
    else:
        if EARLIEST <= instant < LATEST:
            return instant
        message = f"{text!r} lies outside the years 1900 to 2199"
    raise Invalid.at(field, message)


def moment_in(text: str, field: str, *, now: int, timezone: str, settings: GuildSettings) -> int:
    """One moment to come, as an instant or in words. Raises Invalid."""
    try:
        at = parse(text)
    except (ValueError, OverflowError):
        try:
            trigger = TextTrigger(text=text, timezone=timezone)
            understood = trigger_of(trigger, now=now, timezone=timezone, settings=settings)
        except Invalid as error:
            raise Invalid(error.sentence, (FieldError(field, error.sentence),), error.readings) from None
        due = rule_sent(understood.trigger, timezone, now, Policy(), understood.start, understood.until).next_after(now)
        if isinstance(understood.trigger, DateTrigger) and due is not None:
            return due
        message = f"{text[:64]!r} means {said(understood, timezone, settings)}; one moment is needed here"
        raise Invalid.at(field, message) from None
    if at <= now:
        raise Invalid.at(field, "lies in the past")
    return instant_in(text, field, 0)
