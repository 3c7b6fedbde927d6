"""The logbook: what attempts tell of their progress, and the lines they log, on their way into the ledger.

Many runs' lines are one commit, at most one a second for each run, and never while an outcome waits: what an attempt told
last goes with its outcome. What is held here is bounded, and what a full disk or a flood keeps out is counted in the
numbers of the lines that follow.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from core.engine.events import about_attempt, facts
from core.engine.flights import Flight, Flights
from core.engine.ports import Answer, Clock
from core.engine.run_log import MILLION, appended, shares
from core.ledger.port import Ledger, StoreClosed, StoreError, Transaction
from core.ledger.rows import Cut, EventRow, LineRow, ToldRow
from schedule_zero.event import EventKind
from schedule_zero.process.lines import Allowance, Excerpt, Taken, Told, shortened
from schedule_zero.run import RunState
from schedule_zero.transport.wire import Line

log = structlog.get_logger("schedule_zero.logbook")

EVERY_S: Final = 1.0
TURN_S: Final = 0.1
PATIENCE_TURNS: Final = 10
"""So often outcomes go first, one turn after another; where they never end, lines are written all the same."""
MOST_RUNS: Final = 500
MOST_TOGETHER: Final = 1000
"""Lines in one commit of their own; what does not fit waits for the next."""
MOST_WITH_OUTCOMES: Final = 5000
"""Lines that outcomes are written with: some tens of milliseconds for those that end beside a flood."""
SAID_EVERY_S: Final = 60.0
HELD_BYTES: Final = 16 * 1024 * 1024
HELD_OF_ONE_BYTES: Final = 4 * 1024 * 1024


class Telling(msgspec.Struct, gc=False):
    """What one attempt told, on its way into the ledger."""

    flight: Flight
    told: Told


class _Page:
    """What one attempt told and is not written yet.

    Attributes:
        fraction, note: of the newest progress; None where there was none since the last writing.
        writable_at: when it may be written again, in monotonic seconds.
    """

    __slots__ = ("allowance", "excerpt", "flight", "fraction", "note", "writable_at")

    def __init__(self, flight: Flight, now: float) -> None:
        self.flight = flight
        self.excerpt = Excerpt()
        self.allowance = Allowance(now)
        self.fraction: float | None = None
        self.note = ""
        self.writable_at = now

    def __bool__(self) -> bool:
        return bool(self.excerpt) or self.fraction is not None

    def take(self, most: int) -> Telling:
        taken = self.excerpt.take(most)
        self.allowance.use(len(taken.lines))
        telling = Telling(self.flight, Told(self.fraction, self.note, taken))
        self.fraction = None
        return telling


class Logbook:
    """Holds what attempts tell until it is written."""

    def __init__(self, *, clock: Clock, ledger: Ledger, flights: Flights, busy: Callable[[], bool]) -> None:
        """``busy``: whether outcomes wait to be written."""
        self._clock = clock
        self._ledger = ledger
        self._flights = flights
        self._busy = busy
        self._pages: dict[tuple[str, int], _Page] = {}
        self._held: Counter[str] = Counter()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._turns_waited = 0
        self._said_at = float("-inf")
        self._unsaid = 0
        self.dropped = 0

    def note(self, flight: Flight, answer: Answer) -> None:
        """An attempt under way told something."""
        order = flight.order
        key = (order.run_id, order.attempt)
        page = self._pages.get(key)
        if page is None or page.flight is not flight:
            if page is not None:  # another core worked for it in between
                self._let_go(page)
            page = self._pages[key] = _Page(flight, self._clock.monotonic())
        if answer.fraction is not None:
            page.fraction, page.note = answer.fraction, answer.note
        self._keep(page, answer)
        self._wake.set()

    def refuse(self, answer: Answer) -> None:
        """Lines of an attempt that is not under way any more, or not here: its outcome is what is known of it."""
        self._drop(len(answer.lines), "the attempt is not under way", run_id=answer.run_id, attempt=answer.attempt)

    def close(self, flight: Flight) -> Told | None:
        """An attempt ended: what it told and is not written goes with its outcome."""
        page = self._pages.pop((flight.order.run_id, flight.order.attempt), None)
        if page is None:
            return None
        self._let_go(page)
        return page.take(page.allowance.at(self._clock.monotonic(), last=True)).told if page else None

    async def run(self) -> None:
        """Write what is told, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            await asyncio.sleep(TURN_S)
            if await self.turn():
                self._wake.set()

    async def turn(self) -> bool:
        """Write what may be written now; whether anything is left."""
        self._turns_waited = self._turns_waited + 1 if self._busy() else 0
        if not 0 < self._turns_waited <= PATIENCE_TURNS:
            self._turns_waited = 0
            tellings = self._due(self._clock.monotonic())
            if tellings:
                await self._write(tellings)
        return any(self._pages.values())

    async def write_all(self) -> None:
        """Write what is held, whenever its run was written last: this process is about to end."""
        for page in self._pages.values():
            page.writable_at = float("-inf")
        while (tellings := self._due(self._clock.monotonic())) and await self._write(tellings):
            pass

    async def room_for(self, tellings: Sequence[Told | None]) -> list[Told | None]:
        """What of these, told at the ends of attempts, may go into one transaction with their outcomes."""
        if not any(told is not None for told in tellings):
            return list(tellings)
        if not await self._ledger.has_room():
            self._drop(sum(len(told.taken.lines) for told in tellings if told is not None), "the disk is nearly full")
            return [None] * len(tellings)
        most = shares([0 if told is None else len(told.taken.lines) for told in tellings], MOST_WITH_OUTCOMES)
        return [
            told if told is None else Told(told.fraction, told.note, shortened(told.taken, room))
            for told, room in zip(tellings, most, strict=True)
        ]

    def _keep(self, page: _Page, answer: Answer) -> None:
        """Lines at instants that can be: between the sending of the attempt and now."""
        sent, now = page.flight.sent, self._clock.now()
        before = page.excerpt.size
        instance = page.flight.instance
        for line in answer.lines:
            if self._bytes >= HELD_BYTES or self._held[instance] >= HELD_OF_ONE_BYTES:
                page.excerpt.skip(1 + line.left_out)
                self.dropped += 1
                continue
            page.excerpt.add(Line(max(sent, min(line.at, now)), line.text, line.left_out))
            self._count(instance, page.excerpt.size - before)
            before = page.excerpt.size
        page.excerpt.skip(answer.left_out)

    def _count(self, instance: str, size: int) -> None:
        self._bytes += size
        self._held[instance] += size
        if not self._held[instance]:
            del self._held[instance]

    def _let_go(self, page: _Page) -> None:
        self._count(page.flight.instance, -page.excerpt.size)

    def _due(self, now: float) -> list[Telling]:
        """What is to be written now: of runs whose start is in the ledger, each at most once a second, and of all together
        no more than one commit holds."""
        pages = []
        for key, page in list(self._pages.items()):
            if self._flights.get(*key) is not page.flight:  # another core works for it now
                self._let_go(self._pages.pop(key))
            elif page and now >= page.writable_at and page.flight.running:
                pages.append(page)
        pages = sorted(pages, key=lambda page: page.writable_at)[:MOST_RUNS]
        tellings: list[Telling] = []
        left = MOST_TOGETHER
        for page in pages:
            most = min(len(page.excerpt), page.allowance.at(now))
            if most > left:
                break
            left -= most
            self._let_go(page)
            page.writable_at = now + EVERY_S
            tellings.append(page.take(most))
        return tellings

    async def _write(self, tellings: list[Telling]) -> bool:
        """Write them; whether the store took them."""
        now = self._clock.now()

        async def unit(tx: Transaction) -> None:
            standing = await tx.runs.standing([each.flight.order.run_id for each in tellings])
            valid = [each for each in tellings if _stands(each.flight, standing)]
            rows = await write_told(tx, [(each.flight, each.told) for each in valid])
            await tx.journal.append([_event(each.flight, row, now) for each, row in zip(valid, rows, strict=True)])

        try:
            await self._ledger.write_new(unit)
        except StoreClosed:
            raise
        except StoreError as error:
            self._count_as_left_out(tellings, str(error))
            return False
        return True

    def _count_as_left_out(self, tellings: Sequence[Telling], reason: str) -> None:
        """Of what could not be written only the numbers stay."""
        self._drop(sum(len(each.told.taken.lines) for each in tellings), reason)
        for each in tellings:
            page = self._pages.get((each.flight.order.run_id, each.flight.order.attempt))
            if page is not None:
                page.excerpt.put_before(_number(each.told.taken))
                if page.fraction is None and each.told.fraction is not None:
                    page.fraction, page.note = each.told.fraction, each.told.note

    def _drop(self, count: int, reason: str, **about: object) -> None:
        if not count:
            return
        self.dropped += count
        self._unsaid += count
        now = self._clock.monotonic()
        if now - self._said_at >= SAID_EVERY_S:  # nobody fills the log of the core by filling that of a run
            log.warning("lines of logs are dropped", count=self._unsaid, reason=reason, **about)
            self._said_at, self._unsaid = now, 0


async def write_told(tx: Transaction, tellings: Sequence[tuple[Flight, Told]]) -> list[ToldRow]:
    """Write what attempts told, in a unit; what their runs have told then."""
    if not tellings:
        return []
    known = await tx.logs.told([flight.order.run_id for flight, _ in tellings])
    rows: list[ToldRow] = []
    lines: list[LineRow] = []
    cuts: list[Cut] = []
    for flight, told in tellings:
        run_id, attempt = flight.order.run_id, flight.order.attempt
        before = known.get(run_id) or ToldRow(run_id=run_id, attempt=attempt)
        row, fresh, cut = appended(before, attempt, told)
        rows.append(row)
        lines += fresh
        cuts += [] if cut is None else [cut]
    await tx.logs.append(rows, lines, cuts)
    return rows


def _stands(flight: Flight, standing: dict[str, tuple[RunState, int]]) -> bool:
    return standing.get(flight.order.run_id) == (RunState.RUNNING, flight.order.attempt)


def _number(taken: Taken) -> int:
    return taken.left_out + sum(1 + line.left_out for line in taken.lines)


def _event(flight: Flight, row: ToldRow, now: int) -> EventRow:
    told = {
        "attempt": flight.order.attempt, "fraction": None if row.fraction is None else row.fraction / MILLION,
        "note": row.note, "lines": row.lines,
    }  # fmt: skip
    return about_attempt(flight.order, EventKind.RUN_PROGRESS, now, facts(told))
