"""Errands: what takes many transactions, kept in the ledger until it is done, so that no end of a process forgets it.

Whoever begins one writes it down in the transaction of their change. Each step is a transaction of its own that also
says how far the errand is; a process that ends between two steps, or in one, goes on at its next start. Of one subject
there is one errand at a time. Several cores may work on the same: a step counts only while the errand stands as it read it.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Final, Literal, TypeVar

import msgspec
import structlog

from core.ledger.port import StoreError, Transaction
from core.service.desk import ERRAND, Desk
from core.service.effects import Effects
from schedule_zero.errors import StorageFull, Unavailable

log = structlog.get_logger("schedule_zero.errands")

KIND: Final = ERRAND
LOOK_S: Final = 5.0
WAIT_S: Final = 0.5

_T = TypeVar("_T")
What = Literal["leave", "return", "erase_guild", "erase_user"]


class Errand(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One errand, as it is kept.

    Attributes:
        subject: the id of the guild or person it is about.
        since: when it was begun, or what it is about did; microseconds.
        by: who wanted it, as the audit names them.
        phase, after: how far it is: its part, and the key behind which that part goes on.
        resumed, over, missed, most: of a return: schedules that go on, that are over, due times missed, and the schedules
            that missed most of them.
    """

    what: What
    subject: str
    since: int
    by: str = "core:core"
    phase: int = 0
    after: str = ""
    resumed: int = 0
    over: int = 0
    missed: int = 0
    most: tuple[tuple[str, int], ...] = ()

    @property
    def key(self) -> str:
        """What it is kept under."""
        return f"{'user' if self.what == 'erase_user' else 'guild'}:{self.subject}"


class NotYet(Exception):
    """A step cannot be made at the moment: something has to end first."""


Step = Callable[[Errand], Awaitable[Errand | None]]
"""One step: the errand as it stands after it, None when it is done. Raises NotYet."""


class Errands:
    """Carries errands on."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._steps: dict[What, Step] = {}
        self._chores: list[Callable[[], Awaitable[None]]] = []
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._wake = asyncio.Event()

    def learn(self, what: What, step: Step) -> None:
        """How errands of a kind go on."""
        self._steps[what] = step

    def also(self, chore: Callable[[], Awaitable[None]]) -> None:
        """Do this at every look, too: what only time begins."""
        self._chores.append(chore)

    def wake(self) -> None:
        """There is a new one."""
        self._wake.set()

    async def standing(self, tx: Transaction, key: str) -> Errand | None:
        """The errand of a subject, inside a transaction; nobody else changes it until that ends."""
        text = await tx.notes.get(KIND, key)
        return None if text is None else msgspec.json.decode(text, type=Errand)

    async def load(self) -> None:
        """Find out at the start, before anything can change, whether an erasure stands: else no change need look for one."""
        standing = (await self._desk.reader.notes.all(KIND)).values()
        self._desk.may_erase = any(msgspec.json.decode(text, type=Errand).what == "erase_guild" for text in standing)

    async def begin(self, tx: Transaction, errand: Errand) -> None:
        """Write an errand down, in place of another about the same subject."""
        if errand.what == "erase_guild":
            self._desk.may_erase = True  # from here on, and not only once this is committed
        await tx.notes.put(KIND, {errand.key: msgspec.json.encode(errand).decode()})

    async def end(self, tx: Transaction, key: str) -> None:
        """There is nothing more to do about this subject."""
        await tx.notes.put(KIND, {key: None})

    async def step(
        self, errand: Errand, work: Callable[[Transaction, Effects], Awaitable[Errand | None]]
    ) -> Errand | None:
        """One transaction of an errand, if it still stands as it was read; what is left of it, None: nothing, or another.
        ``work`` answers how it stands behind that."""

        async def unit(tx: Transaction, effects: Effects) -> Errand | None:
            if await self.standing(tx, errand.key) != errand:
                return None
            after = await work(tx, effects)
            log.debug("an errand goes on", what=errand.what, phase=errand.phase, after=errand.after)
            await (self.end(tx, errand.key) if after is None else self.begin(tx, after))
            return after

        return await self._desk.carry_on(unit)

    async def run(self) -> None:
        """Carry on what is open, now and whenever there is more, until cancelled."""
        while True:
            self._wake.clear()
            for chore in self._chores:
                await self._tried(chore())
            waits = await self.turn()
            try:
                async with asyncio.timeout(WAIT_S if waits else LOOK_S):
                    await self._wake.wait()
            except TimeoutError:
                continue

    async def turn(self) -> bool:
        """Carry on what is open as far as it goes; whether something has to wait for a moment."""
        keys = await self._tried(self._desk.reader.notes.all(KIND))
        results = [await self._tried(self.see_through(key)) for key in keys or ()]
        return False in results

    async def see_through(self, key: str) -> bool:
        """Carry one errand on; whether it is done."""
        async with self._locks[key]:
            while (text := await self._desk.reader.notes.get(KIND, key)) is not None:
                errand: Errand | None = msgspec.json.decode(text, type=Errand)
                try:
                    while errand is not None:
                        errand = await self._steps[errand.what](errand)
                        await asyncio.sleep(0)
                except NotYet:
                    return False
        self._locks.pop(key, None)
        return True

    async def _tried(self, work: Awaitable[_T]) -> _T | None:
        """What it comes to; None where it could not be done now. One errand in trouble holds up no other."""
        try:
            return await work
        except (StoreError, StorageFull, Unavailable) as error:
            log.warning("the store refused; going on later", error=str(error))
        except Exception:  # whatever is wrong with one errand: it is tried again, and the others go on
            log.exception("an errand failed; it is tried again later")
        return None
