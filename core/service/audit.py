"""The use cases about the audit: who changed what, listed and shown; and taking it back from there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from core.fields import nearest
from core.ledger.port import AuditFilter
from core.ledger.rows import AuditedRow, ScheduleRow
from core.service import access
from core.service.audited import OF_SETTINGS, definitions_in, document_in, is_of_schedule, line_view
from core.service.desk import UNDO_FOR, Desk
from core.service.facts import GUILD
from core.service.finding import LONGEST_PAGE, page_length
from core.service.guild_settings import stands
from core.service.settings import Settings
from core.service.triggers import instant_in
from core.service.undo import Undoing
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Invalid
from schedule_zero.views import AuditLine, AuditPage, AuditRevert

TOGETHER: Final = 25
"""Lines that are read before others have their turn on the loop: about two milliseconds."""
_CURSOR: Final = re.compile(r"(?P<at>[0-9]{1,18})-(?P<id>[0-9]{1,18})")
_PEOPLE: Final = ("member", "discord")
_NUMBER: Final = re.compile(r"[0-9]{1,18}")


class _Standing(msgspec.Struct, frozen=True):
    """How what the lines of a page are about stands now: schedules by id, stored settings by guild."""

    schedules: Mapping[str, ScheduleRow]
    settings: Mapping[str, dict[str, Any]]


class Audits:
    """The audit, for those who may read it."""

    def __init__(self, desk: Desk, undoing: Undoing, settings: Settings) -> None:
        self._desk = desk
        self._undoing = undoing
        self._settings = settings

    async def page(self, actor: Actor, request: ask.ListAudit) -> AuditPage:
        """A page of what the actor may see."""
        limit = page_length(request.limit, LONGEST_PAGE)
        wanted = access.visible_audit(actor, _filter_in(request))
        rows = await self._rows(wanted, _place_in(request.cursor), limit + 1)
        shown, last = rows[:limit], rows[limit - 1] if len(rows) > limit else None
        return AuditPage(
            items=tuple(await self._views(actor, shown)), next=None if last is None else f"{last.at}-{last.id}"
        )

    async def get(self, actor: Actor, request: ask.GetAudit) -> AuditLine:
        """One line."""
        (line,) = await self._views(actor, [await self._existing(actor, request.id)])
        return line

    async def revert(self, actor: Actor, request: ask.RevertAudit) -> AuditRevert:
        """Take back what a line says.

        Raises:
            Conflict: it has been changed again since, or is nothing that can be taken back.
            Gone: there is nothing left of what was changed.
            ScheduleZeroError: what any change of the kind is refused by.
        """
        line = await self._existing(actor, request.id)
        if is_of_schedule(line):
            return await self._undoing.revert(actor, request, line)
        if line.action in OF_SETTINGS and line.guild_id is not None and line.after is not None:
            before, after = document_in(line.before), document_in(line.after)
            return await self._settings.take_back(actor, request, line.guild_id, before, after)
        raise Conflict(f"What {line.action} does cannot be taken back from the audit; do the opposite instead.")

    async def _rows(self, wanted: AuditFilter, place: tuple[int, int] | None, limit: int) -> Sequence[AuditedRow]:
        """Lines, newest first, under whichever name they have their actor: each listing goes by the index by itself."""
        found: list[AuditedRow] = []
        for actor in _names_of(wanted.actor):
            under = msgspec.structs.replace(wanted, actor=actor)
            found += await self._desk.reader.audit.page(under, place, limit)
        return sorted(found, key=lambda row: (row.at, row.id), reverse=True)[:limit]

    async def _existing(self, actor: Actor, id: str) -> AuditedRow:
        row = await self._desk.reader.audit.get(int(id)) if _NUMBER.fullmatch(id) else None
        return access.require_line(actor, row, id)

    async def _views(self, actor: Actor, rows: Sequence[AuditedRow]) -> list[AuditLine]:
        standing = await self._standing(rows)
        views: list[AuditLine] = []
        for start in range(0, len(rows), TOGETHER):
            views += [self._view(actor, row, standing) for row in rows[start : start + TOGETHER]]
            await asyncio.sleep(0)
        return views

    def _view(self, actor: Actor, row: AuditedRow, standing: _Standing) -> AuditLine:
        view = line_view(actor, row, self._desk.engine.fleet)
        if not view.hidden and self._can_go_back(actor, row, standing):
            view.back = "undo" if self._desk.clock.now() - row.at <= UNDO_FOR else "revert"
        return view

    async def _standing(self, rows: Sequence[AuditedRow]) -> _Standing:
        reader = self._desk.reader
        schedules = await reader.schedules.get_many(sorted({row.target for row in rows if is_of_schedule(row)}))
        guilds = sorted({row.guild_id for row in rows if row.action in OF_SETTINGS and row.guild_id is not None})
        return _Standing(schedules, {guild: document_in(await reader.notes.get(GUILD, guild)) for guild in guilds})

    def _can_go_back(self, actor: Actor, line: AuditedRow, standing: _Standing) -> bool:
        """Whether the change still stands, and is one that the actor may take back."""
        if is_of_schedule(line):
            found, current = definitions_in(line), standing.schedules.get(line.target)
            if current is None or found.after is None or current.revision != found.after.revision:
                return False
            return access.may_take_back(actor, current, found.before)
        if line.action not in OF_SETTINGS or line.guild_id is None or line.after is None:
            return False
        stored = standing.settings[line.guild_id]
        return access.may_set(actor, line.guild_id) and stands(
            stored, document_in(line.before), document_in(line.after)
        )


def _filter_in(request: ask.ListAudit) -> AuditFilter:
    """What is asked for. Raises Invalid."""
    actor, action = request.actor, request.action
    if action is not None and action not in list(Action):
        meant = nearest(action, list(Action))
        hint = f"did you mean {meant}?" if meant else "the list of actions shows what there is"
        raise Invalid.at("action", f"there is no action {action!r}; {hint}")
    return AuditFilter(
        guild_id=request.guild_id, any_guild=request.any_guild, action=action, target=request.target,
        actor=actor if actor is None or ":" in actor else f"member:{actor}",
        since=None if request.since is None else instant_in(request.since, "since", 0),
        until=None if request.until is None else instant_in(request.until, "until", 0),
    )  # fmt: skip


def _names_of(actor: str | None) -> tuple[str | None, ...]:
    """How lines name an actor: a person by the guild they spoke in, or, where they operate the service, by Discord."""
    kind, _, id = (actor or "").partition(":")
    return tuple(f"{each}:{id}" for each in _PEOPLE) if kind in _PEOPLE else (actor,)


def _place_in(cursor: str | None) -> tuple[int, int] | None:
    """The place a client goes on from. Raises Invalid."""
    if cursor is None:
        return None
    place = _CURSOR.fullmatch(cursor)
    if place is None:
        message = "is no cursor; send the `next` of the page before"
        raise Invalid.at("cursor", message)
    return int(place["at"]), int(place["id"])
