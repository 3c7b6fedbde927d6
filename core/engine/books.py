"""Books: the counters of calendar quotas during one transaction.

What was counted when it began is read once, what it charges is added up here and written once at its end. A run carries
the names of the counters that it was charged to, so that exactly those are lowered if it ends without an attempt, however
plans and zones change meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Iterable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from core.governor.entitlement import Calendar, Clocks, Period, periods_of
from core.governor.explain import said
from core.governor.verdict import Wait
from core.ledger.port import Transaction
from core.ledger.rows import EventRow, RunRow, UsageKey
from core.timing.rule import LATEST
from schedule_zero.event import EventKind
from schedule_zero.instant import spell
from schedule_zero.run import RunState, SkipReason

FURTHEST_PERIOD: Final = 400
_GUILDS: Final = ("guild:", "schedule:")


class Charge(msgspec.Struct, gc=False):
    """What one run created at an instant is charged to; ``names`` says it in the run's row."""

    instant: int
    counted: list[tuple[UsageKey, Period]]
    names: str


class NoRoom(msgspec.Struct, frozen=True, gc=False):
    """The quota that leaves no room for a run, and how much of it is used."""

    scope: str
    period: Period
    used: int

    @property
    def words(self) -> str:
        """One sentence with its scope, its use, its limit and when there is room again."""
        period = self.period
        return said(Wait(self.scope, period.limit, self.used, period.allowed), spell(period.until))


class Way:
    """Runs that the same calendars count. ``fresh``: those to be charged, each with whether it waits where there is no room."""

    __slots__ = ("calendars", "charges", "fresh")

    def __init__(self, calendars: Sequence[Calendar]) -> None:
        self.calendars = calendars
        self.charges: dict[int, Charge] = {}
        self.fresh: list[tuple[RunRow, bool]] = []


class Books:
    """What is charged in one transaction; ``amounts`` and ``events`` are to be written."""

    def __init__(self, now: int) -> None:
        self.amounts: dict[UsageKey, int] = {}
        self.events: list[EventRow] = []
        self._now = now
        self._used: dict[UsageKey, int] = {}
        self._periods: dict[tuple[int, Clocks, int], list[Period]] = {}  # guilds of one plan and zone share theirs
        self._asked: Awaitable[dict[UsageKey, int]] | None = None

    def ask(self, tx: Transaction, ways: Iterable[Way]) -> None:
        """Let the question for what counts now travel with the transaction's next one; ``read`` has the answer."""
        keys = {key: None for way in ways for key, _ in self._charge(way, self._now).counted}
        self._asked = tx.usage.ask(keys) if keys else None

    async def read(self) -> None:
        """Note what was counted so far."""
        if self._asked is not None:
            self._used |= await self._asked
            self._asked = None

    async def charge_all(self, tx: Transaction, way: Way) -> None:
        """Charge the fresh runs of a way. Nearly always there is room for all."""
        charge, runs = self._charge(way, self._now), way.fresh
        await self._look_up(tx, charge)
        room = min(period.allowed - self._count(key) for key, period in charge.counted)
        if len(runs) >= room:  # the last place is told of, and behind it runs wait or are skipped
            for run, wait in runs:
                await self.charge(tx, way, run, wait=wait)
        elif runs:
            for run, _ in runs:
                run.charged = charge.names
            for key, _ in charge.counted:
                self.add(key, len(runs))

    async def charge(self, tx: Transaction, way: Way, run: RunRow, *, wait: bool) -> NoRoom | None:
        """Charge one run to the first periods with room, or skip it. Where nothing is allowed at all it waits uncharged until
        more is.

        Returns:
            What it was skipped for.
        """
        found = await self.find(tx, way, wait=wait)
        if isinstance(found, Charge):
            self.take(run, found)
            return None
        if wait and found.period.allowed == 0:
            run.not_before, run.reason = LATEST, SkipReason.QUOTA
            return None
        run.state, run.reason, run.ended, run.error = RunState.SKIPPED, SkipReason.QUOTA, self._now, found.words
        return found

    async def find(self, tx: Transaction, way: Way, *, wait: bool) -> Charge | NoRoom:
        """The first periods with room for one more, from now on; else, or where those are later ones and it does not wait,
        what leaves no room."""
        charge, looked = self._charge(way, self._now), 0
        while True:
            await self._look_up(tx, charge)
            full = self._without_room(charge)
            if not full:
                return charge
            none = next((each for each in full if each.period.allowed == 0), None)
            last = none or max(full, key=lambda each: each.period.until)
            looked += 1
            if (
                not wait or none is not None or looked == FURTHEST_PERIOD
            ):  # where nothing is allowed, no later one has room
                return last
            charge = self._charge(way, last.period.until)

    def take(self, run: RunRow, charge: Charge) -> None:
        """Charge a run to periods that have room."""
        run.charged = charge.names
        if charge.instant > max(self._now, run.not_before or 0):  # else it waits for its own time, if for any
            run.not_before, run.reason = charge.instant, SkipReason.QUOTA
        for key, period in charge.counted:
            self.add(key, 1)
            if self._count(key) == period.allowed:
                self.events.append(self._reached(run, key, period))

    def give_back(self, charged: Iterable[str | None]) -> None:
        """Runs that were charged so will have had no attempt."""
        for names in charged:
            for key in () if names is None else keys_in(names):
                self.add(key, -1)

    def keep(self, names: str | None) -> None:
        """What was given back so is not."""
        for key in () if names is None else keys_in(names):
            self.add(key, 1)

    def add(self, key: UsageKey, amount: int) -> None:
        """Charge a counter, or (negative) give back to it."""
        self.amounts[key] = self.amounts.get(key, 0) + amount

    async def write(self, tx: Transaction) -> None:
        """Write what was charged and given back. The events are for the caller."""
        changed = {key: amount for key, amount in self.amounts.items() if amount}
        if changed:
            await tx.usage.charge(changed)

    def _without_room(self, charge: Charge) -> list[NoRoom]:
        counted = ((key, period, self._count(key)) for key, period in charge.counted)
        return [NoRoom(key.scope, period, used) for key, period, used in counted if used >= period.allowed]

    def _count(self, key: UsageKey) -> int:
        """A counter as it will be written; none goes below zero."""
        return max(0, self._used[key] + self.amounts.get(key, 0))

    def _charge(self, way: Way, instant: int) -> Charge:
        charge = way.charges.get(instant)
        if charge is None:
            counted = [
                (UsageKey(calendar.scope, period.limit, period.key), period)
                for calendar in way.calendars
                for period in self._periods_at(calendar, instant)
            ]
            charge = way.charges[instant] = Charge(instant, counted, names_of(key for key, _ in counted))
        return charge

    def _periods_at(self, calendar: Calendar, instant: int) -> list[Period]:
        alike = (id(calendar.limits), calendar.clocks, instant)
        known = self._periods.get(alike)
        if known is None:
            known = self._periods[alike] = periods_of(calendar, instant)
        return known

    async def _look_up(self, tx: Transaction, charge: Charge) -> None:
        unknown = [key for key, _ in charge.counted if key not in self._used]
        if unknown:
            self._used |= await tx.usage.used(unknown)

    def _reached(self, run: RunRow, key: UsageKey, period: Period) -> EventRow:
        """The last place of a period is taken. What others share with a guild is no news of that guild."""
        facts = {"scope": key.scope, "limit": period.limit, "allowed": period.allowed, "until": period.until}
        data = msgspec.json.encode(facts).decode()
        guild = run.guild_id if key.scope.startswith(_GUILDS) else None
        return EventRow(at=self._now, kind=EventKind.QUOTA_REACHED, guild_id=guild, data=data)


def names_of(keys: Iterable[UsageKey]) -> str:
    """Counters as a run's row names them."""
    return "\n".join(f"{key.scope} {key.limit} {key.period}" for key in keys)


@lru_cache(maxsize=4096)
def keys_in(names: str) -> tuple[UsageKey, ...]:
    """The counters that a run's row names."""
    return tuple(UsageKey(*line.rsplit(" ", 2)) for line in names.split("\n"))
