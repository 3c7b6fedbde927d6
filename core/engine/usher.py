"""The usher: between the ledger and the waiting room.

It brings runs that wait into the room, as far as there is room, and sees those out whose time to start has passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from core.engine.chains import NO_ARGUMENTS
from core.engine.entitle import Entitler
from core.engine.events import about_run, facts
from core.engine.ports import Clock
from core.engine.territory import Territory
from core.engine.waiting import CROWDING, Key, WaitingRoom
from core.ledger.port import Ledger, Transaction, Within
from core.ledger.rows import Move, RunRow, dead_letter
from schedule_zero.event import EventKind
from schedule_zero.run import DEAD, RunState, SkipReason

PAGE: Final = 5000
BANNED: Final = "its owner may not use this service any more"
NO_ERRORS: Final[Mapping[str, str]] = {}
_KINDS: Final = {RunState.SKIPPED: EventKind.RUN_SKIPPED, RunState.FAILED: EventKind.RUN_FAILED}


class Usher:
    """Keeps the waiting room in step with the ledger.

    Attributes:
        missed: how many runs it saw out that never were tried.
        again_at: when runs that were left in the ledger may be read again, monotonic seconds.
    """

    def __init__(
        self, *, clock: Clock, ledger: Ledger, room: WaitingRoom, entitler: Entitler, territory: Territory
    ) -> None:  # fmt: skip
        self._clock = clock
        self._ledger = ledger
        self._room = room
        self._entitler = entitler
        self._territory = territory
        self.missed = 0
        self.again_at = 0.0

    async def fill(self, within: Within = None, after: Key | None = None) -> None:
        """Fill the waiting room, as far as it goes for each guild. ``after``: with the runs behind this one."""
        wall, now = self._clock.now(), self._clock.monotonic()
        while True:
            page = await self._ledger.reader.runs.waiting(after, PAGE, within, but=self._room.full())
            for run in page:
                self._room.offer(run, wall=wall, now=now)
            if len(page) < PAGE:
                return
            after = (page[-1].due, page[-1].id)

    async def refill(self) -> None:
        """There is room again for runs that were left in the ledger. No more than half of the time goes into reading them."""
        began = self._clock.monotonic()
        short = self._room.short()
        if len(short) > CROWDING:
            await self._refill_many(short)
        else:
            for guild_id in short:
                await self._refill_one(guild_id)
        ended = self._clock.monotonic()
        self.again_at = ended + (ended - began)

    async def _refill_many(self, guilds: list[str | None]) -> None:
        starts = {guild: start for guild in guilds if (start := self._room.take_left(guild)) is not None}
        first = min(starts.values(), default=None)
        if first is None:
            return
        try:
            await self.fill(self._territory.within(), (first[0], ""))
        except BaseException:  # whatever kept it from being read, it is still there
            for guild_id, start in starts.items():
                self._room.leave_out(guild_id, start)
            raise

    async def _refill_one(self, guild_id: str | None) -> None:
        start = self._room.take_left(guild_id)
        if start is None:  # another core's by now
            return
        most = self._room.room_for(guild_id)
        try:
            page = await self._ledger.reader.runs.waiting_of(guild_id, start, most)
        except BaseException:  # the store, or a cancellation: they are still to be read
            self._room.leave_out(guild_id, start)
            raise
        if not self._territory.owns(guild_id):
            return
        wall, now = self._clock.now(), self._clock.monotonic()
        for run in page:
            self._room.offer(run, wall=wall, now=now)
        if len(page) == most:
            self._room.leave_out(guild_id, (page[-1].due, page[-1].id))

    async def look_up(self) -> None:
        """Read where the messages of those runs go of which that is not known."""
        asked = self._room.take_unknown()
        for some in (asked[place : place + PAGE] for place in range(0, len(asked), PAGE)):
            try:
                ready = await self._ledger.reader.runs.ready(some)
            except BaseException:  # as above: it is still to be asked
                self._room.ask_again(asked)
                raise
            for run_id in some:
                if run_id in ready:
                    self._room.know(run_id, ready[run_id].args, ready[run_id].owner_id)
                else:  # it is gone
                    self._room.withdraw([run_id])

    async def see_out(self, run_ids: Sequence[str], errors: Mapping[str, str] = NO_ERRORS) -> list[str]:
        """End runs whose time to start has passed while they waited; those that ended by that.

        Args:
            errors: by run, why there are no arguments for it to start with; it has failed then.
        """
        now = self._clock.now()

        async def unit(tx: Transaction) -> list[Move]:
            rows = await tx.runs.get_many(list(run_ids))
            waiting = [row for row in rows.values() if row.state is RunState.WAITING]
            moves = [expiry(row, now, errors.get(row.id)) for row in waiting]
            if moves:
                await tx.runs.move(moves)
                await tx.journal.append(
                    [about_run(rows[move.run_id], _KINDS[move.after], now, _told(move)) for move in moves]
                )
                await tx.dead.add(
                    [dead_letter(move.run_id, rows[move.run_id], now) for move in moves if move.after in DEAD]
                )
                await self._entitler.give_back(tx, [row.charged for row in waiting if row.attempt == 0])
            return moves

        moved = await self._ledger.write(unit)
        self.missed += sum(move.after is RunState.SKIPPED for move in moved)
        return [move.run_id for move in moved]

    async def turn_away(self, run_ids: Sequence[str]) -> None:
        """Cancel runs that wait, of somebody who is banned."""
        now = self._clock.now()

        async def unit(tx: Transaction) -> None:
            rows = await tx.runs.get_many(list(run_ids))
            waiting = [row for row in rows.values() if row.state is RunState.WAITING]
            if not waiting:
                return
            await tx.runs.move(
                [Move(run_id=row.id, before=RunState.WAITING, before_attempt=row.attempt, after=RunState.CANCELLED,
                      attempt=row.attempt, at=now, reason=BANNED, lost=row.lost, schedule_id=row.schedule_id)
                 for row in waiting]
            )  # fmt: skip
            told = facts({"reason": BANNED})
            await tx.journal.append([about_run(row, EventKind.RUN_CANCELLED, now, told) for row in waiting])
            await self._entitler.give_back(tx, [row.charged for row in waiting if row.attempt == 0])

        await self._ledger.write(unit)


def expiry(row: RunRow, now: int, error: str | None = None) -> Move:
    """The end of a run that waited too long: skipped where it never was tried, else failed. ``error``: of one that has no
    arguments to start with, and has failed for that."""
    failed = row.attempt > 0 or error is not None
    reason = NO_ARGUMENTS if error is not None else SkipReason.EXPIRED if failed else SkipReason.MISSED
    return Move(
        run_id=row.id, before=RunState.WAITING, before_attempt=row.attempt,
        after=RunState.FAILED if failed else RunState.SKIPPED, attempt=row.attempt, at=now, reason=reason, error=error,
        lost=row.lost, schedule_id=row.schedule_id,
    )  # fmt: skip


def _told(move: Move) -> str:
    return facts({"reason": move.reason} if move.error is None else {"reason": move.reason, "error": move.error})
