"""Refusals: which limit somebody met, so that they and those who manage the guild can see later what it was.

The newest of each person is kept in memory; the audit has a line of it, one an hour for each limit that somebody meets.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec
import structlog

from core.ledger.port import StoreError, Transaction
from core.ledger.rows import AuditRow
from core.service import access
from core.service.desk import NO_GUILD, Desk
from core.service.usage import Usage
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import QuotaExceeded
from schedule_zero.instant import HOUR, SECOND, spell
from schedule_zero.views import BatchView, RefusalView, View, error_of

log = structlog.get_logger("schedule_zero.refusals")

KEPT: Final = 10_000
_SHOWN: Final = ("scope", "limit", "used", "allowed", "until", "sentence")
_Met = tuple[str, str, str | None, str | None]


class Refusals:
    """The last refusal of each person in each guild."""

    def __init__(self, desk: Desk, usage: Usage) -> None:
        self._desk = desk
        self._usage = usage
        self._last: dict[tuple[str | None, str], RefusalView] = {}
        self._audited: dict[_Met, int] = {}
        self._writing: set[asyncio.Task[None]] = set()

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
        if key[0] is not None:
            self._audit(actor, key[0], self._last[key])

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

    def _audit(self, actor: Actor, guild_id: str, met: RefusalView) -> None:
        """Leave a line of it, unless there is one from this hour. Nobody waits for it, for nothing was changed."""
        now, which = self._desk.clock.now(), (guild_id, actor.who, met.scope, met.limit)
        if self._audited.get(which, -HOUR) > now - HOUR:
            return
        if len(self._audited) >= KEPT:
            del self._audited[next(iter(self._audited))]
        self._audited[which] = now
        after = msgspec.json.encode({name: getattr(met, name) for name in _SHOWN}).decode()
        line = self._desk.line(actor, Action.QUOTA_MEET, guild_id, guild_id, after=after)
        task = asyncio.create_task(self._write(line), name="a refusal is audited")
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, line: AuditRow) -> None:
        async def unit(tx: Transaction) -> None:
            await tx.notes.audit([line])

        try:
            await self._desk.ledger.write_new(unit)
        except StoreError as error:
            log.warning("the store refused the line of a refusal", error=str(error))


def _guild_in(request: ask.Request, error: QuotaExceeded) -> str | None:
    """The guild that a refusal is about."""
    kind, _, name = str(error.details.get("scope")).partition(":")
    if kind == "guild" and name:
        return None if name == NO_GUILD else name
    named = getattr(request, "guild_id", None)
    return named if isinstance(named, str) else None
