"""Entitle: calendar quotas (runs per hour, day, month) charged in the transaction that creates the runs.

The governor says which periods apply and how much each allows; the ledger counts. A run that finds its period used
up waits for the next one that has room (and is charged to that), or is skipped, as its policy says.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from core.engine.admit import Decision
from core.engine.plan import Plan
from core.governor.entitlement import Period, periods
from core.governor.measures import Measured
from core.governor.settings import Quota
from core.ledger.port import Transaction, UsageReads
from core.ledger.rows import EventRow, RunRow, UsageKey
from schedule_zero.event import EventKind
from schedule_zero.run import RunState, SkipReason

FURTHEST_PERIOD: Final = 400
MOST_PUT_OFF: Final = 10_000
_UTC: Final = ZoneInfo("UTC")


class Charges(msgspec.Struct):
    """What charging led to, besides the changed run rows."""

    events: list[EventRow]


class Entitler:
    """Charges new runs to their guild's calendar quotas, and gives back what was not used."""

    def __init__(self, measures: Measured) -> None:
        self._measures = measures
        self._zones: dict[str, ZoneInfo] = {}

    def set_zone(self, guild_id: str, zone: ZoneInfo) -> None:
        """The zone in which a guild's days begin."""
        self._zones[guild_id] = zone

    async def change_zone(self, tx: Transaction, guild: str, zone: ZoneInfo, now: int) -> None:
        """A guild's days begin elsewhere from now on (``set_zone`` once this is committed).

        What the periods of now have counted goes on counting in those that take their places, and what was put off to a
        later one is charged there: else to set another zone would be to begin anew.
        """
        old, quota = self._zones.get(guild, _UTC), self._measures.quota_of(guild)
        if old == zone or not limited(quota):
            return
        pairs = [*zip(periods(quota, now, old), periods(quota, now, zone), strict=True)]
        keys = [(_key(guild, before), _key(guild, after)) for before, after in pairs]
        used = await tx.usage.used({key for pair in keys for key in pair})
        amounts = {after: used.get(before, 0) - used.get(after, 0) for before, after in keys}
        for run in await tx.runs.put_off(guild, now, MOST_PUT_OFF):
            for place, change in ((old, -1), (zone, 1)) if run.charged is not None else ():
                for period in periods(quota, run.charged or 0, place):
                    key = _key(guild, period)
                    amounts[key] = amounts.get(key, 0) + change
        await tx.usage.charge({key: amount for key, amount in amounts.items() if amount})

    async def standing(self, reads: UsageReads, guild: str, instant: int) -> list[tuple[Period, int]]:
        """The periods that count at an instant, and how much of each is used."""
        here = periods(self._measures.quota_of(guild), instant, self._zones.get(guild, _UTC))
        used = await reads.used([_key(guild, period) for period in here])
        return [(period, used.get(_key(guild, period), 0)) for period in here]

    def open_books(self, tx: Transaction, guilds: set[str | None], now: int) -> Books:
        """Open the counters of every guild that has quotas; the question for them travels with the next one."""
        books: dict[str | None, _Book] = {}
        calendars: dict[tuple[int, ZoneInfo], list[Period]] = {}  # guilds of one plan and zone share their periods
        for guild in guilds:
            if guild is None or not limited(quota := self._measures.quota_of(guild)):
                continue
            zone = self._zones.get(guild, _UTC)
            here = calendars.get((id(quota), zone))
            if here is None:
                here = calendars[id(quota), zone] = periods(quota, now, zone)
            books[guild] = _Book(guild, quota, zone, now, here)
        keys = [key for book in books.values() for key in book.counters]
        return Books(books, tx.usage.ask(keys) if keys else None)

    async def charge(self, tx: Transaction, books: Books, pairs: Sequence[tuple[Plan, Decision]]) -> Charges:
        """Charge the new waiting runs of one tick, changing rows that must wait or are skipped."""
        charges = Charges([])
        fresh: dict[str | None, list[tuple[RunRow, bool]]] = {guild: [] for guild in books.by_guild}
        for plan, decision in pairs:
            runs = fresh.get(plan.row.guild_id)
            if runs is not None:
                wait = plan.terms.policy.on_quota == "wait"
                runs += [(run, wait) for run in decision.runs if run.state is RunState.WAITING]
        amounts: dict[UsageKey, int] = {}
        for guild, book in books.by_guild.items():
            await book.charge_all(tx, fresh[guild])
            amounts |= book.amounts
            charges.events += book.events
        if amounts:
            await tx.usage.charge(amounts)
        return charges

    async def charge_one(self, tx: Transaction, run: RunRow, now: int, *, wait: bool) -> Charges:
        """Charge one run made outside a tick (run now, retry)."""
        quota = self._measures.quota_of(run.guild_id)
        if run.guild_id is None or not limited(quota):
            return Charges([])
        zone = self._zones.get(run.guild_id, _UTC)
        book = _Book(run.guild_id, quota, zone, now, periods(quota, now, zone))
        await book.charge(tx, run, wait=wait)
        if book.amounts:
            await tx.usage.charge(book.amounts)
        return Charges(book.events)

    async def bring_forward(self, tx: Transaction, guild: str, runs: Sequence[RunRow], now: int) -> list[RunRow]:
        """Charge runs anew that were put off to a later period (``put_off``), first come first; there may be room sooner now.

        Returns:
            Those that may begin sooner; their rows are written.
        """
        quota, zone = self._measures.quota_of(guild), self._zones.get(guild, _UTC)
        book = _Book(guild, quota, zone, now, periods(quota, now, zone))
        moved: list[RunRow] = []
        for run in runs:
            before = book.standing()
            book.count(run.charged, -1)
            fresh = msgspec.structs.replace(run, not_before=None, reason=None)
            await book.charge(tx, fresh, wait=True)
            if fresh.state is RunState.WAITING and (fresh.not_before or now) < (run.not_before or now):
                moved.append(fresh)
            else:
                book.go_back(before)  # it keeps the place it was promised
        if moved:
            await tx.runs.charge_again(moved)
            await tx.usage.charge(book.amounts)
            await tx.journal.append(book.events)
        return moved

    async def give_back(
        self, tx: Transaction, charged: Iterable[tuple[str | None, int | None]], books: Books | None = None
    ) -> None:
        """Runs ended without an attempt: (guild, the instant they were charged for). ``books``: open ones to correct."""
        amounts: dict[UsageKey, int] = {}
        for guild, instant in charged:
            if guild is None or instant is None:
                continue
            for period in periods(self._measures.quota_of(guild), instant, self._zones.get(guild, _UTC)):
                key = _key(guild, period)
                amounts[key] = amounts.get(key, 0) - 1
        if amounts:
            await tx.usage.charge(amounts)
            if books is not None:
                books.correct(amounts)


def limited(quota: Quota) -> bool:
    """Whether any calendar quota applies."""
    return not (quota.runs_per_hour is None and quota.runs_per_day is None and quota.runs_per_month is None)


def _key(guild: str, period: Period) -> UsageKey:
    return UsageKey(f"guild:{guild}", period.limit, period.key)


class Books:
    """The counters of the guilds of one tick."""

    def __init__(self, by_guild: dict[str | None, _Book], used: Awaitable[dict[UsageKey, int]] | None) -> None:
        self.by_guild = by_guild
        self._used = used

    async def read(self) -> None:
        """Note what was counted so far."""
        if self._used is not None:
            used = await self._used
            for book in self.by_guild.values():
                book.note(used)

    def correct(self, amounts: Mapping[UsageKey, int]) -> None:
        """Something was given back after the counters were read."""
        for book in self.by_guild.values():
            book.correct(amounts)


class _Book:
    """One guild's counters during one transaction."""

    def __init__(self, guild: str, quota: Quota, zone: ZoneInfo, now: int, here: list[Period]) -> None:
        """``here``: the periods ``now`` lies in; their ``counters`` are what ``note`` wants to be told."""
        self._guild = guild
        self._quota = quota
        self._zone = zone
        self._now = now
        self._here = here
        self._used: dict[UsageKey, int] = {}
        self.counters = [_key(guild, period) for period in here]
        self.amounts: dict[UsageKey, int] = {}
        self.events: list[EventRow] = []

    def note(self, used: Mapping[UsageKey, int]) -> None:
        """What was read of the counters."""
        for key in self.counters:
            self._used[key] = used.get(key, 0)

    def correct(self, amounts: Mapping[UsageKey, int]) -> None:
        """What was given back of those that were read."""
        for key in self._used.keys() & amounts.keys():
            self._used[key] = max(0, self._used[key] + amounts[key])

    async def charge_all(self, tx: Transaction, runs: Sequence[tuple[RunRow, bool]]) -> None:
        """Charge runs, each with whether it waits where there is no room. Nearly always there is room for all."""
        room = min(period.allowed - self._used[key] for period, key in zip(self._here, self.counters, strict=True))
        if len(runs) >= room:  # the last place is told of, and behind it runs wait or are skipped
            for run, wait in runs:
                await self.charge(tx, run, wait=wait)
        elif runs:
            for run, _ in runs:
                run.charged = self._now
            self.amounts = dict.fromkeys(self.counters, len(runs))

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

    def standing(self) -> tuple[dict[UsageKey, int], int]:
        """What ``go_back`` goes back to."""
        return dict(self.amounts), len(self.events)

    def go_back(self, standing: tuple[dict[UsageKey, int], int]) -> None:
        """What was charged since then was not."""
        self.amounts, events = standing
        del self.events[events:]

    def count(self, charged: int | None, change: int) -> None:
        """So many runs more, or fewer, are charged to the periods of an instant."""
        for period in () if charged is None else self._periods(charged):
            key = _key(self._guild, period)
            self.amounts[key] = self.amounts.get(key, 0) + change

    def _periods(self, instant: int) -> list[Period]:
        return self._here if instant == self._now else periods(self._quota, instant, self._zone)

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
