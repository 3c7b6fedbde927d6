"""Refusals: which limit somebody met last, so that they can ask later what it was. In memory, the newest alone of each."""

from __future__ import annotations

from typing import Final

import msgspec

from core.service import access
from core.service.desk import NO_GUILD, Desk
from core.service.usage import Usage
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.errors import QuotaExceeded
from schedule_zero.instant import SECOND, spell
from schedule_zero.views import BatchView, RefusalView, View, error_of

KEPT: Final = 10_000


class Refusals:
    """The last refusal of each person in each guild."""

    def __init__(self, desk: Desk, usage: Usage) -> None:
        self._desk = desk
        self._usage = usage
        self._last: dict[tuple[str | None, str], RefusalView] = {}

    def note(self, actor: Actor, request: ask.Request, error: QuotaExceeded) -> None:
        """Somebody met a limit: in the guild they speak in, or, who speaks in none, in the one whose limit it is."""
        key = (actor.guild_id or _guild_in(request, error), actor.id)
        self._last.pop(key, None)
        if len(self._last) >= KEPT:
            del self._last[next(iter(self._last))]
        now, after, details = self._desk.clock.now(), error.retry_after, error.details
        self._last[key] = RefusalView(
            sentence=error.sentence, at=spell(now), scope=details.get("scope"), limit=details.get("limit"),
            used=details.get("used"), allowed=details.get("allowed"),
            until=None if after is None else spell(now + round(after * SECOND)),
        )  # fmt: skip

    def note_among(self, actor: Actor, request: ask.Request, view: View) -> None:
        """A batch is answered item by item: in each guild the last limit counts that one of them met."""
        if not isinstance(view, BatchView):
            return
        last: dict[str | None, QuotaExceeded] = {}
        for item in view.items:
            error = None if item.problem is None else error_of(item.problem)
            if isinstance(error, QuotaExceeded):
                last[_guild_in(request, error)] = error
        for error in last.values():
            self.note(actor, request, error)

    async def get(self, actor: Actor, request: ask.GetRefusal) -> RefusalView:
        """The limit that who asks met last there, and how it is now. Raises NotFound."""
        access.require_guild(actor, request.guild_id, change=False)
        last = self._last.get((request.guild_id, actor.id), RefusalView())
        if last.scope is None or last.limit is None:
            return last
        now = await self._usage.gauge(actor, request.guild_id, last.scope, last.limit)
        return msgspec.structs.replace(last, now=now)


def _guild_in(request: ask.Request, error: QuotaExceeded) -> str | None:
    """The guild that a refusal is about."""
    kind, _, name = str(error.details.get("scope")).partition(":")
    if kind == "guild" and name:
        return None if name == NO_GUILD else name
    named = getattr(request, "guild_id", None)
    return named if isinstance(named, str) else None
