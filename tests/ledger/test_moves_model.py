"""Any sequence of units, good, stale and forbidden: the ledger does what a plain dictionary would."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from core.ledger.ledger import StoredLedger
from core.ledger.memory import MemoryDriver
from core.ledger.open import open_ledger
from core.ledger.port import ForbiddenTransition, OccurrenceTaken, StaleMove, Transaction
from core.ledger.rows import AttemptRow, LeaseRow, Move, RunRow
from core.ledger.settings import StoreSettings
from schedule_zero.run import OPEN, TERMINAL, TRANSITIONS, RunState
from tests.ledger.making import NOW, attempt, lease, run
from tests.postgres import Databases

IDS = st.sampled_from([f"run_{n}" for n in range(6)])
STATES = st.sampled_from(list(RunState))
TEXTS = st.none() | st.text(max_size=5)


class Ledgers(RuleBasedStateMachine):
    """Moves of a few runs, with their attempts and leases."""

    def __init__(self, ledger: AbstractContextManager[StoredLedger]) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.kept = ledger
        self.ledger = ledger.__enter__()
        self.runs: dict[str, RunRow] = {}
        self.attempts: dict[tuple[str, int], AttemptRow] = {}
        self.leases: dict[str, LeaseRow] = {}

    @initialize()
    def open(self) -> None:
        self.loop.run_until_complete(self.ledger.open())

    def teardown(self) -> None:
        self.loop.run_until_complete(self.ledger.close())
        self.loop.close()
        self.kept.__exit__(None, None, None)

    def write(self, *doings: tuple[str, Any]) -> BaseException | None:
        async def unit(tx: Transaction) -> None:
            for name, given in doings:
                await getattr(tx.runs, name)(*given)

        try:
            self.loop.run_until_complete(self.ledger.write(unit))
        except (ForbiddenTransition, StaleMove, OccurrenceTaken, ValueError) as error:
            return error
        return None

    @rule(ids=st.sets(IDS, min_size=1), occurrence=st.sampled_from(["t:1", "t:2"]))
    def insert(self, ids: set[str], occurrence: str) -> None:
        rows = [run(id, f"sch_{id}", occurrence=occurrence) for id in sorted(ids) if id not in self.runs]
        taken = [run(f"{id}_again", f"sch_{id}", occurrence=occurrence) for id in sorted(ids) if id in self.runs]
        clash = any(row.occurrence == occurrence for row in self.runs.values() if row.id in ids)
        error = self.write(("insert", (rows + (taken if clash else []),)))
        if clash:
            assert isinstance(error, OccurrenceTaken)
        else:
            assert error is None
            self.runs |= {row.id: row for row in rows}

    @rule(
        wanted=st.dictionaries(IDS, st.tuples(STATES, STATES, st.integers(0, 2), st.booleans()), min_size=1),
        args=TEXTS, result=TEXTS, lost=st.integers(0, 2), due=st.none() | st.just(NOW),
    )  # fmt: skip
    def move(
        self, wanted: dict[str, tuple[RunState, RunState, int, bool]], args: str | None, result: str | None, lost: int,
        due: int | None,
    ) -> None:  # fmt: skip
        """Half of the moves start from what stands, the others from anything."""
        moves = []
        for id, (before, after, number, honest) in wanted.items():
            row = self.runs.get(id)
            if honest and row is not None:
                before, number = row.state, row.attempt  # noqa: PLW2901 - what stands
                after = min(TRANSITIONS[before], key=lambda state: (state is not after, state), default=after)  # noqa: PLW2901
            moves.append(
                Move(run_id=id, before=before, before_attempt=number, after=after,
                     attempt=number + (after is RunState.DISPATCHED), at=NOW, not_before=due, args=args, result=result,
                     lost=lost)
            )  # fmt: skip
        error = self.write(("move", (moves,)))
        if any(move.after not in TRANSITIONS[move.before] for move in moves):
            assert isinstance(error, ForbiddenTransition)
        elif _hold_nul(args, result):
            assert isinstance(error, ValueError)
        elif not all(self._stands(move) for move in moves):
            assert isinstance(error, StaleMove)
        else:
            assert error is None
            for move in moves:
                self._apply(move)

    def _stands(self, move: Move) -> bool:
        row = self.runs.get(move.run_id)
        return row is not None and (row.state, row.attempt) == (move.before, move.before_attempt)

    def _apply(self, move: Move) -> None:
        row = self.runs[move.run_id]
        row.state, row.attempt, row.not_before, row.lost = move.after, move.attempt, move.not_before, move.lost
        row.args = row.args if move.args is None else move.args
        row.result, row.reason, row.error = move.result, move.reason, move.error
        row.ended = move.at if move.after in TERMINAL else None

    @rule(id=IDS)
    def begin(self, id: str) -> None:
        row = self.runs.get(id)
        if row is None or row.state is not RunState.WAITING or id in self.leases:
            return
        number = row.attempt + 1
        assert (id, number) not in self.attempts
        move = Move(run_id=id, before=row.state, before_attempt=row.attempt, after=RunState.DISPATCHED,
                    attempt=number, at=NOW)  # fmt: skip
        error = self.write(("move", ([move],)), ("begin", ([attempt(id, number)], [lease(id, number)])))
        assert error is None
        self._apply(move)
        self.attempts[id, number], self.leases[id] = attempt(id, number), lease(id, number)

    @rule(id=IDS, outcome=st.sampled_from(["succeeded", "failed"]), error=TEXTS)
    def finish(self, id: str, outcome: str, error: str | None) -> None:
        held = self.leases.get(id)
        if held is None:
            return
        ended = attempt(id, held.attempt, ended=NOW, outcome=outcome, error=error)
        refused = self.write(("finish", ([ended],)))
        if _hold_nul(error):
            assert isinstance(refused, ValueError)
            return
        assert refused is None
        del self.leases[id]
        self.attempts[id, held.attempt] = ended

    @rule(id=IDS, number=st.integers(1, 3), remaining=st.integers(0, 9))
    def extend(self, id: str, number: int, remaining: int) -> None:
        assert self.write(("extend", ([lease(id, number, remaining=remaining)],))) is None
        if id in self.leases and self.leases[id].attempt == number:
            self.leases[id].remaining = remaining

    @rule(id=IDS, number=st.integers(1, 3))
    def answer_late(self, id: str, number: int) -> None:
        late = attempt(id, number, ended=NOW + 1, outcome="failed", cause="lasting")
        assert self.write(("note_late", ([late],))) is None
        stored = self.attempts.get((id, number))
        if stored is not None and stored.outcome is None:
            self.attempts[id, number] = late

    @invariant()
    def everything_is_as_in_the_dictionary(self) -> None:
        runs = self.ledger.reader.runs
        ids = [f"run_{n}" for n in range(6)]
        found = self.loop.run_until_complete(runs.get_many([*ids, *(f"{id}_again" for id in ids)]))
        assert found == self.runs
        tried = self.loop.run_until_complete(runs.attempts(ids))
        assert {(row.run_id, row.attempt): row for rows in tried.values() for row in rows} == self.attempts
        counts = self.loop.run_until_complete(runs.counts())
        active = [row.state for row in self.runs.values() if row.state not in TERMINAL]
        assert counts == {state: active.count(state) for state in set(active)}
        waiting = self.loop.run_until_complete(runs.waiting(None, 10))
        assert [row.id for row in waiting] == sorted(id for id, row in self.runs.items() if row.state == "waiting")
        out = self.loop.run_until_complete(runs.open())
        expected = {
            row.id for row in self.runs.values() if row.state in OPEN and (row.id, row.attempt) in self.attempts
        }
        assert {row.id for row, _, _ in out} == expected


def _hold_nul(*texts: str | None) -> bool:
    """The store refuses such a text, rather than keep a part of it."""
    return any("\0" in text for text in texts if text is not None)


@contextlib.contextmanager
def in_memory() -> Iterator[StoredLedger]:
    yield StoredLedger(MemoryDriver())


@contextlib.contextmanager
def on_a_server(databases: Databases) -> Iterator[StoredLedger]:
    with databases.one() as name:
        yield open_ledger(StoreSettings(url=databases.server.url(name)), Path("unused"))


@pytest.mark.slow
def test_the_ledger_moves_runs_as_a_plain_model_does() -> None:
    class InMemory(Ledgers):
        def __init__(self) -> None:
            super().__init__(in_memory())

    run_state_machine_as_test(InMemory, settings=settings(max_examples=40, stateful_step_count=20, deadline=None))


@pytest.mark.slow
def test_a_ledger_on_a_server_moves_runs_as_a_plain_model_does(databases: Databases) -> None:
    class OnAServer(Ledgers):
        def __init__(self) -> None:
            super().__init__(on_a_server(databases))

    run_state_machine_as_test(OnAServer, settings=settings(max_examples=15, stateful_step_count=20, deadline=None))
