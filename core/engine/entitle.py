"""Entitle: calendar quotas (runs per hour, day, month) charged in the transaction that creates the runs.

The governor says which periods apply and how much each allows; the ledger counts. A run that finds its period used
up waits for the next one that has room (and is charged to that), or is skipped, as its policy says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from core.engine.admit import Decision
from core.engine.plan import Plan
from core.governor.entitlement import Period, periods
from core.governor.settings import GovernorSettings, Quota
from core.ledger.port import Transaction, UsageReads
from core.ledger.rows import EventRow, RunRow, UsageKey
from schedule_zero.event import EventKind
from schedule_zero.run import RunState, SkipReason

FURTHEST_PERIOD: Final = 400
_UTC: Final = ZoneInfo("UTC")


class Charges(msgspec.Struct):
    """What charging led to, besides the changed run rows."""

    events: list[EventRow]


class Entitler:
    """Charges new runs to their guild's calendar quotas, and gives back what was not used."""

    def __init__(self, settings: GovernorSettings) -> None:
        self._settings = settings
        self._zones: dict[str, ZoneInfo] = {}

    def set_zone(self, guild_id: str, zone: ZoneInfo) -> None:
        """The zone in which a guild's days begin."""
        self._zones[guild_id] = zone

    async def standing(self, reads: UsageReads, guild: str, instant: int) -> list[tuple[Period, int]]:
        """The periods that count at an instant, and how much of each is used."""
        here = periods(self._settings.quota_of(guild), instant, self._zones.get(guild, _UTC))
        used = await reads.used([_key(guild, period) for period in here])
        return [(period, used.get(_key(guild, period), 0)) for period in here]

    async def charge(self, tx: Transaction, pairs: Sequence[tuple[Plan, Decision]], now: int) -> Charges:
        """Charge the new waiting runs of one tick, changing rows that must wait or are skipped."""
        charges = Charges([])
        books = await self._open_books(tx, {plan.row.guild_id for plan, _ in pairs}, now)
        for plan, decision in pairs:
            book = books.get(plan.row.guild_id)
            if book is None:
                continue
            for run in decision.runs:
                if run.state is RunState.WAITING:
                    await book.charge(tx, run, wait=plan.terms.policy.on_quota == "wait")
        amounts: dict[UsageKey, int] = {}
        for book in books.values():
            amounts |= book.amounts
            charges.events += book.events
        if amounts:
            await tx.usage.charge(amounts)
        return charges

    async def _open_books(self, tx: Transaction, guilds: set[str | None], now: int) -> dict[str | None, _Book]:
        """The counters of every guild that has quotas, read with one question."""
        books: dict[str | None, _Book] = {}
        for guild in guilds:
            if guild is not None and limited(quota := self._settings.quota_of(guild)):
                books[guild] = _Book(guild, quota, self._zones.get(guild, _UTC), now)
        keys = [key for book in books.values() for key in book.counters()]
        if keys:
            used = await tx.usage.used(keys)
            for book in books.values():
                book.note(used)
        return books

    async def charge_one(self, tx: Transaction, run: RunRow, now: int, *, wait: bool) -> Charges:
        """Charge one run made outside a tick (run now, retry)."""
        quota = self._settings.quota_of(run.guild_id)
        if run.guild_id is None or not limited(quota):
            return Charges([])
        book = _Book(run.guild_id, quota, self._zones.get(run.guild_id, _UTC), now)
        await book.charge(tx, run, wait=wait)
        if book.amounts:
            await tx.usage.charge(book.amounts)
        return Charges(book.events)

    async def give_back(self, tx: Transaction, charged: Iterable[tuple[str | None, int | None]]) -> None:
        """Runs ended without an attempt: (guild, the instant they were charged for)."""
        amounts: dict[UsageKey, int] = {}
        for guild, instant in charged:
            if guild is None or instant is None:
                continue
            for period in periods(self._settings.quota_of(guild), instant, self._zones.get(guild, _UTC)):
                key = _key(guild, period)
                amounts[key] = amounts.get(key, 0) - 1
        if amounts:
            await tx.usage.charge(amounts)


def limited(quota: Quota) -> bool:
    """Whether any calendar quota applies."""
    return not (quota.runs_per_hour is None and quota.runs_per_day is None and quota.runs_per_month is None)


def _key(guild: str, period: Period) -> UsageKey:
    return UsageKey(f"guild:{guild}", period.limit, period.key)


class _Book:
    """One guild's counters during one transaction."""

    def __init__(self, guild: str, quota: Quota, zone: ZoneInfo, now: int) -> None:
        self._guild = guild
        self._quota = quota
        self._zone = zone
        self._now = now
        self._used: dict[UsageKey, int] = {}
        self._current: list[Period] | None = None
        self.amounts: dict[UsageKey, int] = {}
        self.events: list[EventRow] = []

    def counters(self) -> list[UsageKey]:
        """The counters of the present periods."""
        return [_key(self._guild, period) for period in self._periods(self._now)]

    def note(self, used: Mapping[UsageKey, int]) -> None:
        """What was read of them."""
        for key in self.counters():
            self._used[key] = used.get(key, 0)

    async def charge(self, tx: Transaction, run: RunRow, *, wait: bool) -> None:
        """Find the first period with room, from now on."""
        instant = self._now
        for _ in range(FURTHEST_PERIOD):
            here = self._periods(instant)
            await self._read(tx, here)
            full = [period for period in here if self._count(period) >= period.allowed]
            if not full:
                self._take(run, here, instant)
                return
            if not wait or any(period.allowed == 0 for period in full):  # no later period has room either
                break
            instant = max(period.until for period in full)
        run.state, run.reason, run.ended = RunState.SKIPPED, SkipReason.QUOTA, self._now

    def _periods(self, instant: int) -> list[Period]:
        if instant != self._now:
            return periods(self._quota, instant, self._zone)
        if self._current is None:
            self._current = periods(self._quota, instant, self._zone)
        return self._current

    async def _read(self, tx: Transaction, here: list[Period]) -> None:
        unknown = [key for period in here if (key := _key(self._guild, period)) not in self._used]
        if unknown:
            found = await tx.usage.used(unknown)
            for key in unknown:
                self._used[key] = found.get(key, 0)

    def _count(self, period: Period) -> int:
        key = _key(self._guild, period)
        return self._used[key] + self.amounts.get(key, 0)

    def _take(self, run: RunRow, here: list[Period], instant: int) -> None:
        run.charged = instant
        if instant > self._now:
            run.not_before, run.reason = instant, SkipReason.QUOTA
        for period in here:
            key = _key(self._guild, period)
            self.amounts[key] = self.amounts.get(key, 0) + 1
            if self._count(period) == period.allowed:
                facts = {"scope": key.scope, "limit": period.limit, "allowed": period.allowed, "until": period.until}
                data = msgspec.json.encode(facts).decode()
                self.events.append(
                    EventRow(at=self._now, kind=EventKind.QUOTA_REACHED, guild_id=self._guild, data=data)
                )
