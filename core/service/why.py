"""Why: what a waiting run waits for, from wherever it waits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import msgspec

from core.engine.chains import parent_of
from core.engine.choose import AVAILABLE
from core.engine.entitle import Standing
from core.engine.routing import read_routing
from core.governor.explain import said, sentence_of, why_of
from core.governor.verdict import Wait, scope_of, scope_of_schedule
from core.ledger.buckets import bucket_of
from core.ledger.port import ActiveRun, Reader, Transaction
from core.ledger.rows import RunRow, ScheduleRow
from core.service import access
from core.service.absence import absence
from core.service.desk import Desk
from core.service.policy import read_policy
from core.service.suspension import why_held
from core.timing.rule import LATEST
from schedule_zero.actor import Actor
from schedule_zero.instant import spell
from schedule_zero.run import OPEN, RunState, SkipReason, Why

ELSEWHERE: Final = "elsewhere"
DRAINED: Final = "drained"
BANNED: Final = "banned"
_DRAINED: Final = "Who runs the service lets it give out nothing new for now; it goes on when they do."
_BANNED: Final = "Its owner may not use this service any more; it is cancelled when its turn comes."
Active = Mapping[str, Sequence[ActiveRun]]


class Elsewhere(msgspec.Struct, frozen=True):
    """What the ledger tells of waiting runs that another core gives out: the ``active`` runs of their schedules, and the
    ``holders`` of the buckets. What they wait for stands in the memory of that core alone."""

    active: Active = {}
    holders: Mapping[int, str | None] = {}


async def elsewhere_of(desk: Desk, source: Reader | Transaction, rows: Iterable[RunRow]) -> Elsewhere:
    """What there is to know of those of these runs that wait at another core."""
    theirs = [row for row in rows if row.state is RunState.WAITING and not desk.engine.territory.owns(row.guild_id)]
    if not theirs:
        return Elsewhere()
    active = await source.runs.active(list({row.schedule_id for row in theirs}))
    return Elsewhere(active, await source.buckets.holders())


async def why_waiting(
    desk: Desk, actor: Actor, source: Reader | Transaction, row: RunRow, schedule: ScheduleRow | None,
    elsewhere: Elsewhere,
) -> Why | None:  # fmt: skip
    """The scope and limit that hold a run back, and until when; None when it only waits for its turn, or not at all."""
    if row.state is not RunState.WAITING:
        return None
    engine, now = desk.engine, desk.clock.now()
    if schedule is not None and schedule.owner_id in engine.dispatcher.banned:
        return Why(scope=f"user:{schedule.owner_id}", limit=BANNED, used=0, allowed=0, words=_BANNED)
    if row.not_before is not None and row.not_before > now:
        if row.reason == SkipReason.QUOTA:
            return await _put_off(desk, source, row, row.not_before)
        return _own_time(row, schedule, row.not_before)
    if not engine.territory.owns(row.guild_id):
        return _behind_begun(row, elsewhere.active) or _elsewhere(desk, actor, row, elsewhere.holders)
    behind = engine.room.in_line(row.id)
    if behind is not None:
        return _behind(row, *behind)
    if engine.dispatcher.held:
        return Why(scope="global", limit=DRAINED, used=0, allowed=0, words=_DRAINED)
    wait = engine.queue.why(row.id)
    return None if wait is None else _refused(desk, actor, row, wait)


def _refused(desk: Desk, actor: Actor, row: RunRow, wait: Wait) -> Why:
    mark = desk.engine.measures.suspended(row.guild_id)
    if mark is not None and row.guild_id is not None and wait.scope == scope_of(row.guild_id):
        return why_held(row.guild_id, mark)
    now, monotonic = desk.clock.now(), desk.clock.monotonic()
    why = msgspec.convert(why_of(wait, now=now, monotonic=monotonic), Why)
    if wait.limit == AVAILABLE:
        found = absence(
            desk.engine, row.handler, row.guild_id, row.method, everybodys=access.runs_service(actor),
            routing=None if row.routing is None else read_routing(row.routing),
        )  # fmt: skip
        if found is not None:
            return msgspec.structs.replace(
                why, limit=found.limit or why.limit, used=found.used, allowed=found.allowed, words=found.words
            )
    return msgspec.structs.replace(why, words=sentence_of(wait, now=now, monotonic=monotonic))


def _own_time(row: RunRow, schedule: ScheduleRow | None, not_before: int) -> Why:
    """A run before its own time: between two tries, or shifted by its jitter."""
    limit, allowed, until = "due", 1, spell(not_before)
    words = f"It waits for its own time, {until}."
    if parent_of(row.occurrence) is not None:
        words = f"It follows another run after a while: at {until}."
    if row.attempt and schedule is not None:
        limit, allowed = "retry", read_policy(schedule.policy).retry.max_attempts
        words = f"The next attempt begins at {until}."
    return Why(
        scope=scope_of_schedule(row.schedule_id),
        limit=limit,
        used=row.attempt,
        allowed=allowed,
        until=until,
        words=words,
    )


async def standing_of(desk: Desk, source: Reader | Transaction, row: RunRow, at: int | None = None) -> list[Standing]:
    """The periods that count a run made now, or at an instant, and how much of each is used."""
    instant = desk.clock.now() if at is None else at
    return await desk.engine.entitler.standing(
        source.usage, row.guild_id, instant, method=f"{row.handler}.{row.method}", schedule_id=row.schedule_id
    )


async def _put_off(desk: Desk, source: Reader | Transaction, row: RunRow, not_before: int) -> Why:
    """A run that a calendar quota sent to a later period: the one that ends as it may begin had no room for it."""
    if not_before == LATEST:
        found = calendar_quota([each for each in await standing_of(desk, source, row) if each.period.allowed == 0])
    else:
        before = await standing_of(desk, source, row, not_before - 1)
        found = calendar_quota([each for each in before if each.period.until == not_before])
    until = None if not_before == LATEST else spell(not_before)
    words = "A calendar quota put it off that is another one by now" + (f"; its place is at {until}." if until else ".")
    return found or Why(
        scope=scope_of_schedule(row.schedule_id), limit="quota", used=0, allowed=0, until=until, words=words
    )


def calendar_quota(standing: Sequence[Standing]) -> Why | None:
    """The calendar quota, of those that count a run, that has no room the longest."""
    full = [each for each in standing if each.full] or standing
    if not full:
        return None
    last = next((each for each in full if each.period.allowed == 0), None) or max(
        full, key=lambda one: one.period.until
    )
    limit, allowed = last.period.limit, last.period.allowed
    until = spell(last.period.until) if allowed else None
    return Why(
        scope=last.scope, limit=limit, used=last.used, allowed=allowed, until=until,
        words=said(Wait(last.scope, limit, last.used, allowed), until),
    )  # fmt: skip


def _behind(row: RunRow, under_way: int, allowed: int) -> Why:
    """A run behind others of its schedule."""
    return Why(
        scope=scope_of_schedule(row.schedule_id), limit="overlap", used=under_way, allowed=allowed,
        words="It waits for an earlier run of its schedule to end.",
    )  # fmt: skip


def _behind_begun(row: RunRow, active: Active) -> Why | None:
    """A run that another core gives out, behind those of its schedule that have begun."""
    others = [run for run in active.get(row.schedule_id, ()) if run.id != row.id]
    begun = sum(run.state in OPEN or run.attempt > 0 for run in others)
    return _behind(row, begun, row.line) if 0 < row.line <= begun else None


def _elsewhere(desk: Desk, actor: Actor, row: RunRow, holders: Mapping[int, str | None]) -> Why:
    """A run that this core does not give out: which one does, and so knows."""
    membership = desk.ledger.membership
    holder = holders.get(bucket_of(row.guild_id))
    if holder is None:
        words = "No core works for this run at the moment; one takes it over within seconds."
    elif membership is None or holder == membership.id:
        words = "This core is just taking the run over; ask again in a moment."
    else:
        places = {member.id: member.place for member in membership.members}
        place = f", {places[holder]}," if holder in places and access.runs_service(actor) else ""
        words = f"Another core ({holder}){place} works for this run; what it waits for is known there."
    return Why(scope=f"core:{holder or '-'}", limit=ELSEWHERE, used=0, allowed=0, words=words)
