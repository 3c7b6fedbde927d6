"""The use cases that show what guilds use of what they may: each limit with its use, and when some of it frees."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from core.engine.entitle import Standing
from core.governor.limits import RateLimit
from core.governor.measures import NOTHING, Mark, Measures, Stored
from core.governor.sends import DMS, SENDS
from core.governor.settings import Quota
from core.governor.verdict import scope_of
from core.ledger.port import Reader, Transaction
from core.service import access
from core.service.desk import Desk
from core.service.facts import GUILD
from core.service.finding import page_length
from core.service.room import REMINDERS_EACH, REMINDERS_OF
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.each_schedule import EACH_SCHEDULE, say_limits
from schedule_zero.errors import NotFound
from schedule_zero.instant import spell
from schedule_zero.shown.quota import MOST_WAITING, USED_UP, is_shared, say_handlers
from schedule_zero.views import Gauge, GuildPage, GuildSummary, GuildView, Heavy, MarkView, QuotaView

LONGEST_PAGE: Final = 200
MOST_OWNERS: Final = 5
MOST_CHANNELS: Final = 5
PERIODS: Final = ("runs_per_hour", "runs_per_day", "runs_per_month")
TEXTS: Final = ("min_interval",)
_noted: Final = msgspec.json.Decoder(dict[str, Any]).decode


class Usage:
    """What guilds are, and what they use."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def page(self, actor: Actor, request: ask.ListGuilds) -> GuildPage:
        """Guilds that are known here: the bot told of them, or an operator set something. Raises Forbidden."""
        access.require_service(actor)
        noted = await self._desk.reader.notes.all(GUILD)
        known = sorted({*noted, *self._measures.guilds()}, key=lambda id: (len(id), id))
        limit, q = page_length(request.limit, LONGEST_PAGE), (request.q or "").casefold()
        found: list[GuildSummary] = []
        for id in known:
            if request.cursor is not None and (len(id), id) <= (len(request.cursor), request.cursor):
                continue
            summary = self._short(id, noted.get(id))
            if id.startswith(q) or (summary.name or "").casefold().startswith(q):
                found.append(summary)
            if len(found) > limit:
                return GuildPage(items=tuple(found[:limit]), next=found[limit - 1].guild_id)
        return GuildPage(items=tuple(found))

    async def get(self, actor: Actor, request: ask.GetGuild) -> GuildView:
        """A guild and what it uses; for who does not manage it, what concerns them. Raises NotFound."""
        access.require_guild(actor, request.guild_id, change=False)
        guild_id = request.guild_id
        noted = await self._desk.reader.notes.get(GUILD, guild_id)
        if noted is None and not await self._is_known(actor, guild_id):
            raise NotFound(f"There is no server {guild_id!r} here.")
        whole = access.manages(actor, guild_id)
        view = await self.summary(actor, self._desk.reader, guild_id, self._measures.stored_of(guild_id))
        own = [] if actor.kind != "member" else [await self._own(actor, guild_id)]
        if not whole:
            return msgspec.structs.replace(view, gauges=tuple(own), whole=False)
        most = [
            Heavy(owner_id=id, schedules=n) for id, n in await self._desk.reader.schedules.owners(guild_id, MOST_OWNERS)
        ]
        gauges = (*await self._gauges(actor, guild_id), *own)
        waiting = await self._desk.reader.runs.count_waiting(guild_id, MOST_WAITING)
        return msgspec.structs.replace(view, gauges=gauges, waiting=waiting, most=tuple(most))

    async def gauge(self, actor: Actor, guild_id: str, scope: str, limit: str) -> Gauge | None:
        """One limit of a guild, or of the person who asks, as it is now. Who met it was told as much then."""
        own = [await self._own(actor, guild_id)] if actor.kind == "member" else []
        gauges = [*own, *await self._gauges(actor, guild_id)]
        return next((each for each in gauges if (each.scope, each.limit) == (scope, limit)), None)

    async def summary(self, actor: Actor, source: Reader | Transaction, guild_id: str, stored: Stored) -> GuildView:
        """A guild without its gauges, as somebody sees it once this is stored."""
        noted = _noted(await source.notes.get(GUILD, guild_id) or "{}")
        plan = self._measures.with_one(guild_id, stored, self._desk.clock.now()).plan_of(guild_id)
        return GuildView(
            guild_id=guild_id, name=noted.get("name"), present=noted.get("present"), plan=plan,
            verified=_shown(actor, guild_id, stored.verified), suspended=_shown(actor, guild_id, stored.suspended),
            gauges=(),
        )  # fmt: skip

    # steps

    async def _is_known(self, actor: Actor, guild_id: str) -> bool:
        """Whether there is a guild that the bot never told of: somebody speaks there, or something stands of it."""
        if not access.runs_service(actor) or self._measures.stored_of(guild_id) != NOTHING:
            return True
        return await self._desk.reader.schedules.count(guild_id) > 0

    @property
    def _measures(self) -> Measures:
        return self._desk.engine.measures

    def _short(self, guild_id: str, text: str | None) -> GuildSummary:
        noted, stored = _noted(text or "{}"), self._measures.stored_of(guild_id)
        return GuildSummary(
            guild_id=guild_id, name=noted.get("name"), present=noted.get("present"),
            plan=self._measures.plan_of(guild_id), verified=stored.verified is not None,
            suspended=stored.suspended is not None,
        )  # fmt: skip

    async def _own(self, actor: Actor, guild_id: str) -> Gauge:
        """How many reminders the person has, of as many as they can have: others take from what is the guild's."""
        most, schedules = self._measures.quota_of(guild_id).schedules, self._desk.reader.schedules
        used = await schedules.count_owned_with(REMINDERS_OF, guild_id, actor.id)
        allowed = REMINDERS_EACH
        if most is not None:
            left = min(
                most // 2 - await schedules.count_with(REMINDERS_OF, guild_id), most - await schedules.count(guild_id)
            )
            allowed = min(allowed, used + max(0, left))
        return Gauge(scope=f"user:{actor.id}", limit="reminders", used=used, allowed=allowed)

    async def _gauges(self, actor: Actor, guild_id: str) -> list[Gauge]:
        quota, reader = self._measures.granted(guild_id), self._desk.reader
        scope = scope_of(guild_id)
        found = [
            Gauge(scope=scope, limit="schedules", used=await reader.schedules.count(guild_id), allowed=quota.schedules),
            Gauge(
                scope=scope, limit="reminders", used=await reader.schedules.count_with(REMINDERS_OF, guild_id),
                allowed=None if quota.schedules is None else quota.schedules // 2,
            ),
        ]  # fmt: skip
        found += self._capacity(guild_id, quota)
        standing = await self._desk.engine.entitler.standing(reader.usage, guild_id, self._desk.clock.now())
        # Where the zone was changed lately there may be two of a kind: the one that has less room is met first.
        mine = sorted((each for each in standing if each.scope == scope), key=lambda each: each.used)
        by_limit = {each.period.limit: each for each in mine}
        for limit in PERIODS:
            gauge = Gauge(scope=scope, limit=limit)
            if limit in by_limit:
                each = by_limit[limit]
                gauge = msgspec.structs.replace(
                    gauge, used=each.used, allowed=each.period.allowed, until=spell(each.period.until)
                )
            found.append(gauge)
        found += [
            Gauge(scope=scope, limit=EACH_SCHEDULE, words=_each_schedule(quota)),
            Gauge(scope=scope, limit="payload_bytes", allowed=quota.payload_bytes),
            Gauge(scope=scope, limit="min_interval", words=quota.min_interval or ""),
            Gauge(scope=scope, limit="handlers", words=say_handlers(quota.handlers)),
        ]
        return self._with_origins(guild_id, found) + self._shared(actor, guild_id, standing)

    def _shared(self, actor: Actor, guild_id: str, standing: Sequence[Standing]) -> list[Gauge]:
        """What the guild shares with others, where it is used up. How much that is, is for who runs the service."""
        found = [
            Gauge(
                scope=each.scope, limit=each.period.limit, used=each.used, allowed=each.period.allowed,
                until=spell(each.period.until),
            )
            for each in standing if each.full
        ]  # fmt: skip
        monotonic = self._desk.clock.monotonic()
        for scope in self._desk.engine.governor.around(guild_id):
            running, rate = scope.running, scope.rate
            if running.check(monotonic) is not None:
                found.append(Gauge(scope=scope.name, limit="running", used=running.used, allowed=running.allowed))
            if rate is not None and rate.check(monotonic) is not None:
                found.append(self._rate(Gauge(scope=scope.name, limit=rate.name), rate))
        shared = [each for each in found if is_shared(each)]
        if access.runs_service(actor):
            return shared
        return [
            Gauge(
                scope=each.scope, limit=each.limit, words=USED_UP, until=each.until if each.limit in PERIODS else None
            )
            for each in shared
        ]

    def _capacity(self, guild_id: str, quota: Quota) -> list[Gauge]:
        """What runs at once and how fast runs start; another core's guild is counted there alone."""
        engine, scope = self._desk.engine, scope_of(guild_id)
        here = engine.territory.owns(guild_id)
        use = engine.governor.use_of(guild_id) if here else None
        running = 0 if use is None else use.running.used
        found = [Gauge(scope=scope, limit="running", used=running if here else None, allowed=quota.running)]
        rate = Gauge(scope=scope, limit="rate", words=quota.rate or "")
        if use is not None and use.rate is not None:
            rate = self._rate(rate, use.rate)
        elif quota.rate is not None and here:
            rate = msgspec.structs.replace(rate, used=0)
        return [*found, rate, *self._sends(guild_id, quota, here=here)]

    def _sends(self, guild_id: str, quota: Quota, *, here: bool) -> list[Gauge]:
        """Messages: what one channel may get, the channels that had most lately, and direct messages."""
        monotonic, scope = self._desk.clock.monotonic(), scope_of(guild_id)
        direct, busiest = self._desk.engine.governor.own.sends_of(guild_id, monotonic, MOST_CHANNELS)
        dms = Gauge(scope=scope, limit=DMS, used=0 if here else None, allowed=quota.dms_per_hour)
        if here and direct is not None and direct.rate is not None:
            dms = self._rate(dms, direct.rate)
        elif quota.dms_per_hour is None:
            dms = msgspec.structs.replace(dms, used=None)
        words = quota.sends_per_channel or ""
        channels = [self._rate(Gauge(scope=each.scope, limit=SENDS, words=words), each) for each in busiest if here]
        return [Gauge(scope=scope, limit=SENDS, words=words), *channels, dms]

    def _rate(self, gauge: Gauge, limit: RateLimit) -> Gauge:
        monotonic, now = self._desk.clock.monotonic(), self._desk.clock.now()
        used = round(limit.taken(monotonic), 1)
        until = None if used == 0 else spell(now + round((limit.tat - monotonic) * 1e6))
        return msgspec.structs.replace(gauge, used=used, allowed=limit.burst, until=until)

    def _with_origins(self, guild_id: str, gauges: list[Gauge]) -> list[Gauge]:
        origins, stored = self._measures.origins(guild_id), self._measures.stored_of(guild_id)
        ends = {
            name: spell(each.until)
            for each in stored.for_a_time
            for name in origins
            if getattr(each.limits, name) is not msgspec.UNSET
        }
        return [
            msgspec.structs.replace(
                gauge, origin=origins.get(gauge.limit, "plan"),
                ends=ends.get(gauge.limit) if origins.get(gauge.limit) == "temporary" else None,
            )
            for gauge in gauges
        ]  # fmt: skip


def _each_schedule(quota: Quota) -> str:
    """What each schedule alone may use, as it is written."""
    return "" if quota.each_schedule is None else say_limits(msgspec.structs.asdict(quota.each_schedule))


def quota_for(actor: Actor, view: QuotaView) -> QuotaView:
    """What a guild may use as somebody sees it: who set something for a time, for who runs the service."""
    if access.runs_service(actor):
        return view
    return msgspec.structs.replace(
        view, temporary=tuple(msgspec.structs.replace(each, by="") for each in view.temporary)
    )


def mark_for(actor: Actor, guild_id: str, mark: Mark) -> Mark:
    """What was done to a guild as somebody sees it: the reason is for who manages it."""
    return mark if access.manages(actor, guild_id) else msgspec.structs.replace(mark, why="")


def _shown(actor: Actor, guild_id: str, mark: Mark | None) -> MarkView | None:
    """Which operator did it is for who runs the service; that a member did, for who manages the guild, too."""
    if mark is None:
        return None
    theirs = mark.by.startswith("member:") and access.manages(actor, guild_id)
    by = mark.by if theirs or access.runs_service(actor) else ""
    return MarkView(at=spell(mark.at), by=by, why=mark_for(actor, guild_id, mark).why)
