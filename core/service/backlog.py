"""The use cases about what waits: how late the core is, and for whom and why runs wait. For operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final

import msgspec

from core.engine.choose import AVAILABLE
from core.engine.entitle import Standing
from core.engine.waiting import Place
from core.governor.entitlement import Alike
from core.governor.explain import sentence_of, why_of
from core.governor.verdict import Wait, scope_of
from core.service import access
from core.service.absence import absence
from core.service.desk import Desk
from core.service.finding import page_length
from core.service.suspension import why_held
from core.service.why import calendar_quota
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.instant import SECOND, spell, spell_duration
from schedule_zero.run import Why
from schedule_zero.views import LagView, QueueGuild, QueueScope, QueueView

MOST_GUILDS: Final = 50
MOST_SCOPES: Final = 20
SCOPES_OF_A_GUILD: Final = 3

_QUOTAS_READ: Final = 100
"""Of so many kinds of runs it is read which calendar quota put them off."""


def _why(scope: str, limit: str, words: str) -> Why:
    return Why(scope=scope, limit=limit, used=0, allowed=0, words=words)


_TURN: Final = _why("turn", "turn", "They wait for their turn.")
_TIME: Final = _why("schedule", "due", "They wait for their own time: between two tries, or after another run.")
_QUOTA: Final = _why("schedule", "quota", "They wait for a new hour, day or month of a calendar quota.")
_LINE: Final = _why("schedule", "overlap", "They wait for an earlier run of their schedule to end.")


class _Pile(msgspec.Struct):
    """Runs that wait for the same thing, and whose they are."""

    reason: Wait | Why
    runs: int = 0
    guilds: set[str | None] = msgspec.field(default_factory=set)


class _Piles:
    """What one guild, or everybody, has waiting."""

    def __init__(self) -> None:
        self.waiting = 0
        self._piles: dict[tuple[str, str], _Pile] = {}

    def add(self, guild: str | None, runs: int, reason: Wait | Why) -> None:
        pile = self._piles.setdefault((reason.scope, reason.limit), _Pile(reason))
        pile.runs += runs
        pile.guilds.add(guild)
        self.waiting += runs

    def largest(self, count: int) -> list[_Pile]:
        return sorted(self._piles.values(), key=lambda pile: (-pile.runs, pile.reason.scope, pile.reason.limit))[:count]


class Backlog:
    """Reads the waiting room and the fair queue; changes nothing."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._engine = desk.engine

    async def lag(self, actor: Actor, request: ask.GetLag) -> LagView:
        """How late ticks and dispatch are."""
        access.require_service(actor)
        engine, now = self._engine, self._desk.clock.now()
        ready, oldest = 0, now
        for entry in engine.queue.ready():
            ready += 1
            place = entry.payload
            # A later try is not late because its first was long ago.
            if isinstance(place, Place) and place.attempt == 0:
                oldest = min(oldest, entry.due)
        return LagView(
            tick=_spelled(engine.tick.lag(now)), due=engine.tick.overdue(now),
            last_tick=None if engine.tick.last_commit is None else spell(engine.tick.last_commit),
            dispatch=_spelled(now - oldest), ready=ready, waiting=len(engine.room), in_flight=len(engine.flights),
            uncommitted=engine.settler.pending(),
        )  # fmt: skip

    async def queue(self, actor: Actor, request: ask.GetQueue) -> QueueView:
        """What waits and why, and the guilds with most of it."""
        access.require_service(actor)
        wanted = page_length(request.guilds, MOST_GUILDS)
        everybody, guilds = _Piles(), dict[str | None, _Piles]()
        for guild, runs, reason in await self._waiting():
            everybody.add(guild, runs, reason)
            guilds.setdefault(guild, _Piles()).add(guild, runs, reason)
        running = Counter(dict(self._engine.queue.holders()))
        heaviest = sorted({*guilds, *running}, key=lambda id: self._weight(id, guilds, running))[:wanted]
        return QueueView(
            waiting=everybody.waiting, running=len(self._engine.flights),
            guild_count=len(guilds.keys() - {None}),
            scopes=self._scopes(everybody.largest(MOST_SCOPES)),
            guilds=tuple(self._guild(id, guilds.get(id) or _Piles(), running[id]) for id in heaviest),
        )  # fmt: skip

    async def _waiting(self) -> list[tuple[str | None, int, Wait | Why]]:
        """Whose runs, how many, and what they wait for."""
        found: list[tuple[str | None, int, Wait | Why]] = [
            (each.guild, each.runs, self._suspended(each.guild, each.wait) or each.wait or _TURN)
            for each in self._engine.queue.standing()
        ]
        delayed, behind = self._engine.room.not_queued()
        early = [each for each in delayed if not each.put_off]
        for places, reason in ((early, _TIME), (behind, _LINE)):
            found += [(guild, runs, reason) for guild, runs in Counter(place.guild_id for place in places).items()]
        return found + await self._put_off([each for each in delayed if each.put_off])

    async def _put_off(self, places: Iterable[Place]) -> list[tuple[str | None, int, Wait | Why]]:
        """The runs that calendar quotas put off, those together that the same ones count, with the one that is used up."""
        alike, now = Alike(self._engine.measures), self._desk.clock.now()
        groups = Counter(alike.of(each.guild_id, each.handler, each.method, each.schedule_id) for each in places)
        found: list[tuple[str | None, int, Wait | Why]] = []
        for place_in_line, ((guild, method, schedule), runs) in enumerate(groups.most_common()):
            full: list[Standing] = []
            if place_in_line < _QUOTAS_READ:
                standing = await self._engine.entitler.standing(
                    self._desk.reader.usage, guild, now, method=method, schedule_id=schedule
                )
                full = [each for each in standing if each.full]
            found.append((guild, runs, calendar_quota(full) or _QUOTA))
        return found

    def _suspended(self, guild: str | None, wait: Wait | None) -> Why | None:
        """That an operator lets the guild start nothing, where that is what its runs wait for."""
        mark = self._engine.measures.suspended(guild)
        if mark is None or guild is None or wait is None or wait.scope != scope_of(guild):
            return None
        return why_held(guild, mark)

    @staticmethod
    def _weight(id: str | None, guilds: dict[str | None, _Piles], running: Counter[str | None]) -> tuple[int, int, str]:
        piles = guilds.get(id)
        return (0 if piles is None else -piles.waiting, -running[id], id or "")

    def _guild(self, id: str | None, piles: _Piles, running: int) -> QueueGuild:
        return QueueGuild(
            guild_id=id, waiting=piles.waiting, running=running, scopes=self._scopes(piles.largest(SCOPES_OF_A_GUILD))
        )

    def _scopes(self, piles: Iterable[_Pile]) -> tuple[QueueScope, ...]:
        now, monotonic = self._desk.clock.now(), self._desk.clock.monotonic()
        found = []
        for pile in piles:
            reason = pile.reason
            if isinstance(reason, Wait):
                words = self._absent(pile) or sentence_of(reason, now=now, monotonic=monotonic)
                reason = msgspec.convert({**why_of(reason, now=now, monotonic=monotonic), "words": words}, Why)
            found.append(
                QueueScope(
                    scope=reason.scope, limit=reason.limit, runs=pile.runs, words=reason.words, until=reason.until
                )
            )
        return tuple(found)

    def _absent(self, pile: _Pile) -> str | None:
        """What is wrong with the handler that they wait for, if it is the same for all of them."""
        handler = pile.reason.scope.partition(":")[2]
        if pile.reason.limit != AVAILABLE or (len(pile.guilds) > 1 and self._engine.fleet.is_shared_out(handler)):
            return None
        found = absence(self._engine, handler, next(iter(pile.guilds)), everybodys=True)
        return None if found is None else found.words


def _spelled(micros: int) -> str:
    """A delay, to the millisecond."""
    return spell_duration(max(0, micros) // 1000 * (SECOND // 1000))
