"""Finding: the use cases that look for schedules: listing, and suggestions while somebody types."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from core.ledger.port import ScheduleFilter
from core.ledger.rows import ScheduleRow
from core.service import access
from core.service.desk import Desk
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import Invalid
from schedule_zero.ids import is_id
from schedule_zero.schedule import MESSAGES
from schedule_zero.views import SchedulePage, Suggestion, Suggestions

LONGEST_PAGE: Final = 200
"""Schedules or runs; who asks for more gets so many, and the place of the next page."""
MOST_SUGGESTED: Final = 25
_ACTIONABLE: Final = ("active", "paused", "blocked", "needs_owner")
_arguments: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Finding:
    """Looks for schedules, for those who may see them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(self, actor: Actor, request: ask.ListSchedules) -> SchedulePage:
        """A page of what the actor may see."""
        limit = page_length(request.limit, LONGEST_PAGE)
        wanted = access.visible(actor, ScheduleFilter(
            guild_id=request.guild_id, any_guild=request.any_guild, state=request.state, handler=request.handler,
            owner_id=request.owner_id, text=request.q, metadata=tuple(request.metadata.items()),
        ))  # fmt: skip
        cursor = cursor_in(request.cursor, "sch")
        if wanted is None:
            return SchedulePage(items=())
        rows = await self._desk.reader.schedules.page(wanted, cursor, limit + 1)
        newest = await self._desk.reader.runs.newest([row.id for row in rows[:limit]])
        items = tuple(self._desk.view(row, newest=newest.get(row.id)) for row in rows[:limit])
        return SchedulePage(items=items, next=rows[limit - 1].id if len(rows) > limit else None)

    async def suggest(self, actor: Actor, request: ask.SuggestSchedules) -> Suggestions:
        """Schedules the actor may act on, by half-typed name, id or text. What is over is not offered."""
        text = request.text.strip() or None
        wanted = ScheduleFilter(guild_id=request.guild_id, text=text, not_handler=MESSAGES if request.jobs else None)
        if request.reminders:
            metadata = (("kind", access.REMINDER),)
            wanted = ScheduleFilter(any_guild=True, owner_id=actor.id, text=text, metadata=metadata)
        elif actor.kind == "member" and not access.moderates(actor, request.guild_id):
            whose = "jobs_or_owner_id" if access.runs_jobs(actor, request.guild_id) else "owner_id"
            wanted = msgspec.structs.replace(wanted, **{whose: actor.id})
        wanted = access.within(actor, wanted)
        found = await self._named(actor, text)
        for state in _ACTIONABLE:
            if len(found) < MOST_SUGGESTED:
                fitting = msgspec.structs.replace(wanted, state=state)
                found += await self._desk.reader.schedules.page(fitting, None, MOST_SUGGESTED - len(found))
        return Suggestions(items=tuple(Suggestion(name=_label(row), value=row.id) for row in found))

    async def _named(self, actor: Actor, text: str | None) -> list[ScheduleRow]:
        """The schedule whose id was typed."""
        row = await self._desk.reader.schedules.get(text) if text is not None and is_id(text, "sch") else None
        return [row] if row is not None and row.state in _ACTIONABLE and access.may_act(actor, row) else []


def page_length(asked: int, most: int) -> int:
    """How many items a page holds, for a client that asked for some number."""
    return max(1, min(asked, most))


def cursor_in(text: str | None, prefix: str) -> str | None:
    """The place a client goes on from. Raises Invalid."""
    if text is None or is_id(text, prefix):
        return text
    message = "is no cursor; send the `next` of the page before"
    raise Invalid.at("cursor", message)


def _label(row: ScheduleRow) -> str:
    said = str(_arguments(row.args).get("content", "")).strip() if row.handler == MESSAGES else ""
    title = row.name or said or f"{row.handler}.{row.method}"
    text = f"{title.splitlines()[0]} · {row.words}"
    text = text if row.state == "active" else f"{text} · {row.state}"
    return text if len(text) <= 100 else text[:99] + "…"
