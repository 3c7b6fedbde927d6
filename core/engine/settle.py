"""Settle: answers become outcomes, a batch in one transaction.

Every answer is checked against the fence (run, attempt) inside the transaction: the ledger moves a run only from the
state and attempt its answer is for. One that comes too late is kept on its attempt, acknowledged, and changes nothing
else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from core.engine.blocking import block_failing
from core.engine.events import about_attempt, facts
from core.engine.flights import Flight, Flights
from core.engine.handover import Handing
from core.engine.logbook import Logbook, write_told
from core.engine.outcome import Outcome, conclude
from core.engine.ports import Answer, Clock
from core.engine.stopping import stopped, wanted_stopped
from core.engine.territory import Territory
from core.ledger.port import Ledger, StaleMove, StoreClosed, StoreError, Transaction
from core.ledger.rows import AttemptRow, EventRow, Move, ScheduleRow, dead_letter
from schedule_zero.event import EventKind
from schedule_zero.ids import IdMaker
from schedule_zero.process.lines import Told
from schedule_zero.run import DEAD, OPEN, TERMINAL, RunState

log = structlog.get_logger("schedule_zero.settle")

BATCH: Final = 1000
REFUSED_PAUSE_S: Final = 1.0
STRANGERS_KEPT: Final = 1000
LATE_HELD: Final = 5000
_KINDS: Final = {
    RunState.SUCCEEDED: str(EventKind.RUN_SUCCEEDED),
    RunState.FAILED: str(EventKind.RUN_FAILED),
    RunState.TIMED_OUT: str(EventKind.RUN_TIMED_OUT),
    RunState.CANCELLED: str(EventKind.RUN_CANCELLED),
    RunState.WAITING: str(EventKind.RUN_WAITING),
}

Standing = dict[str, tuple[RunState, int]]


class Consequences(Protocol):
    """What the engine does with a committed outcome."""

    def settled(self, verdicts: Sequence[Verdict]) -> None: ...
    def late(self, instance: str, attempts: Sequence[tuple[str, int]]) -> None: ...
    async def schedules_changed(self, rows: Sequence[ScheduleRow]) -> None: ...


class Verdict(msgspec.Struct, gc=False):
    """An attempt's end, decided and on its way into the ledger.

    ``took_s``: from its sending to its answer; None where nobody answered, or nobody here saw it sent.
    ``told``: what it told last, and is not written yet.
    """

    flight: Flight
    outcome: Outcome
    took_s: float | None
    told: Told | None = None


class Settler:
    """Collects answers and commits what they mean."""

    def __init__(
        self, *, clock: Clock, ledger: Ledger, flights: Flights, consequences: Consequences,
        handing: Handing | None = None,
    ) -> None:  # fmt: skip
        """``handing``: who gets the answers for what is under way at another core."""
        self._handing = Handing(Territory(), IdMaker()) if handing is None else handing
        self._clock = clock
        self._ledger = ledger
        self._flights = flights
        self._consequences = consequences
        self._ended: list[Verdict] = []
        self._started: list[Flight] = []
        self._late: list[Answer] = []
        self._strangers: set[str] = set()
        self._wake = asyncio.Event()
        self.logbook = Logbook(clock=clock, ledger=ledger, flights=flights, busy=lambda: bool(self._ended))
        self.executed = 0

    def take(self, answers: Sequence[Answer]) -> None:
        """Answers came in. An end takes its flight out of the air at once, so a second answer is a late one."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for answer in answers:
            flight = self._flights.get(answer.run_id, answer.attempt)
            if flight is not None and flight.instance != answer.instance:
                self._strange(answer, flight)
            elif answer.kind in {"progress", "started"}:
                self._note(flight, answer)
            elif flight is None:
                self._late.append(answer)
            else:
                took_s = None if flight.inherited else monotonic - flight.sent_at
                self.end(flight, conclude(flight, answer, now), took_s)
        self._wake.set()

    def end(self, flight: Flight, outcome: Outcome, took_s: float | None = None) -> None:
        """An attempt ended, by an answer or without one. Only its first end counts."""
        if self._flights.remove(flight.order.run_id, flight.order.attempt) is None:
            return
        self._ended.append(Verdict(flight, outcome, took_s, self.logbook.close(flight)))
        self._wake.set()

    async def run(self) -> None:
        """Commit outcomes as they come, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._ended or self._started or self._late:
                await self._commit()

    async def drain(self) -> None:
        """Commit what is at hand; what the store refuses stays for later, so that a full disk holds up no end."""
        while (self._ended or self._started or self._late) and await self._commit():
            pass

    def pending(self) -> int:
        """Outcomes not yet committed."""
        return len(self._ended)

    def _note(self, flight: Flight | None, answer: Answer) -> None:
        if flight is None:
            self.logbook.refuse(answer)
            return
        if answer.fraction is not None:
            flight.fraction, flight.note = answer.fraction, answer.note
        if answer.kind == "progress":
            self.logbook.note(flight, answer)
        if not flight.started:
            flight.started = True
            self._started.append(flight)

    def _strange(self, answer: Answer, flight: Flight) -> None:
        """Somebody answers for an attempt that is another's. Nothing of it is believed, kept or acknowledged."""
        if answer.instance in self._strangers:
            return
        if len(self._strangers) >= STRANGERS_KEPT:
            self._strangers.clear()
        self._strangers.add(answer.instance)
        log.warning(
            "an answer for another's attempt is ignored, and so are those that follow", instance=answer.instance,
            run_id=answer.run_id, attempt=answer.attempt, belongs_to=flight.instance,
        )  # fmt: skip

    async def _commit(self) -> bool:
        """Commit one batch; whether the store took it."""
        ended, self._ended = self._ended[:BATCH], self._ended[BATCH:]
        started, self._started = [f for f in self._started if self._in_air(f)], []
        late: list[Answer] = []
        if not self._ended:  # an answer may be late because its first telling waits here, so it is never ahead of that
            late, self._late = self._late, late
        log.debug("outcomes commit", ended=len(ended), started=len(started), late=len(late))
        room = await self.logbook.room_for([verdict.told for verdict in ended])
        for verdict, told in zip(ended, room, strict=True):
            verdict.told = told
        try:
            blocked = await self._write(ended, started, late)
        except StoreClosed:
            raise
        except StoreError as error:  # nothing is lost: outcomes wait here, and their attempts stay open in the ledger
            self._ended, self._started = ended + self._ended, started + self._started
            self._late = _each_once(late + self._late)
            log.warning("the store refused; outcomes wait", count=len(self._ended), error=str(error))
            await asyncio.sleep(REFUSED_PAUSE_S)
            return False
        log.debug("outcomes committed", ended=len(ended), started=len(started), late=len(late))
        for flight in started:
            flight.running = True
        self.executed += sum(1 for verdict in ended if verdict.outcome.state in TERMINAL)
        self._consequences.settled(ended)
        for instance, attempts in _by_instance(late).items():
            self._consequences.late(instance, attempts)
        if blocked:
            await self._consequences.schedules_changed(blocked)
        return True

    async def _write(self, ended: list[Verdict], started: list[Flight], late: list[Answer]) -> list[ScheduleRow]:
        """Nearly always the runs stand where memory believes, so that is not asked first: the ledger refuses moves from
        anywhere else, and then each run is looked at."""
        try:
            return await self._ledger.write_essential(self._unit(ended, started, late, doubtful=False))
        except StaleMove as error:
            log.debug("outcomes are looked through", reason=str(error), ended=len(ended), started=len(started))
            return await self._ledger.write_essential(self._unit(ended, started, late, doubtful=True))

    def _in_air(self, flight: Flight) -> bool:
        return self._flights.get(flight.order.run_id, flight.order.attempt) is flight

    def _unit(
        self, ended: list[Verdict], started: list[Flight], late: list[Answer], *, doubtful: bool
    ) -> Callable[[Transaction], Awaitable[list[ScheduleRow]]]:
        now = self._clock.now()
        flights = [*(verdict.flight for verdict in ended), *started]
        no_verdicts: list[Verdict] = []

        async def unit(tx: Transaction) -> list[ScheduleRow]:
            valid, stale, begun = ended, no_verdicts, started
            standing: Standing | None = None
            if doubtful:
                standing = await tx.runs.standing([flight.order.run_id for flight in flights])
                valid, stale = _fence(ended, standing)
                begun = [f for f in started if standing.get(f.order.run_id) == (RunState.DISPATCHED, f.order.attempt)]
            await write_told(tx, [(v.flight, v.told) for v in valid if v.told is not None])
            await _heed_wishes(tx, valid)
            events: list[EventRow] = []
            await _write_starts(tx, begun, now, events)
            await _write_ends(tx, valid, standing, now, events)
            blocked = await _count_failures(tx, valid, now, events)
            if late or stale:
                lost = await self._handing.pass_on(tx, late, now)
                rows = [_late_row(answer, now) for answer in lost]
                await tx.runs.note_late(rows + [_attempt_row(verdict, now) for verdict in stale])
            if events:
                await tx.journal.append(events)
            return blocked

        return unit


def _each_once(late: Sequence[Answer]) -> list[Answer]:
    """What is held while the store refuses. Who is not acknowledged tells again and again, so what is too much is not lost."""
    told = {(answer.run_id, answer.attempt, answer.instance): answer for answer in late}
    return list(told.values())[:LATE_HELD]


def _by_instance(answers: Sequence[Answer]) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for answer in answers:
        found.setdefault(answer.instance, []).append((answer.run_id, answer.attempt))
    return found


def _believed(flight: Flight) -> RunState:
    """Where the run of an attempt under way stands, as far as this process knows."""
    return RunState.RUNNING if flight.running else RunState.DISPATCHED


def _fence(ended: list[Verdict], standing: Standing) -> tuple[list[Verdict], list[Verdict]]:
    """Those whose (run, attempt) still stands, and those that come too late."""
    valid: list[Verdict] = []
    stale: list[Verdict] = []
    for verdict in ended:
        state, attempt = standing.get(verdict.flight.order.run_id, (RunState.SKIPPED, 0))
        fits = state in OPEN and attempt == verdict.flight.order.attempt
        (valid if fits else stale).append(verdict)
    return valid, stale


async def _heed_wishes(tx: Transaction, valid: list[Verdict]) -> None:
    """What shall stop is not tried again, even if the wish was committed while its attempt was ending."""
    if not any(v.outcome.state is RunState.WAITING or v.flight.stopping == "cancelled" for v in valid):
        return
    wanted = await wanted_stopped(tx.notes)
    for verdict in valid:
        outcome = verdict.outcome
        if outcome.state is RunState.WAITING and verdict.flight.order.run_id in wanted:
            verdict.outcome = Outcome(
                state=RunState.CANCELLED, outcome=outcome.outcome, cause=outcome.cause, error=outcome.error,
                lost=outcome.lost,
            )  # fmt: skip
    await stopped(tx, wanted & {verdict.flight.order.run_id for verdict in valid})


async def _write_starts(tx: Transaction, begun: list[Flight], now: int, events: list[EventRow]) -> None:
    if not begun:
        return
    moves = [
        Move(run_id=f.order.run_id, before=RunState.DISPATCHED, before_attempt=f.order.attempt,
             after=RunState.RUNNING, attempt=f.order.attempt, at=now, lost=f.lost)
        for f in begun
    ]  # fmt: skip
    await tx.runs.move(moves)
    await tx.runs.started([(f.order.run_id, f.order.attempt, f.sent) for f in begun])
    events += [about_attempt(f.order, EventKind.RUN_STARTED, now, f'{{"attempt":{f.order.attempt}}}') for f in begun]


async def _write_ends(
    tx: Transaction, valid: list[Verdict], standing: Standing | None, now: int, events: list[EventRow]
) -> None:
    """``standing``: where the runs stand; None: where memory believes."""
    if not valid:
        return
    moves = []
    for verdict in valid:
        order, outcome = verdict.flight.order, verdict.outcome
        before = _believed(verdict.flight) if standing is None else standing[order.run_id][0]
        moves.append(
            Move(run_id=order.run_id, before=before, before_attempt=order.attempt, after=outcome.state,
                 attempt=order.attempt, at=now, not_before=outcome.not_before, result=outcome.result,
                 reason=outcome.reason, error=outcome.error, lost=outcome.lost, schedule_id=order.schedule_id)
        )  # fmt: skip
    await tx.runs.move(moves)
    await tx.runs.finish([_attempt_row(verdict, now) for verdict in valid])
    await tx.dead.add(
        [dead_letter(v.flight.order.run_id, v.flight.order, now) for v in valid if v.outcome.state in DEAD]
    )
    events += [about_attempt(v.flight.order, _KINDS[v.outcome.state], now, _end_data(v)) for v in valid]


def _end_data(verdict: Verdict) -> str:
    outcome, attempt = verdict.outcome, verdict.flight.order.attempt
    if outcome.state is RunState.SUCCEEDED:
        return f'{{"attempt":{attempt}}}'
    told = {
        "attempt": attempt, "outcome": outcome.outcome, "cause": outcome.cause, "reason": outcome.reason,
        "error": outcome.error, "not_before": outcome.not_before,
    }  # fmt: skip
    return facts({name: value for name, value in told.items() if value is not None})


async def _count_failures(tx: Transaction, valid: list[Verdict], now: int, events: list[EventRow]) -> list[ScheduleRow]:
    """Count lasting failures in a row; a schedule that reaches its threshold is blocked, never deleted."""
    telling = [v for v in valid if v.outcome.lasting or (v.outcome.lasting is False and v.flight.failures)]
    if not telling:
        return []
    rows = await tx.schedules.get_many([v.flight.order.schedule_id for v in telling])
    counts: dict[str, int] = {}
    blocked: list[ScheduleRow] = []
    for verdict in telling:
        flight, outcome = verdict.flight, verdict.outcome
        row = rows.get(flight.order.schedule_id)
        if row is None:
            continue
        row.failures = counts[row.id] = row.failures + 1 if outcome.lasting else 0
        needs_owner = outcome.reason == "needs_owner"
        if row.state == "active" and (row.failures >= flight.terms.policy.failure_threshold or needs_owner):
            blocked.append(row)
            events.append(
                await block_failing(
                    tx, row, now, run_id=flight.order.run_id, reason=outcome.reason, error=outcome.error,
                    state="needs_owner" if needs_owner else "blocked",
                )
            )  # fmt: skip
    await tx.schedules.count_failures({id: n for id, n in counts.items() if not any(b.id == id for b in blocked)})
    return blocked


def _attempt_row(verdict: Verdict, now: int) -> AttemptRow:
    order, outcome = verdict.flight.order, verdict.outcome
    return AttemptRow(
        run_id=order.run_id, attempt=order.attempt, handler=order.handler, instance=order.instance,
        sent=verdict.flight.sent, started=verdict.flight.sent, ended=now, outcome=outcome.outcome,
        cause=outcome.cause, error=outcome.error,
    )  # fmt: skip


def _late_row(answer: Answer, now: int) -> AttemptRow:
    return AttemptRow(
        run_id=answer.run_id, attempt=answer.attempt, handler="", instance=answer.instance, sent=0, ended=now,
        outcome=f"late: {answer.kind}", cause=answer.cause, error=answer.error,
    )  # fmt: skip
