"""The work in hand: what a worker runs for a core, and what came of it until the core says that it is kept."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from schedule_zero.handler import Context, Method, deadline_after
from schedule_zero.process.calling import OnLoop, call, cancelled
from schedule_zero.process.lines import Told
from schedule_zero.process.silences import Silences
from schedule_zero.process.slots import Seat
from schedule_zero.process.telling import Teller
from schedule_zero.transport import wire
from schedule_zero.transport.wire import Ended

Pair = tuple[str, int]
_decode_metadata: Final = msgspec.json.Decoder(dict[str, str]).decode


class _Work(msgspec.Struct):
    """An attempt under way. ``waits``: for a slot, so that nothing of it was done."""

    context: Context
    task: asyncio.Task[None]
    is_async: bool
    waits: bool = True


class Attempts:
    """The attempts one core gave out, by their pairs. They outlive the connection to it."""

    def __init__(
        self, methods: Mapping[str, Method], seat: Seat, *, say: Callable[[msgspec.Struct], None],
        tell: Callable[[Ended], None], heard: Callable[[], bool], silences: Silences,
    ) -> None:  # fmt: skip
        """``seat``: entered for the time of each; ``say``: to the core; ``tell``: it of a result, which may be once more;
        ``heard``: whether the core knows us, so that nothing is said in vain that is not repeated; ``silences``: told before
        an attempt begins that may keep the process from beating."""
        self._methods = methods
        self._seat = seat
        self._say = say
        self._tell = tell
        self._heard = heard
        self._silences = silences
        self._tellers: dict[Pair, Teller] = {}
        self._work: dict[Pair, _Work] = {}
        self._unacknowledged: dict[Pair, tuple[Ended, float]] = {}
        self._empty = asyncio.Event()

    def begin(self, order: wire.Order, *, draining: bool) -> None:
        """Run it, unless that was done already: a pair is run once. Nothing new is begun while ``draining``."""
        pair = (order.run_id, order.attempt)
        if pair in self._work:
            return
        if pair in self._unacknowledged:
            self._end(self._unacknowledged[pair][0])
            return
        method = self._methods.get(order.method)
        if method is None or draining:
            self._say(wire.Nack(order.run_id, order.attempt, "draining" if method is not None else "unknown_method"))
            return
        context = self._context(order)
        task = asyncio.get_running_loop().create_task(self._serve(method, context, order.args))
        self._work[pair] = _Work(context, task, method.is_async)

    def cancel(self, pair: Pair) -> None:
        """Ask it to stop, if it runs here."""
        work = self._work.get(pair)
        if work is None or (work.context.cancelled and not work.is_async):
            return
        work.context.cancelled = True
        work.task.cancel()
        if work.waits:
            del self._work[pair]
            self._end(cancelled(work.context))

    def hand_back(self) -> list[Pair]:
        """Ask all to stop, so that somebody else is given them; those that had begun. Of the others the core hears that they
        had not, for what may be begun but once can still be then."""
        for pair in [pair for pair, work in self._work.items() if work.waits]:
            self._work.pop(pair).task.cancel()
            self._say(wire.Nack(*pair, "draining"))
        for pair in self.running():
            self.cancel(pair)
        return self.running()

    def abandon(self) -> list[Pair]:
        """Ask all to stop, and tell nobody any more what comes of them; those that had not ended."""
        work, self._work = self._work, {}
        for each in work.values():
            each.context.cancelled = True
            each.task.cancel()
        tellers, self._tellers = self._tellers, {}
        for teller in tellers.values():
            teller.close()
        return list(work)

    def forget(self, pairs: Sequence[Pair]) -> None:
        """These results are committed."""
        for pair in pairs:
            self._unacknowledged.pop(pair, None)
            if pair in self._tellers:
                self._tellers.pop(pair).close()
        if not self._work and not self._unacknowledged:
            self._empty.set()

    def running(self) -> list[Pair]:
        """What has not ended."""
        return list(self._work)

    def held(self) -> list[Pair]:
        """What the core shall know to be alive: what runs, and what was not acknowledged."""
        return [*self._work, *self._unacknowledged]

    def untold(self, older_s: float) -> list[Ended]:
        """Results that nobody acknowledged, and that were told so long ago; they count as told now."""
        now = time.monotonic()
        found = [ended for ended, told in self._unacknowledged.values() if now - told >= older_s]
        for ended in found:
            self._unacknowledged[ended.run_id, ended.attempt] = (ended, now)
        return found

    def tell_waiting(self) -> None:
        """Tell what was said while nobody listened."""
        for pair, teller in list(self._tellers.items()):
            if teller.flush(last=pair not in self._work) and pair not in self._work:
                self._tellers.pop(pair).close()

    async def emptied(self, deadline: float) -> None:
        """Until nothing runs and nothing waits for its acknowledgement, at most until then, in monotonic seconds."""
        while (self._work or self._unacknowledged) and (left := deadline - time.monotonic()) > 0:
            self._empty.clear()
            try:
                async with asyncio.timeout(left):
                    await self._empty.wait()
            except TimeoutError:
                return

    async def _serve(self, method: Method, context: Context, args: str) -> None:
        pair = (context.run_id, context.attempt)
        async with self._seat:
            self._work[pair].waits = False
            with self._silences.during(method.info.lease):
                ended = await call(method, context, args)
        if self._work.pop(pair, None) is not None:  # else nobody is told any more
            self._end(ended)

    def _end(self, ended: Ended) -> None:
        """Keep a result until it is acknowledged, and tell of it; before it, what its attempt said last."""
        pair = (ended.run_id, ended.attempt)
        teller = self._tellers.get(pair)
        if teller is not None and teller.flush(last=True):
            self._tellers.pop(pair).close()
        self._unacknowledged[pair] = (ended, time.monotonic())
        self._tell(ended)

    def _context(self, order: wire.Order) -> Context:
        def tell(told: Told) -> None:
            self._say(
                wire.Progress(
                    order.run_id, order.attempt, told.fraction, told.note, list(told.taken.lines), told.taken.left_out
                )
            )

        teller = self._tellers[order.run_id, order.attempt] = Teller(OnLoop(), tell, may_tell=self._heard)
        return Context(
            run_id=order.run_id, attempt=order.attempt, due=order.due, schedule_id=order.schedule_id,
            deadline=deadline_after(time.time_ns() // 1000, order.timeout), guild_id=order.guild_id,
            owner_id=order.owner_id, metadata=_decode_metadata(order.metadata), late_by=order.late_by,
            note=teller.note,
        )  # fmt: skip
