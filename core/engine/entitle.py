"""Entitle: calendar quotas (runs per hour, day, month) charged in the transaction that creates the runs.

The governor says which calendars count a run and how much each period allows; the ledger counts. A run that finds a period
used up waits for the next one that has room (and is charged to that), or is skipped, as its policy says.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from zoneinfo import ZoneInfo

import msgspec

from core.engine.admit import Decision
from core.engine.books import Books, Charge, NoRoom, Way
from core.engine.plan import Plan
from core.governor.entitlement import (
    BY_UTC,
    Alike,
    Calendar,
    Clocks,
    Period,
    calendars_of,
    periods,
    periods_of,
)
from core.governor.measures import Measured
from core.governor.verdict import scope_of
from core.ledger.port import Transaction, UsageReads
from core.ledger.rows import EventRow, RunRow, ScheduleRow, UsageKey
from schedule_zero.run import RunState


class Standing(msgspec.Struct, frozen=True):
    """A period that counts, whose it is, and how much of it is used."""

    scope: str
    period: Period
    used: int

    @property
    def full(self) -> bool:
        """Whether it has no room."""
        return self.used >= self.period.allowed


class Opened(msgspec.Struct):
    """The books of one tick, and the way of each of its schedules; None: nothing counts its runs."""

    books: Books
    ways: list[Way | None]

    async def read(self) -> None:
        """Note what was counted so far."""
        await self.books.read()


class Entitler:
    """Charges new runs to the calendar quotas of their scopes, and gives back what was not used."""

    def __init__(self, measures: Measured) -> None:
        self._measures = measures
        self._clocks: dict[str, Clocks] = {}

    def set_clocks(self, guild_id: str, clocks: Clocks) -> None:
        """By which clocks a guild's days begin."""
        self._clocks[guild_id] = clocks

    def clocks_of(self, guild_id: str | None) -> Clocks:
        """By which clocks a guild's days begin; the operator's own work goes by UTC."""
        return BY_UTC if guild_id is None else self._clocks.get(guild_id, BY_UTC)

    async def anything_used(self, tx: Transaction, guild_id: str, zone: ZoneInfo, now: int) -> bool:
        """Whether a guild has used any of its quotas in the periods that the clocks of a zone show."""
        keys = [_key(scope_of(guild_id), period) for period in periods(self._measures.quota_of(guild_id), now, zone)]
        return any((await tx.usage.used(keys)).values())

    def calendars(self, guild: str | None, method: str = "", schedule_id: str = "") -> list[Calendar]:
        """What counts the runs of a schedule, from the outside in. ``method``: ``handler.method``; without it, or the
        schedule, what its guild has."""
        return calendars_of(self._measures, guild, method, schedule_id, self.clocks_of(guild))

    async def standing(
        self, reads: UsageReads, guild: str | None, instant: int, *, method: str = "", schedule_id: str = ""
    ) -> list[Standing]:
        """The periods of ``calendars`` that count a run created at an instant, and how much of each is used."""
        counted = [
            (calendar.scope, period)
            for calendar in self.calendars(guild, method, schedule_id)
            for period in periods_of(calendar, instant)
        ]
        used = await reads.used([_key(scope, period) for scope, period in counted])
        return [Standing(scope, period, used.get(_key(scope, period), 0)) for scope, period in counted]

    def open_books(self, tx: Transaction, rows: Sequence[ScheduleRow], now: int) -> Opened:
        """Open the counters of everything that counts runs of these; the question for them travels with the next one."""
        books = Books(now)
        ways = self._ways(rows)
        books.ask(tx, dict.fromkeys(way for way in ways if way is not None))
        return Opened(books, ways)

    async def charge(self, tx: Transaction, opened: Opened, pairs: Sequence[tuple[Plan, Decision]]) -> list[EventRow]:
        """Charge the new waiting runs of one tick, changing rows that must wait or are skipped.

        Returns:
            What is to be told.
        """
        ways: dict[Way, None] = {}
        for way, (plan, decision) in zip(opened.ways, pairs, strict=True):
            if way is not None and decision.runs:
                wait = plan.terms.policy.on_quota == "wait"
                way.fresh += [(run, wait) for run in decision.runs if run.state is RunState.WAITING]
                ways[way] = None
        for way in ways:
            await opened.books.charge_all(tx, way)
        await opened.books.write(tx)
        return opened.books.events

    async def charge_one(
        self, tx: Transaction, run: RunRow, now: int, *, wait: bool
    ) -> tuple[list[EventRow], NoRoom | None]:
        """Charge one run made outside a tick (run now, retry, a chain).

        Returns:
            What is to be told, and what it was skipped for.
        """
        way = self._way_of(run)
        if way is None:
            return [], None
        books = Books(now)
        full = await books.charge(tx, way, run, wait=wait)
        await books.write(tx)
        return books.events, full

    async def bring_forward(self, tx: Transaction, runs: Sequence[RunRow], now: int) -> list[RunRow]:
        """Charge runs anew that were put off to a later period (``put_off``), first come first; there may be room sooner now.

        Returns:
            Those that may begin sooner; their rows are written.
        """
        books = Books(now)
        moved: list[RunRow] = []
        for run in runs:
            way = self._way_of(run)
            own_time = run.due if run.due > now else None  # it follows another run after a while, or has its jitter
            fresh = msgspec.structs.replace(run, not_before=own_time, reason=None, charged=None)
            books.give_back([run.charged])
            if way is not None:
                found = await books.find(tx, way, wait=True)
                if not isinstance(found, Charge) or max(found.instant, run.due) >= (run.not_before or now):
                    books.keep(run.charged)  # it keeps the place it was promised
                    continue
                books.take(fresh, found)
            moved.append(fresh)
        if moved:
            await tx.runs.charge_again(moved)
            await books.write(tx)
            await tx.journal.append(books.events)
        return moved

    async def give_back(self, tx: Transaction, charged: Iterable[str | None], opened: Opened | None = None) -> None:
        """Runs ended without an attempt that were charged so. ``opened``: books that are written later, and count it in."""
        if opened is not None:
            opened.books.give_back(charged)
            return
        books = Books(0)
        books.give_back(charged)
        await books.write(tx)

    # which calendars count

    def _way_of(self, run: RunRow) -> Way | None:
        calendars = self.calendars(run.guild_id, f"{run.handler}.{run.method}", run.schedule_id)
        return Way(calendars) if calendars else None

    def _ways(self, rows: Sequence[ScheduleRow]) -> list[Way | None]:
        """The way of each; those that are alike share theirs."""
        alike = Alike(self._measures)
        ways: dict[tuple[str | None, str, str], Way | None] = {}
        found: list[Way | None] = []
        for row in rows:
            key = alike.of(row.guild_id, row.handler, row.method, row.id)
            if key not in ways:
                calendars = self.calendars(*key)
                ways[key] = Way(calendars) if calendars else None
            found.append(ways[key])
        return found


def _key(scope: str, period: Period) -> UsageKey:
    return UsageKey(scope, period.limit, period.key)
