"""The tick's transaction: schedules advance; runs, entitlements and events are there; all or nothing.

What nearly every firing comes to is worked out before the transaction begins, while the tick before is still being
committed; inside it only what depends on the ledger is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from core.engine.admit import Decision, Firing, MakeId, advance_of, decide, events_of
from core.engine.entitle import Entitler, Opened
from core.engine.occurred import not_yet
from core.engine.stopping import want_stopped
from core.ledger.port import ActiveRun, Transaction
from core.ledger.rows import Advance, EventRow, Move, RunRow
from schedule_zero.run import RunState


class Committed:
    """What one tick's transaction did; filled by the unit, read after the commit."""

    __slots__ = ("advances", "cancel", "missed", "refused", "runs", "withdrawn")

    def __init__(self) -> None:
        self.advances: list[Advance] = []
        self.runs: list[RunRow] = []
        self.withdrawn: list[str] = []
        self.cancel: list[str] = []
        self.refused: set[str] = set()
        self.missed = 0


class TickUnit:
    """One tick on its way into the ledger.

    Attributes:
        soonest: when one of its schedules is due again.
        worked_out: nothing is left to decide; what remains is the store's work.
    """

    def __init__(self, firings: Sequence[Firing], now: int, entitler: Entitler, make_id: MakeId) -> None:
        self.firings = firings
        self._now = now
        self._entitler = entitler
        self._make_id = make_id
        self.soonest = min((firing.next_due for firing in firings if firing.next_due is not None), default=None)
        self.worked_out = asyncio.Event()
        # Charging changes the runs of a decision, so a unit that is played again decides anew.
        self._drafts: list[Decision] | None = self._decide(firings)

    async def trusting(self, tx: Transaction) -> Committed:
        """Nearly always everything still stands as it was taken, so that is not asked first: what no longer does fails
        the unit (StaleAdvance, OccurrenceTaken), and ``doubting`` is next."""
        drafts, self._drafts = self._drafts or self._decide(self.firings), None
        return await self._commit(tx, self.firings, drafts, Committed())

    async def doubting(self, tx: Transaction) -> Committed:
        """Look at each before it moves, and leave out what no longer stands."""
        done = Committed()
        done.refused = await tx.schedules.stale([advance_of(firing) for firing in self.firings])
        standing = [firing for firing in self.firings if firing.plan.row.id not in done.refused]
        return await self._commit(tx, standing, self._decide(standing), done, doubting=True)

    def _decide(self, firings: Sequence[Firing]) -> list[Decision]:
        """What firings come to where no earlier run of their schedule is active."""
        return [decide(firing, advance_of(firing), self._now, (), self._make_id) for firing in firings]

    async def _commit(
        self, tx: Transaction, firings: Sequence[Firing], decisions: list[Decision], done: Committed, *,
        doubting: bool = False,
    ) -> Committed:  # fmt: skip
        """``decisions``: as ``_decide`` makes them."""
        done.advances = [decision.advance for decision in decisions]
        await tx.schedules.advance(done.advances)
        opened = self._entitler.open_books(tx, [firing.plan.row for firing in firings], self._now)
        recurring = [firing.plan.row.id for firing in firings if firing.plan.rule.recurring]
        active = await tx.runs.active(recurring) if recurring else {}
        await opened.read()
        for place, firing in enumerate(firings if active else ()):
            if met := active.get(firing.plan.row.id):
                decisions[place] = decide(firing, done.advances[place], self._now, met, self._make_id)
        if doubting:
            await leave_out_known(tx, decisions)
        pairs = list(zip(firings, decisions, strict=True))
        await self._give_back(tx, pairs, active, opened)
        told = await self._entitler.charge(tx, opened, [(firing.plan, decision) for firing, decision in pairs])
        await self._write(tx, pairs, told, done)
        self.worked_out.set()
        return done

    async def _write(
        self, tx: Transaction, pairs: Sequence[tuple[Firing, Decision]], told: list[EventRow], done: Committed
    ) -> None:
        runs: list[RunRow] = []
        moves: list[Move] = []
        events: list[EventRow] = []
        for firing, decision in pairs:
            runs += decision.runs
            moves += decision.moves
            events += events_of(decision, firing.plan.row, self._now)
            done.cancel += decision.cancel
            done.missed += decision.missed
        await tx.runs.insert(runs)
        await tx.links.ran([firing.plan.row.id for firing, _ in pairs if firing.plan.row.follows])
        if moves:
            await tx.runs.move(moves)
        await want_stopped(tx, done.cancel)
        await tx.journal.append(events + told)
        done.runs = [run for run in runs if run.state is RunState.WAITING]
        done.withdrawn = [move.run_id for move in moves]

    async def _give_back(
        self, tx: Transaction, pairs: Sequence[tuple[Firing, Decision]], active: Mapping[str, Sequence[ActiveRun]],
        opened: Opened,
    ) -> None:  # fmt: skip
        """What superseded runs had been charged is free again before the new ones are charged: they take their place."""
        untried = {move.run_id for _, decision in pairs for move in decision.moves if move.attempt == 0}
        if untried:
            charged = [
                run.charged for firing, _ in pairs for run in active.get(firing.plan.row.id, ()) if run.id in untried
            ]
            await self._entitler.give_back(tx, charged, opened)


async def leave_out_known(tx: Transaction, decisions: Sequence[Decision]) -> None:
    """Drop new runs whose occurrence has a row already, and with them what they would have done to that row."""
    fresh = {run.id for run in await not_yet(tx, [run for decision in decisions for run in decision.runs])}
    for decision in decisions:
        left = [run for run in decision.runs if run.id in fresh]
        if len(left) < len(decision.runs):
            decision.runs, decision.moves, decision.cancel, decision.missed = left, (), (), 0
