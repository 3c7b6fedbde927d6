"""The use cases about time: reading what people write, offering readings, previewing rules. All through ``core.timing``."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from core.engine.plan import stored_trigger
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.closings import blackouts_for, calendar_for, hours_for
from core.service.desk import Desk
from core.service.facts import zone_name
from core.service.forecast import too_fast, with_quota_notes
from core.service.policy import Mistakes, policy_for, read_policy
from core.service.render import no_times
from core.service.triggers import (
    end_too_early,
    instant_in,
    manner,
    offer,
    refuse_rule,
    rule_in,
    rule_read,
    rule_sent,
    said,
    trigger_of,
    unreadable,
)
from core.timing import preview as previews
from core.timing.calendars import search_countries
from core.timing.combine import combine, started
from core.timing.exceptions import Exceptions, excepted
from core.timing.hashed import drawn
from core.timing.laid_around import why_never
from core.timing.reading import Reading, Unreadable, read, read_repeat, readings, suggest_repeat
from core.timing.rhythm import rhythm_notes
from core.timing.rule import EARLIEST, Rule
from core.timing.zones import search_zones
from schedule_zero.actor import Actor
from schedule_zero.errors import Invalid
from schedule_zero.instant import SECOND, parse, spell
from schedule_zero.requests import PreviewTrigger, ReadTime, SuggestCountries, SuggestTimes, SuggestZones
from schedule_zero.schedule import Policy
from schedule_zero.trigger import DateTrigger
from schedule_zero.views import Fire, GuildSettings, PreviewView, ReadingView, Suggestion, Suggestions

MOST_FIRES: Final = 1000
CHOICE_LENGTH: Final = 100
_LONG_AGO: Final = (parse("1901-01-02T00:00:00Z"), parse("1902-03-05T13:00:00Z"))
"""Two moments before all that is likely to be meant: of other days of the week, the month and the year, and hours."""


def spelled_fires(coming: Sequence[previews.Fire]) -> tuple[Fire, ...]:
    """Due times as they are answered."""
    return tuple(Fire(at=spell(fire.at), local=fire.local, notes=fire.notes) for fire in coming)


def require_n(n: int) -> int:
    """How many fires were asked for. Raises Invalid outside 1 to 1,000."""
    if not 1 <= n <= MOST_FIRES:
        raise Invalid.at("n", f"must lie between 1 and {MOST_FIRES:,}")
    return n


class Times:
    """The use cases about time."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def preview(self, actor: Actor, request: PreviewTrigger) -> PreviewView:
        """What a trigger would do, without saving anything."""
        now = instant_in(request.after, "after", self._desk.clock.now())
        timezone = zone_name(request.timezone, "timezone")
        if request.guild_id is not None:
            access.require_guild(actor, request.guild_id, change=False)
        settings = await self._desk.facts.guild_settings(request.guild_id)
        understood = trigger_of(request.trigger, now=now, timezone=timezone, settings=settings)
        policy = policy_for(request.policy, understood.trigger, understood.month_end, settings.policy)
        start = instant_in(request.start, "start", 0) if request.start else understood.start
        until = instant_in(request.until, "until", 0) if request.until else understood.until
        rule = await self._excepted(
            request, rule_sent(understood.trigger, timezone, now, policy, start, until), actor, now
        )
        n = require_n(request.n)
        if understood.count is not None:
            n = min(n, understood.count)
        coming, notes = await self._foreseen(actor, request.guild_id, rule, now, n, policy)
        if not coming and (early := end_too_early(start, until, now)) is not None:
            notes = (*notes, f"nothing is due: its end {early}")
        return PreviewView(
            fires=coming, trigger=understood.trigger, timezone=rule.zone.key,
            words=said(understood, timezone, settings), notes=notes,
        )  # fmt: skip

    async def _excepted(self, request: PreviewTrigger, rule: Rule, actor: Actor, now: int) -> Rule:
        """A rule with the calendar and the hours it is asked about with, and the blackouts of its guild."""
        if request.guild_id is None and request.calendar is None and request.active_hours is None:
            return rule
        closings, mistakes = await self._desk.facts.closings(request.guild_id), Mistakes()
        calendar = calendar_for(request.calendar, closings, mistakes)
        hours = hours_for(request.active_hours, closings, mistakes)
        mistakes.raise_any()
        exceptions = Exceptions(blackouts=blackouts_for("", closings, now))
        try:
            return excepted(rule, calendar=calendar, active_hours=hours, exceptions=exceptions)
        except ValueError as error:
            raise refuse_rule(error) from None

    async def _foreseen(
        self,
        actor: Actor,
        guild_id: str | None,
        rule: Rule,
        after: int,
        n: int,
        policy: Policy,
        row: ScheduleRow | None = None,
    ) -> tuple[tuple[Fire, ...], tuple[str, ...]]:
        """The due times to come with what calendar quotas do to them, and notes on the rule as a whole. ``row``: of a
        schedule that is saved; None: it is only tried out."""
        coming = previews.preview(rule, after=after, n=n, new=row is None)
        dues, quota = [fire.at for fire in coming], self._desk.quota(actor, guild_id)
        notes = rhythm_notes(rule, after=after, dues=dues)
        if not dues and (never := why_never(rule, after)) is not None:
            notes = (*notes, f"nothing is due: {never.clause}")
        pace = too_fast(dues, quota) if rule.recurring else None
        if pace is not None:
            notes = (*notes, f"it {pace}")
        shown = spelled_fires(coming)
        which = {} if row is None else {"method": f"{row.handler}.{row.method}", "schedule_id": row.id}
        entitler, now = self._desk.engine.entitler, self._desk.clock.now()
        calendars = entitler.calendars(guild_id, **which)
        if calendars:
            standing = await entitler.standing(self._desk.reader.usage, guild_id, now, **which)
            shown = with_quota_notes(
                shown, dues, calendars=calendars, on_quota=policy.on_quota, zone=rule.zone,
                used={(each.scope, each.period.limit, each.period.key): each.used for each in standing},
            )  # fmt: skip
        return shown, notes

    async def preview_row(self, actor: Actor, row: ScheduleRow, n: int, after: int) -> PreviewView:
        """What a saved schedule will do."""
        policy = read_policy(row.policy)
        rule = rule_in(row, policy)
        left = require_n(n) if row.count is None else min(require_n(n), max(0, row.count - row.fired))
        trigger = stored_trigger(row)
        coming, notes = await self._foreseen(actor, row.guild_id, rule, after, left, policy, row)
        notes = (no_times(row.words),) if trigger is None else notes
        return PreviewView(fires=coming, trigger=trigger, timezone=rule.zone.key, words=row.words, notes=notes)

    async def read(self, actor: Actor, request: ReadTime) -> ReadingView:
        """What words mean, in the zone that applies."""
        access.require_place(actor, request.guild_id, request.user_id)
        now = self._desk.clock.now()
        settings = await self._desk.facts.guild_settings(request.guild_id)
        timezone = await self._desk.facts.zone_for(request.timezone, request.guild_id, request.user_id)
        said = None
        if request.past and not request.repeat:
            said = _said_at_any_time(request.when, now=now, timezone=timezone, settings=settings)
        reading = said or _read_both(request.when, request.repeat, now=now, timezone=timezone, settings=settings)
        rule = rule_read(reading, now, timezone, settings.policy)
        since = now if said is None else EARLIEST
        return ReadingView(
            trigger=reading.trigger, timezone=timezone, words=reading.words, recurring=reading.recurring,
            fires=spelled_fires(previews.preview(rule, after=since, n=5, new=True)),
            start=_spelled(reading.start, rule), until=_spelled(reading.until, rule),
            count=reading.count, month_end=settings.policy.month_end or reading.month_end,
        )  # fmt: skip

    async def suggest(self, actor: Actor, request: SuggestTimes) -> Suggestions:
        """Readings of half-typed text, for autocompletion. Nothing half-typed makes it refuse, nor does an unknown zone."""
        access.require_place(actor, request.guild_id, request.user_id)
        now = self._desk.clock.now()
        settings = await self._desk.facts.guild_settings(request.guild_id)
        try:
            timezone = await self._desk.facts.zone_for(request.timezone, request.guild_id, request.user_id)
        except Invalid:  # half-typed, too
            timezone = await self._desk.facts.zone_for(None, request.guild_id, request.user_id)
        options: dict[str, Any] = {"now": now, "timezone": timezone, **manner(settings)}
        found = suggest_repeat(request.text, **options) if request.field == "repeat" else readings(
            request.text, **options
        )  # fmt: skip
        corrected = () if found else _corrections(request, options)
        items = []
        for reading in found or corrected:
            made = offer(reading, now, timezone)
            once = made.next is None or isinstance(reading.trigger, DateTrigger)  # its words are its time
            label = reading.words if once else f"{reading.words} · next {str(made.next)[:16].replace('T', ' ')}"
            if corrected:
                label = f"did you mean {reading.text}? {label}"
            items.append(Suggestion(name=_short(label), value=_short(reading.text)))
        return Suggestions(items=tuple(items[:25]))

    async def zones(self, actor: Actor, request: SuggestZones) -> Suggestions:
        """Time zones by half-typed name."""
        return Suggestions(items=tuple(Suggestion(name=name, value=name) for name in search_zones(request.text)))

    async def countries(self, actor: Actor, request: SuggestCountries) -> Suggestions:
        """Countries whose holidays are known, by half-typed name or code."""
        found = await asyncio.to_thread(search_countries, request.text)  # the first to ask imports a package
        return Suggestions(items=tuple(Suggestion(name=f"{name} ({code})", value=code) for code, name in found))


def _corrections(request: SuggestTimes, options: dict[str, Any]) -> tuple[Reading, ...]:
    """What would be offered for a text that nothing completes, were it sent as it stands: a misspelling put right."""
    try:
        (read_repeat if request.field == "repeat" else read)(request.text, **options)
    except Unreadable as error:
        return error.readings
    except ValueError:
        pass
    return ()


def _read_both(when: str, repeat: str | None, *, now: int, timezone: str, settings: GuildSettings) -> Reading:
    """What a start and a repetition mean together; one alone may be left empty. Raises Invalid."""
    options: dict[str, Any] = {"now": now, "timezone": timezone, **manner(settings)}
    field = "when"
    try:
        if not repeat:
            return read(drawn(when, settings.guild_id), **options)
        start = read(when, **options) if when.strip() else None
        field = "repeat"
        if start is None:
            return read_repeat(drawn(repeat, settings.guild_id), **options)
        return combine(start, _read_rule(drawn(repeat, settings.guild_id), start, options))
    except Unreadable as error:
        raise unreadable(error, field, now, timezone) from None
    except ValueError as error:
        raise refuse_rule(error) from None


def _said_at_any_time(when: str, *, now: int, timezone: str, settings: GuildSettings) -> Reading | None:
    """The one moment that words mean whenever they are said, be it over: a date with its year, an instant, ``now``."""
    options: dict[str, Any] = {"timezone": timezone, **manner(settings)}
    if when.strip().casefold() == "now":
        when = f"<t:{now // SECOND}>"
    try:
        found = [read(when, now=said, **options) for said in _LONG_AGO]
    except (Unreadable, ValueError):
        return None
    first, second = found
    return first if first.trigger == second.trigger and not first.recurring else None


def _read_rule(repeat: str, start: Reading, options: dict[str, Any]) -> Reading:
    """A repetition. What is offered in its place begins at the start, so that pressing an offer keeps it."""
    try:
        return read_repeat(repeat, **options)
    except Unreadable as error:
        raise Unreadable(error.message, started(start, error.readings)) from None


def _spelled(instant: int | None, rule: Rule) -> str | None:
    return None if instant is None else spell(instant, rule.zone)


def _short(text: str) -> str:
    return text if len(text) <= CHOICE_LENGTH else text[: CHOICE_LENGTH - 1] + "…"
