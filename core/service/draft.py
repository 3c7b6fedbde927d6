"""Drafts: from what a client asked for to a schedule that can be saved. Every mistake is named with its field.

No transaction here: a draft reads settings and asks handlers for their argument check, and decides. What only the
transaction can know (is the name free, is there quota left) is checked there.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from core.engine.fleet import Fleet
from core.engine.placeholders import blanked
from core.engine.plan import exceptions_of
from core.engine.routing import arguments_in
from core.governor.settings import Quota
from core.ledger.rows import ScheduleRow
from core.service.arguments import mistakes_in, names_of
from core.service.chaining import NONE_ABOVE, Rows, links_mistakes, own_words, placeholder_places, with_links
from core.service.closings import (
    Closings,
    blackouts_for,
    calendar_for,
    hours_for,
    known_to,
    remembering,
    stored,
    stored_exceptions,
    unnamed,
)
from core.service.desk import NO_GUILD
from core.service.forecast import require_pace
from core.service.policy import NO_WISHES, Mistakes, policy_for, read_policy
from core.service.posting import posting_mistakes
from core.service.triggers import Understood, instant_in, refuse_reading, rule_in, said, trigger_of
from core.timing.exceptions import NONE
from core.timing.rule import Rule
from schedule_zero.errors import Invalid, QuotaExceeded
from schedule_zero.instant import MINUTE
from schedule_zero.schedule import MESSAGES, Policy, ScheduleSpec
from schedule_zero.trigger import DateTrigger, Trigger
from schedule_zero.views import GuildPolicy, GuildSettings

NAME_LENGTH: Final = 100
MOST_ARGS: Final = 64 * 1024  # bytes; thousands of schedules are read at once
PAST_GRACE: Final = MINUTE
INTERVAL_PROBES: Final = 10
_RULE: Final = ("trigger", "timezone", "start", "until", "count", "calendar", "active_hours", "exceptions")
_TRIGGER: Final = ("trigger", "timezone")
_WORK: Final = ("handler", "method", "args", "after")
# What says nothing about its policy, by all that its defaults hang on: the end of months, and whether it is due once.
_unsaid: Final[dict[tuple[str, bool, GuildPolicy], tuple[Policy, str]]] = {}


class Draft(msgspec.Struct):
    """A schedule ready to be saved, with its trigger as read and its compiled rule. ``same_rule``: the schedule it changes
    is due as before."""

    row: ScheduleRow
    trigger: Trigger | None
    rule: Rule
    same_rule: bool = False


def draft(
    spec: ScheduleSpec, *, id: str, owner_id: str, timezone: str, settings: GuildSettings, closings: Closings,
    quota: Quota, fleet: Fleet, now: int, before: ScheduleRow | None = None, parents: Rows = NONE_ABOVE,
    manages: bool = True,
) -> Draft:  # fmt: skip
    """Check a spec and turn it into a row. ``before`` is the schedule it changes, if it does; ``parents``: those it runs
    after, as far as there are any for who asks; ``manages``: whether who asks manages in its guild.

    Raises:
        Invalid: fields are wrong, or the time cannot be read; with readings where something else could be meant.
        QuotaExceeded: the schedule itself is beyond what the guild's plan allows.
    """
    mistakes = Mistakes()
    _check_plain(spec, mistakes)
    args = msgspec.json.encode(spec.args).decode()
    links_mistakes(spec, parents, before, mistakes)
    unknown = placeholder_places(spec, args, parents, before, mistakes)
    if before is None or _work(spec, args) != tuple(getattr(before, name) for name in _WORK):
        check_work(spec, args, fleet, quota, mistakes, unknown)
        posting_mistakes(spec, settings, mistakes, manages=manages)
    known = known_to(closings, before)
    calendar = stored(unnamed(calendar_for(spec.calendar, known, mistakes), closings.calendars))
    active_hours = stored(unnamed(hours_for(spec.active_hours, known, mistakes, before), closings.hours))
    mistakes.raise_any()
    read = trigger_of(spec.trigger, now=now, timezone=timezone, settings=settings)
    # What a schedule was made with stays with it: a guild's wishes are for new ones.
    policy, text = _policy_of(spec, read, settings.policy if before is None else NO_WISHES)
    if policy.affinity is not None and (before is None or before.policy != text):
        _check_key(spec, policy.affinity, fleet)
    row = _row(spec, read, text, args, id=id, owner_id=owner_id, timezone=timezone, now=now, before=before)
    if isinstance(read.trigger, DateTrigger):
        _require_no_series(row, before)
    row.calendar, row.active_hours = calendar, active_hours
    row.exceptions = _exceptions(row, before, closings, now)
    rule = rule_in(row, policy, read.trigger)
    if before is not None and _same_rule(row, before):
        row.words = before.words if row.after == before.after else with_links(own_words(before), spec.after, parents)
        row.next_due = before.next_due
        return Draft(row, read.trigger, rule, same_rule=True)
    row.words = with_links(said(read, timezone, settings), spec.after, parents)
    _check_count(row)
    if read.trigger is None:
        return Draft(row, None, rule)
    row.next_due = _first_due(row, rule, read.trigger, now)
    _check_pace(rule, row, quota)
    return Draft(row, read.trigger, rule)


def _policy_of(spec: ScheduleSpec, read: Understood, guilds: GuildPolicy) -> tuple[Policy, str]:
    """The policy, and its text. Most specs say nothing about it, and so share a handful."""
    kind = read.month_end, read.trigger is None or isinstance(read.trigger, DateTrigger), guilds
    if spec.policy or kind not in _unsaid:
        policy = policy_for(spec.policy, read.trigger, read.month_end, guilds)
        made = policy, msgspec.json.encode(policy).decode()
        if spec.policy:
            return made
        _unsaid[kind] = made
    return _unsaid[kind]


def _check_key(spec: ScheduleSpec, affinity: str, fleet: Fleet) -> None:
    """Raises Invalid where the key of an affinity names an argument that the method does not have."""
    info = fleet.method(spec.handler, spec.method, spec.guild_id)
    known = None if info is None else names_of(info.schema)
    strange = [] if known is None else [name for name in arguments_in(affinity) if name not in known]
    if known is not None and strange:
        there = f"has {', '.join(sorted(known))}" if known else "has no arguments"
        raise Invalid.at("policy.affinity", f"names {{args.{strange[0]}}}, but {spec.handler}.{spec.method} {there}")


def _row(
    spec: ScheduleSpec, read: Understood, policy: str, args: str, *, id: str, owner_id: str, timezone: str, now: int,
    before: ScheduleRow | None,
) -> ScheduleRow:  # fmt: skip
    trigger = msgspec.json.encode(read.trigger).decode()
    fired = 0 if before is None or before.trigger != trigger else before.fired  # a new rule counts anew
    return ScheduleRow(
        id=id, revision=1 if before is None else before.revision + 1, guild_id=spec.guild_id,
        name=None if spec.name is None else spec.name.strip(), owner_id=owner_id, handler=spec.handler,
        method=spec.method, args=args, trigger=trigger, timezone=timezone, words="",
        anchor=now if before is None else before.anchor,
        start=instant_in(spec.start, "start", 0) if spec.start else read.start,
        until=instant_in(spec.until, "until", 0) if spec.until else read.until,
        count=spec.count if spec.count is not None else read.count, calendar=None, active_hours=None,
        policy=policy, after=_encoded(spec.after),
        metadata=msgspec.json.encode(spec.metadata).decode(), state="active", paused_until=None, note=None,
        next_due=None, last_due=before.last_due if before else None, fired=fired, failures=0,
        created=before.created if before else now, updated=now,
    )  # fmt: skip


def _require_no_series(row: ScheduleRow, before: ScheduleRow | None) -> None:
    """A single moment has no beginning, no end and no number. What is left of a series that it takes the place of goes.

    Raises:
        Invalid: one was asked for.
    """
    mistakes = Mistakes()
    for field in ("start", "until", "count"):
        value = getattr(row, field)
        if before is not None and value == getattr(before, field):
            setattr(row, field, None)
        elif value is not None and (field, value) != ("count", 1):
            mistakes.add(field, "is about a series, and this is a single moment; leave it out, or say how it repeats")
    mistakes.raise_any()


def _exceptions(row: ScheduleRow, before: ScheduleRow | None, closings: Closings, now: int) -> str | None:
    """Single times that were skipped or moved belong to their rule; blackouts concern every one."""
    same = before is not None and all(getattr(row, name) == getattr(before, name) for name in _TRIGGER)
    kept = NONE
    if before is not None:
        kept = exceptions_of(before) if same else remembering(NONE, before)
    if not closings.blackouts and not (kept.skipped or kept.moved):
        return None
    return stored_exceptions(msgspec.structs.replace(kept, blackouts=blackouts_for(row.handler, closings, now)))


def _check_plain(spec: ScheduleSpec, mistakes: Mistakes) -> None:
    if spec.name is not None and not 0 < len(spec.name.strip()) <= NAME_LENGTH:
        mistakes.add("name", f"must have 1 to {NAME_LENGTH} characters")
    if spec.count is not None and not 1 <= spec.count <= 1_000_000:
        mistakes.add("count", "must lie between 1 and 1,000,000")
    entries = spec.metadata
    if entries and (len(entries) > 50 or max(map(len, entries)) > 100 or max(map(len, entries.values())) > 1000):
        mistakes.add("metadata", "takes at most 50 entries, keys of 100 and values of 1,000 characters")


def _encoded(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _work(spec: ScheduleSpec, args: str) -> tuple[str, ...]:
    return spec.handler, spec.method, args, _encoded(spec.after)


def check_work(
    spec: ScheduleSpec,
    args: str,
    fleet: Fleet,
    quota: Quota,
    mistakes: Mistakes,
    unknown: AbstractSet[str] = frozenset(),
) -> None:
    """Check what a schedule asks to be done: whether its guild may use that, and a handler has it and takes the arguments.
    ``unknown``: places whose values only a run will have.

    Raises:
        QuotaExceeded: it may not.
    """
    size = len(args.encode())
    _require_planned(spec, size, quota)
    if fleet.method(spec.handler, spec.method, spec.guild_id) is None:
        _say_what_there_is(spec, fleet, mistakes)
        return
    found = mistakes_in(spec.args, fleet, spec.handler, spec.method, spec.guild_id)
    if any(each.field in unknown for each in found):  # of those, what would be wrong with any value is wrong
        whatever = mistakes_in(blanked(spec.args), fleet, spec.handler, spec.method, spec.guild_id)
        found = [each for each in found if each.field not in unknown or each in whatever]
    mistakes.errors += found
    if size > MOST_ARGS:
        mistakes.add("args", f"take {size} bytes; at most {MOST_ARGS} are kept, so store them elsewhere and pass where")


def _require_planned(spec: ScheduleSpec, size: int, quota: Quota) -> None:
    """Raises QuotaExceeded where such a handler may not be used, or arguments may not take so many bytes. It says so in
    words of who schedules a message, too, and not whether it is the plan or an operator that says so."""
    scope, where = f"guild:{spec.guild_id or NO_GUILD}", "in this server" if spec.guild_id else "outside servers"
    is_message = spec.handler == MESSAGES
    if quota.handlers is not None and spec.handler not in quota.handlers:
        what = "Messages are" if is_message else f"The handler {spec.handler!r} is"
        named = ", ".join(quota.handlers)
        others = f"what may be used is {named}" if named else "no handler may be used"
        raise QuotaExceeded(f"{what} not allowed {where}; {others}.", scope=scope, limit="handlers")
    if quota.payload_bytes is not None and size > quota.payload_bytes:
        what = "This message is too large" if is_message else "The arguments are too large"
        raise QuotaExceeded(
            f"{what}: {size:,} bytes, and {quota.payload_bytes:,} are allowed {where}.", scope=scope,
            limit="payload_bytes", used=size, allowed=quota.payload_bytes,
        )  # fmt: skip


def _say_what_there_is(spec: ScheduleSpec, fleet: Fleet, mistakes: Mistakes) -> None:
    known = [name for name in fleet.handlers() if fleet.exists_for(name, spec.guild_id)]
    if spec.handler not in known:
        mistakes.add("handler", f"there is no handler {spec.handler!r}; known are {', '.join(known) or 'none'}")
        return
    names = sorted(fleet.methods(spec.handler, spec.guild_id))
    mistakes.add("method", f"{spec.handler} has no method {spec.method!r}; it has {', '.join(names) or 'none'}")


def _same_rule(row: ScheduleRow, before: ScheduleRow) -> bool:
    """Whether both are due at the same times."""
    ours, theirs = read_policy(row.policy), read_policy(before.policy)
    return all(getattr(row, name) == getattr(before, name) for name in _RULE) and (ours.dst, ours.month_end) == (
        theirs.dst, theirs.month_end,
    )  # fmt: skip


def _check_count(row: ScheduleRow) -> None:
    if row.count is not None and row.fired >= row.count:
        message = f"{row.fired} times have been due already; ask for more, or delete the schedule"
        raise Invalid.at("count", message)


def _first_due(row: ScheduleRow, rule: Rule, trigger: object, now: int) -> int:
    since = now - PAST_GRACE if isinstance(trigger, DateTrigger) else now
    due = rule.next_after(max(since, row.last_due or 0))
    if due is None:
        raise refuse_reading(trigger, rule, now, start=row.start, until=row.until)
    return due


def _check_pace(rule: Rule, row: ScheduleRow, quota: Quota) -> None:
    """Refuse a rule that comes round faster than the plan's ``min_interval``."""
    if quota.min_interval is None or not rule.recurring or row.next_due is None:
        return
    require_pace(rule.upcoming(row.next_due - 1, INTERVAL_PROBES + 1), row.guild_id, quota)
