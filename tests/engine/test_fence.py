"""The fence in the ledger: an answer counts only for the attempt that stands there, whatever memory believes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec
import pytest

from core.engine import settle
from core.engine.flights import Flights
from core.engine.ports import Answer, SystemClock
from core.engine.settle import Settler, Verdict
from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDriver
from core.ledger.port import Transaction
from core.ledger.rows import AttemptRow, LeaseRow, Move, RunRow, ScheduleRow
from schedule_zero.run import RunState
from tests.engine.rows import T0, flight, schedule_row


class Told:
    """What the settler told the engine."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str]] = []

    def settled(self, verdicts: Sequence[Verdict]) -> None:
        self.said += [("settled", verdict.flight.order.run_id) for verdict in verdicts]

    def late(self, instance: str, attempts: Sequence[tuple[str, int]]) -> None:
        self.said += [("late", run_id) for run_id, _ in attempts]

    async def schedules_changed(self, rows: Sequence[ScheduleRow]) -> None:
        """No schedule changes here."""


async def second_attempt(tx: Transaction) -> None:
    """The ledger holds attempt 2 as the one under way."""
    run = RunRow(
        id="run_1", schedule_id="sch_1", occurrence=f"t:{T0}", guild_id="1", handler="echo", method="echo", priority=1,
        due=T0, start_before=None, state=RunState.WAITING, attempt=1, not_before=None, args=None, result=None,
        reason=None, error=None, missed=None, created=T0, ended=None, lost=0,
    )  # fmt: skip
    await tx.schedules.insert([schedule_row()])
    await tx.runs.insert([run])
    await tx.runs.move(
        [Move(run_id="run_1", before=RunState.WAITING, before_attempt=1, after=RunState.DISPATCHED, attempt=2, at=T0)]
    )
    await tx.runs.begin(
        [AttemptRow(run_id="run_1", attempt=n, handler="echo", instance="echo@1", sent=T0) for n in (1, 2)],
        [LeaseRow(run_id="run_1", attempt=2, instance="echo@1", remaining=6_000_000)],
    )


@pytest.mark.parametrize(("attempt", "state"), [(1, RunState.DISPATCHED), (2, RunState.SUCCEEDED)])
async def test_an_answer_for_another_attempt_than_the_ledgers_changes_nothing(attempt: int, state: RunState) -> None:
    ledger, told, flights = StoredLedger(MemoryDriver()), Told(), Flights()
    await ledger.open()
    await ledger.write(second_attempt)
    settler = Settler(clock=SystemClock(), ledger=ledger, flights=flights, consequences=told)
    flights.add(flight(attempt=attempt))
    settler.take([Answer(run_id="run_1", attempt=attempt, instance="echo@1", kind="succeeded", value="1")])
    async with asyncio.timeout(5):
        await settler.drain()
    run = await ledger.reader.runs.get("run_1")
    assert run is not None
    assert (run.state, run.attempt) == (state, 2)
    told_events = [event.kind for event in await ledger.reader.journal.after(0, 10)]
    assert told_events == (["run.succeeded"] if state is RunState.SUCCEEDED else [])
    await ledger.close()


async def test_a_repeated_answer_is_not_acknowledged_ahead_of_the_commit_of_its_first_telling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It comes as late, for the attempt is out of the air; but until the outcome is kept nobody may forget it."""
    monkeypatch.setattr(settle, "BATCH", 1)
    ledger, told, flights = StoredLedger(MemoryDriver()), Told(), Flights()
    await ledger.open()
    await ledger.write(second_attempt)
    settler = Settler(clock=SystemClock(), ledger=ledger, flights=flights, consequences=told)
    other = flight(attempt=2)
    other.order.run_id = "run_0"
    flights.add(other)
    flights.add(flight(attempt=2))
    answer = Answer(run_id="run_1", attempt=2, instance="echo@1", kind="succeeded", value="1")
    settler.take([msgspec.structs.replace(answer, run_id="run_0"), answer, answer])
    async with asyncio.timeout(5):
        await settler.drain()
    assert told.said == [("settled", "run_0"), ("settled", "run_1"), ("late", "run_1")]
    await ledger.close()
