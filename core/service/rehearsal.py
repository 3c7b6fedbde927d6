"""Rehearsal: what would become of a run that was made now, without making it."""

from __future__ import annotations

import msgspec

from core.engine.admit import collide
from core.engine.entitle import Standing
from core.engine.routing import Routing, read_routing
from core.engine.usher import BANNED
from core.governor.explain import sentence_of, why_of
from core.governor.sends import destination_of
from core.governor.verdict import Wait
from core.ledger.rows import RunRow, ScheduleRow
from core.service import access
from core.service.absence import absence
from core.service.desk import Desk
from core.service.policy import read_policy
from core.service.suspension import why_held
from core.service.why import calendar_quota, standing_of
from schedule_zero.actor import Actor
from schedule_zero.run import RunCheck, Why


async def rehearsed(desk: Desk, actor: Actor, run: RunRow, schedule: ScheduleRow) -> RunCheck:
    """Who could get this run of a schedule, which is not made, and what would be in its way; nothing is taken for it."""
    routing = None if run.routing is None else read_routing(run.routing)
    seats = desk.engine.fleet.seats(desk.clock.monotonic())
    instances = tuple(seats.able(run.handler, run.method, run.guild_id, routing))
    policy = read_policy(schedule.policy)
    active = (await desk.reader.runs.active([schedule.id])).get(schedule.id, ())
    if collide(policy, active, desk.clock.now()).skip:
        return RunCheck(
            instances=instances, skipped="an earlier run of it is not over, and its policy leaves out others"
        )
    if schedule.owner_id in desk.engine.dispatcher.banned:
        return RunCheck(instances=instances, skipped=BANNED)
    why = _suspended(desk, run)
    if why is not None:
        return RunCheck(instances=instances, why=why)
    full = [each for each in await standing_of(desk, desk.reader, run) if each.full]
    if full and policy.on_quota == "skip":
        return RunCheck(instances=instances, skipped=_left_out(full))
    why = calendar_quota(full) or _absent(desk, actor, run, routing) or _refused(desk, run, schedule, instances)
    return RunCheck(instances=instances, why=why)


def _suspended(desk: Desk, row: RunRow) -> Why | None:
    """That an operator lets the guild start nothing."""
    mark = desk.engine.measures.suspended(row.guild_id)
    return None if mark is None or row.guild_id is None else why_held(row.guild_id, mark)


def _left_out(full: list[Standing]) -> str:
    """Why a run is left out that does not wait for another period, or would wait for ever."""
    none = next((each for each in full if each.period.allowed == 0), None)
    if none is not None:
        return f"{_whose(none.scope)} may run nothing ({none.period.limit} is 0)"
    last = max(full, key=lambda each: each.period.until)
    return (
        f"the quota of {_whose(last.scope)} is used up ({last.period.limit} is {last.period.allowed:,}), and its policy leaves "
        "out what has no room"
    )


def _whose(scope: str) -> str:
    kind = scope.partition(":")[0]
    return {"guild": "this server", "schedule": "this schedule", "global": "the whole service"}.get(
        kind, scope.replace(":", " ")
    )


def _absent(desk: Desk, actor: Actor, row: RunRow, routing: Routing | None) -> Why | None:
    found = absence(
        desk.engine, row.handler, row.guild_id, row.method, everybodys=access.runs_service(actor), routing=routing
    )
    if found is None:
        return None
    return Why(
        scope=f"handler:{row.handler}", limit="available", used=found.used, allowed=found.allowed, words=found.words
    )  # fmt: skip


def _refused(desk: Desk, row: RunRow, schedule: ScheduleRow, instances: tuple[str, ...]) -> Why | None:
    """The limit that a start now would meet."""
    now, monotonic = desk.clock.now(), desk.clock.monotonic()
    there = ""
    if desk.engine.destinations.limited(row.guild_id, row.handler, row.method):
        there = destination_of(row.method, row.args or schedule.args, row.guild_id, schedule.owner_id)
    method = f"{row.handler}.{row.method}"
    verdict = desk.engine.governor.explain(row.guild_id, method, instances, monotonic, there, schedule.id)
    if not isinstance(verdict, Wait):
        return None
    why = msgspec.convert(why_of(verdict, now=now, monotonic=monotonic), Why)
    return msgspec.structs.replace(why, words=sentence_of(verdict, now=now, monotonic=monotonic))
