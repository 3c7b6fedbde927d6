"""Render: rows into views. Instants become RFC 3339 in the schedule's zone, JSON becomes values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from core.engine.chains import parent_of
from core.engine.fleet import Fleet
from core.engine.plan import rule_of, stored_trigger, timeout_of
from core.ledger.rows import AttemptRow, RunRow, ScheduleRow, links_of
from core.service.closings import shown_calendar, shown_hours
from core.service.policy import read_policy
from core.service.shortage import shortage_notes
from core.timing.clock import clock_of
from core.timing.preview import preview
from core.timing.rule import Rule
from core.timing.zones import zone
from schedule_zero.instant import SECOND, spell, spell_duration
from schedule_zero.result import readable
from schedule_zero.run import Attempt, Missed, Progress, Run, RunState, Why
from schedule_zero.schedule import Policy, RunSummary, Schedule
from schedule_zero.trigger import Trigger

NEXT_FIRES: Final = 5
NO_TRIGGER: Final = "null"
_DATE: Final = re.compile(r"\d{4}-\d\d-\d\d\b")

_strings: Final = msgspec.json.Decoder(dict[str, str]).decode
_anything: Final = msgspec.json.Decoder(dict[str, Any]).decode
_missed: Final = msgspec.json.Decoder(Missed).decode


def schedule_view(
    row: ScheduleRow,
    fleet: Fleet,
    *,
    trigger: Trigger | None = None,
    rule: Rule | None = None,
    newest: RunRow | None = None,
) -> Schedule:
    """A schedule as answered, with the next fires where it is active. One whose rule cannot be followed any more (a zone
    that vanished) is still shown, and says so. Its trigger and its rule are made from the row where nobody has them.
    ``fleet``: what the methods say of themselves holds where the policy says nothing."""
    policy = read_policy(row.policy)
    if policy.timeout is None:
        policy = _timed(row.policy, timeout_of(None, fleet.method(row.handler, row.method, row.guild_id)))
    place = zone_or_utc(row.timezone) if rule is None else rule.zone
    times: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    if row.state == "active" and row.next_due is not None:
        try:
            rule = rule or rule_of(row, policy)
        except ValueError as error:
            notes = (f"its rule cannot be followed any more: {error}",)
        else:
            place = rule.zone
            left = NEXT_FIRES if row.count is None else min(NEXT_FIRES, max(0, row.count - row.fired))
            coming = preview(rule, after=row.next_due - 1, n=left)
            times = tuple([fire.local for fire in coming])
            notes = tuple([_dated(note, fire.local) for fire in coming for note in fire.notes])
    if row.trigger == NO_TRIGGER:
        notes = (no_times(row.words),)
    notes += shortage_notes(fleet, row, policy)
    return Schedule(
        id=row.id, revision=row.revision, guild_id=row.guild_id, name=row.name, owner_id=row.owner_id,
        handler=row.handler, method=row.method, args=_anything(row.args), trigger=trigger or stored_trigger(row),
        timezone=row.timezone, words=row.words, start=_spelled(row.start, place), until=_spelled(row.until, place),
        count=row.count, calendar=shown_calendar(row), active_hours=shown_hours(row), policy=policy,
        after=links_of(row), state=row.state,
        next_fire_times=times, notes=notes, created_at=clock_of(place).spell(row.created),
        last_run=None if newest is None else run_summary(newest, place), metadata=_strings(row.metadata),
        paused_until=_spelled(row.paused_until, place), note=row.note,
    )  # fmt: skip


@lru_cache(maxsize=1024)
def _timed(policy: str, timeout_s: float) -> Policy:
    return msgspec.structs.replace(read_policy(policy), timeout=spell_duration(int(timeout_s * SECOND)))


def no_times(words: str) -> str:
    """A note on a schedule that has no trigger."""
    return f"it has no times of its own; it runs {words}"


def _dated(note: str, local: str) -> str:
    """A note with the time it is about, unless it names the day or begins with another: in a list of its own nobody
    would know which time is meant."""
    return note if local[:10] in note or _DATE.match(note) else f"{local[:16].replace('T', ' ')}: {note}"


def run_view(
    row: RunRow, attempts: Sequence[AttemptRow], *, timezone: str, why: Why | None = None,
    progress: Progress | None = None, cancelling: bool = False, children: Sequence[str] = (), with_args: bool = False,
) -> Run:  # fmt: skip
    """A run as answered, with its attempts."""
    place = zone_or_utc(timezone)
    first = attempts[0].sent if attempts else None
    return Run(
        id=row.id, schedule_id=row.schedule_id, guild_id=row.guild_id, handler=row.handler, method=row.method,
        occurrence=_occurrence(row.occurrence, place), due=spell(row.due, place),
        start_before=_spelled(row.start_before, place), state=row.state, attempt=row.attempt,
        attempts=tuple(_attempt(attempt, place) for attempt in attempts),
        result=None if row.result is None else msgspec.json.decode(readable(row.result)), reason=row.reason, why=why,
        late_by=None if first is None else spell_duration(max(0, first - row.due)), trace_id=row.id.partition("_")[2],
        missed=None if row.missed is None else _missed(row.missed), progress=progress,
        error=_error(row, attempts), cancelling=cancelling, parent=parent_of(row.occurrence), children=tuple(children),
        args=_anything(row.args) if with_args and row.args is not None else None,
    )  # fmt: skip


def _error(row: RunRow, attempts: Sequence[AttemptRow]) -> str | None:
    """The run's own while it has one: when its next attempt begins, only the attempt before it still tells."""
    if row.state is RunState.SUCCEEDED:
        return None
    return row.error or next((attempt.error for attempt in reversed(attempts) if attempt.error), None)


def zone_or_utc(timezone: str) -> ZoneInfo:
    """The zone of that name; UTC where it is not known any more."""
    try:
        return zone(timezone)
    except ValueError:
        return ZoneInfo("UTC")


def _attempt(row: AttemptRow, place: ZoneInfo) -> Attempt:
    return Attempt(
        attempt=row.attempt, handler=row.handler, instance=row.instance, sent=spell(row.sent, place),
        started=_spelled(row.started, place), ended=_spelled(row.ended, place), outcome=row.outcome, cause=row.cause,
        error=row.error,
    )  # fmt: skip


def run_summary(row: RunRow, place: ZoneInfo) -> RunSummary:
    """A run in one line."""
    return RunSummary(
        id=row.id, state=row.state, due=spell(row.due, place), ended=_spelled(row.ended, place), reason=row.reason,
        error=row.error,
    )  # fmt: skip


def _occurrence(stored: str, place: ZoneInfo) -> str:
    kind, _, rest = stored.partition(":")
    return f"t:{spell(int(rest), place)}" if kind == "t" else stored


def _spelled(instant: int | None, place: ZoneInfo) -> str | None:
    return None if instant is None else spell(instant, place)
