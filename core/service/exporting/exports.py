"""Exports: the use case. A file is asked for part by part, so that neither side ever holds all of it.

The parts put one behind the other are the file. A cursor says where the next one begins; what changes meanwhile is in the
file as it was when its part was made. Making texts of rows takes a thread, since a page of them takes tens of milliseconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final, Protocol

from core.ledger.port import ScheduleFilter
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.closings import closings_of
from core.service.desk import Desk
from core.service.exporting.as_csv import CsvFile
from core.service.exporting.as_ics import IcsFile
from core.service.exporting.as_json import JsonFile
from core.service.exporting.things import Guild, Item
from core.service.facts import CLOSINGS, GUILD
from core.service.guild_settings import document_of, settings_in
from core.service.own_zone import OwnZone
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.asks.export import BEGINNING
from schedule_zero.errors import Invalid
from schedule_zero.ids import is_id
from schedule_zero.instant import spell
from schedule_zero.masking import Schema, masked
from schedule_zero.schedule import MESSAGES
from schedule_zero.views import ExportPart

PAGE: Final = 100
"""Schedules in one part."""
LOOKED_AT: Final = 1000


class File(Protocol):
    """A form in which things are written down. All of it may be called on another thread."""

    media_type: str
    ending: str
    names_zones: bool

    def beginning(self, scope: dict[str, str | None], at: str, guilds: Sequence[Guild], own: OwnZone) -> str: ...
    def zones(self, rows: Sequence[ScheduleRow]) -> set[str]: ...
    def with_zones(self, names: Sequence[str]) -> str: ...
    def page(self, items: Sequence[Item], *, first: bool, now: int) -> str: ...
    def end(self) -> str: ...


_FILES: Final[dict[str, File]] = {"json": JsonFile(), "csv": CsvFile(), "ics": IcsFile()}


class Exports:
    """Writes down what somebody may see."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def part(self, actor: Actor, request: ask.Export) -> ExportPart:
        """The next part of a file."""
        access.require_export(actor, request.guild_id, request.user_id, secrets=request.secrets)
        file, cursor = _FILES[request.format], _place(request.cursor)
        wanted = access.visible(actor, _filter(request))
        now = self._desk.clock.now()
        rows = [] if wanted is None else await self._desk.reader.schedules.page(wanted, cursor, PAGE + 1)
        items = [Item(row, self._shown(row, secrets=request.secrets)) for row in rows[:PAGE]]
        text = "" if cursor is not None else await self._beginning(request, file, wanted, now)
        text += await asyncio.to_thread(file.page, items, first=cursor is None, now=now)
        more = len(rows) > PAGE
        return ExportPart(
            text=text if more else text + file.end(), next=rows[PAGE - 1].id if more else None,
            media_type=file.media_type, name=f"{_named(request)}.{file.ending}",
        )  # fmt: skip

    async def _beginning(self, request: ask.Export, file: File, wanted: ScheduleFilter | None, now: int) -> str:
        guilds = await self._guilds(request)
        own = await self._desk.facts.own_zone(request.user_id)
        scope = {"guild_id": request.guild_id, "user_id": request.user_id}
        text = file.beginning(scope, spell(now), guilds, own)
        if not file.names_zones or wanted is None:
            return text
        names: set[str] = set()
        after: str | None = None
        while rows := await self._desk.reader.schedules.page(wanted, after, LOOKED_AT):
            names |= file.zones(rows)
            after = rows[-1].id
            await asyncio.sleep(0)
        return text + await asyncio.to_thread(file.with_zones, sorted(names))

    async def _guilds(self, request: ask.Export) -> list[Guild]:
        """The guilds whose settings belong into the file: the one that is asked for, all, or none with a person's."""
        if request.user_id is not None:
            return []
        settings, closings = await self._desk.reader.notes.all(GUILD), await self._desk.reader.notes.all(CLOSINGS)
        ids = sorted(settings.keys() | closings.keys()) if request.guild_id is None else [request.guild_id]
        return [
            Guild(
                id, settings_in(document_of(settings.get(id))),
                closings_of(closings.get(id)),
            )
            for id in ids
        ]  # fmt: skip

    def _shown(self, row: ScheduleRow, *, secrets: bool) -> dict[str, Any]:
        args = document_of(row.args)
        if secrets or row.handler == MESSAGES:
            return args
        method = self._desk.engine.fleet.method(row.handler, row.method, row.guild_id)
        schema: Schema | None = None if method is None else method.schema
        return masked(args, schema)


def _filter(request: ask.Export) -> ScheduleFilter:
    if request.user_id is not None:
        return ScheduleFilter(any_guild=True, owner_id=request.user_id)
    return ScheduleFilter(guild_id=request.guild_id, any_guild=request.guild_id is None)


def _place(cursor: str | None) -> str | None:
    """The schedule behind which a part begins; None: the file does. Raises Invalid."""
    if cursor is None or cursor == BEGINNING:
        return None
    if is_id(cursor, "sch"):
        return cursor
    message = "is no cursor; send the `next` of the part before"
    raise Invalid.at("cursor", message)


def _named(request: ask.Export) -> str:
    kind, id = ("user", request.user_id) if request.user_id is not None else ("guild", request.guild_id)
    return "schedule-zero" if id is None else f"schedule-zero-{kind}-{''.join(c for c in id if c.isalnum())[:40]}"
