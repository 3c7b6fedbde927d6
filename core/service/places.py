"""Places: in which guild a request is asked, where who asks is known in several.

Who speaks through Discord speaks in one guild. Who is signed in to the pages is a member of many, and is judged in the one
that the request is about: the one it names, else the one of the schedule, the run or the line of the audit that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from core.service.desk import Desk
from schedule_zero import requests as ask

OF_A_RUN: Final[Mapping[type, str]] = {
    ask.GetRun: "id",
    ask.GetRunLog: "id",
    ask.CancelRun: "id",
    ask.RetryRun: "id",
}
"""Requests about one run, and the field that names it."""
OF_A_SCHEDULE: Final[Mapping[type, str]] = {
    ask.GetSchedule: "id",
    ask.PatchSchedule: "id",
    ask.DeleteSchedule: "id",
    ask.PauseSchedule: "id",
    ask.ResumeSchedule: "id",
    ask.RunSchedule: "id",
    ask.CheckRun: "id",
    ask.SkipOccurrence: "id",
    ask.MoveOccurrence: "id",
    ask.PreviewSchedule: "id",
    ask.GetChain: "schedule",
    ask.AddLink: "item",
    ask.RemoveLink: "item",
    ask.ListRuns: "schedule_id",
}
"""Requests about one schedule."""


class Places:
    """Looks up where a request is asked."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def of(self, request: ask.Request) -> str | None:
        """The guild; None: none, or one that nobody knows."""
        named = _named(request)
        if named is not None:
            return named
        kind = type(request)
        if kind in OF_A_RUN:
            run = await self._desk.reader.runs.get(getattr(request, OF_A_RUN[kind]))
            return None if run is None else run.guild_id
        if isinstance(request, ask.GetAudit | ask.RevertAudit):
            line = await self._desk.reader.audit.get(int(request.id)) if request.id.isdecimal() else None
            return None if line is None else line.guild_id
        if isinstance(request, ask.Undo):
            undo = await self._desk.reader.notes.undo(request.token)
            return None if undo is None else undo.guild_id
        id = getattr(request, OF_A_SCHEDULE[kind]) if kind in OF_A_SCHEDULE else None
        schedule = None if id is None else await self._desk.reader.schedules.get(id)
        return None if schedule is None else schedule.guild_id


def _named(request: ask.Request) -> str | None:
    """The guild that a request names itself."""
    if isinstance(request, ask.CreateSchedule):
        return request.spec.guild_id
    if isinstance(request, ask.CreateSchedules):
        # One batch is asked in one guild: the first that is named. An item for another one is refused by itself.
        return next((guild for each in request.items if (guild := _text(each.get("guild_id"))) is not None), None)
    return _text(getattr(request, "guild_id", None))


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
