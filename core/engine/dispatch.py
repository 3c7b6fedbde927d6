"""Dispatch: waiting runs become attempts. Choose, commit attempt and lease, then send; never send before the commit."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

import msgspec
import structlog

from core.engine.chains import filled_late
from core.engine.choose import Chosen, choose
from core.engine.events import about_attempt
from core.engine.fleet import Fleet
from core.engine.flights import Flight
from core.engine.placeholders import BadPlaceholder, has_placeholders
from core.engine.plan import PlanBook, Terms, lease_of, timeout_of
from core.engine.ports import Clock, Order
from core.engine.usher import Usher
from core.engine.waiting import WaitingRoom
from core.governor.fairness import FairQueue
from core.governor.governor import Governor
from core.governor.sends import is_of
from core.ledger.port import Ledger, ReadyRun, StaleMove, StoreClosed, StoreError, Transaction
from core.ledger.rows import AttemptRow, LeaseRow, Move, RunRow, ScheduleRow
from schedule_zero.event import EventKind
from schedule_zero.run import RunState

log = structlog.get_logger("schedule_zero.dispatch")

BATCH: Final = 512
# Batches the store may still be writing when the next is chosen.
AHEAD: Final = 1
REFUSED_PAUSE_S: Final = 1.0
RATE: Final = "rate"
RATE_WORTH_KEEPING_S: Final = 1.0


class Consequences(Protocol):
    """What the engine does around a dispatch."""

    def runs_withdrawn(self, run_ids: Sequence[str]) -> None: ...
    def begun(self, flights: Sequence[Flight]) -> None: ...
    def not_begun(self, chosen: Sequence[Chosen]) -> None: ...
    def overtaken(self, chosen: Sequence[Chosen], still_waiting: Sequence[RunRow]) -> None: ...


class Begins(msgspec.Struct):
    """What a batch came to.

    Attributes:
        flights: the attempts begun.
        waiting: runs that still wait, but at another attempt than the room believed.
        unfilled: runs there are no arguments for, and why.
        unwelcome: runs of somebody who is banned.
    """

    flights: list[Flight] = []
    waiting: list[RunRow] = []
    unfilled: list[tuple[RunRow, str]] = []
    unwelcome: list[RunRow] = []


class Dispatcher:
    """Gives out runs as capacity allows.

    Attributes:
        held: nothing new is given out for now, because operators want it so.
        banned: the people of whose schedules nothing starts.
    """

    def __init__(
        self, *, clock: Clock, ledger: Ledger, room: WaitingRoom, queue: FairQueue, governor: Governor, fleet: Fleet,
        book: PlanBook, usher: Usher, longest_sleep_s: float, ticks_first: Callable[[], Awaitable[None]],
        consequences: Consequences, wake: asyncio.Event,
    ) -> None:  # fmt: skip
        """``wake``: set by whoever changes something that may let a run start."""
        self._membership = ledger.membership
        self._clock = clock
        self._ledger = ledger
        self._room = room
        self._queue = queue
        self._governor = governor
        self._fleet = fleet
        self._book = book
        self._usher = usher
        self._longest_sleep_s = longest_sleep_s
        self._ticks_first = ticks_first
        self._consequences = consequences
        self._wake = wake
        self._beginning: deque[asyncio.Task[None]] = deque()
        self._turn = asyncio.Lock()
        self._kept_rates: dict[str, str] = {}
        self._paused = False
        self.held = False
        self.banned: frozenset[str] = frozenset()

    def restore_rates(self, stored: dict[str, str]) -> None:
        """Go on from the rate state the last process kept; at start, and of guilds that are taken over."""
        self._kept_rates.update(stored)
        state = {scope: float(ahead) for scope, ahead in stored.items()}
        self._governor.restore_rates(state, self._clock.monotonic())

    def leave_rates(self, owns: Callable[[str | None], bool]) -> None:
        """Keep no rate state of single schedules and channels of guilds that this core works for no more."""
        self._governor.own.leave(owns)

    def forget_rates(self, id: str, *, person: bool) -> None:
        """What was stored of how fast a guild sent messages, or a person outside of guilds, is erased."""
        self._governor.own.forget(id, person=person)
        self._kept_rates = {
            scope: ahead for scope, ahead in self._kept_rates.items() if not is_of(scope, id, person=person)
        }

    def wake(self) -> None:
        """Something changed that may let a run start."""
        self._wake.set()

    def hold(self, *, on: bool) -> None:
        """Give out nothing new for a while; or go on."""
        self.held = on
        if not on:
            self.wake()

    async def pause(self) -> None:
        """Give out nothing more. On return everything given out so far has reached its link."""
        self._paused = True
        await self.settled()

    async def settled(self) -> None:
        """Until what is being given out has reached its link, or was refused; and what was being read is in the room."""
        async with self._turn:
            beginning = list(self._beginning)
        if beginning:
            await asyncio.wait(beginning)

    async def run(self) -> None:
        """Give out runs until cancelled.

        The next batch is chosen while the store still writes the last one, so that neither waits for the other.
        """
        try:
            while True:
                self._wake.clear()
                await self._ticks_first()
                try:
                    await self._committed(but=AHEAD)
                    async with self._turn:
                        some = await self._give_out()
                except StoreClosed:
                    raise
                except StoreError as error:
                    log.warning("the store refused; dispatch waits", error=str(error))
                    await asyncio.sleep(REFUSED_PAUSE_S)
                    continue
                if not some:
                    await self._sleep()
        finally:
            for task in self._beginning:
                task.cancel()

    async def _give_out(self) -> bool:
        """Choose a batch and set it on its way; whether there was anything to choose."""
        await self._look_after_waiting()
        chosen = self._choose()
        if chosen:
            begun = asyncio.create_task(self._begin(chosen), name="dispatch")
            begun.add_done_callback(lambda _: self.wake())
            self._beginning.append(begun)
        return bool(chosen)

    async def _committed(self, *, but: int) -> None:
        """Wait until no more than so many batches are on their way. Raises what refused one of them."""
        while self._beginning and (len(self._beginning) > but or self._beginning[0].done()):
            await asyncio.wait([self._beginning[0]])
            self._beginning.popleft().result()

    async def _look_after_waiting(self) -> None:
        self._room.mature(self._clock.monotonic())
        expired = self._room.expired(self._clock.now())
        if expired:
            try:
                await self._committed(but=0)  # what begins just in time does not expire
                self._consequences.runs_withdrawn(await self._usher.see_out(expired))
            except StoreError:
                self._room.expect_again(expired)
                raise
        if self._room.has_room() and self._usher.again_at <= self._clock.monotonic():
            await self._committed(but=0)  # what is read would not tell that it is being given out, and may be cancelled
            await self._usher.refill()
        if self._room.unknown:
            await self._usher.look_up()

    def _choose(self) -> list[Chosen]:
        if self._paused or self.held:
            return []
        now = self._clock.monotonic()
        seats, apart = self._fleet.seats(now), self._fleet.is_shared_out
        return choose(self._queue, self._governor, seats, now, BATCH, apart)

    async def _sleep(self) -> None:
        now = self._clock.monotonic()
        times = [at for at in (self._room.wake_at(), self._queue.wake_at(now)) if at is not None]
        if self._room.has_room():
            times.append(self._usher.again_at)
        deadline = self._room.soonest_deadline()
        if deadline is not None:
            times.append(now + (deadline - self._clock.now()) / 1e6 + 0.001)
        seconds = min([self._longest_sleep_s, *(max(0.0, at - now) for at in times)])
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass

    async def _begin(self, chosen: list[Chosen]) -> None:
        """Commit attempts and leases, then send what was committed."""
        try:
            begins = await self._write(chosen, self._rates())
        except StoreError:
            self._consequences.not_begun(chosen)
            raise
        flights, waiting = begins.flights, begins.waiting
        if begins.unfilled:
            errors = {run.id: error for run, error in begins.unfilled}
            try:
                await self._usher.see_out(list(errors), errors)
            except StoreError as error:  # each is chosen again, and ends then
                log.warning("the store refused; what cannot be filled in waits", error=str(error))
                waiting = [*waiting, *(run for run, _ in begins.unfilled)]
        if begins.unwelcome:
            waiting = [*waiting, *await self._turn_away(begins.unwelcome)]
        if self._membership is not None:
            while not self._membership.is_sure():  # frozen since: what others work for by now is not sent
                await self._membership.confirm()
        log.debug("attempts begin", count=len(flights))
        now, monotonic = self._clock.now(), self._clock.monotonic()
        for flight in flights:
            flight.take_off(now, monotonic)
        begun = {flight.order.run_id for flight in flights}
        for item in chosen:
            if item.place.run_id in begun:
                self._room.leave(item.place.run_id)
        if len(begun) < len(chosen):
            self._consequences.overtaken([item for item in chosen if item.place.run_id not in begun], waiting)
        self._consequences.begun(flights)
        self._send(flights)

    async def _write(self, chosen: list[Chosen], rates: dict[str, str | None]) -> Begins:
        """The attempts begun, and what became of the others.

        Nearly always the plan at hand is the schedule as it stands, so that is not asked first: the ledger refuses
        moves under any other revision, and then each run is looked at.
        """
        planned = self._planned(chosen)
        if planned is not None:
            try:
                await self._ledger.write(_begun(planned, rates))
            except StaleMove as error:
                log.debug("attempts are looked through", reason=str(error), count=len(planned))
            else:
                return Begins(planned)
        begins = await self._ledger.write(self._doubting(chosen, rates))
        self._forget_old_plans(begins.flights)
        return begins

    async def _turn_away(self, runs: Sequence[RunRow]) -> Sequence[RunRow]:
        """Cancel runs of somebody who is banned; those that still wait, where the store refused."""
        try:
            await self._usher.turn_away([run.id for run in runs])
        except StoreError as error:  # each is chosen again, and ends then
            log.warning("the store refused; runs of somebody who is banned wait", error=str(error))
            return runs
        return ()

    def _forget_old_plans(self, flights: Sequence[Flight]) -> None:
        """A plan compiled from a row that was read before a change and came after it would be refused again and again."""
        for flight in flights:
            plan = self._book.known(flight.order.schedule_id)
            if plan is not None and (plan.row.revision, plan.row.failures) != (flight.revision, flight.failures):
                self._book.drop(flight.order.schedule_id)

    def _planned(self, chosen: list[Chosen]) -> list[Flight] | None:
        """The attempts as the plans at hand say; None unless there is one for each."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        flights: list[Flight] = []
        for item in chosen:
            plan = self._book.known(item.place.schedule_id)
            if plan is None or plan.row.owner_id in self.banned:
                return None
            args = plan.row.args if item.place.args is None else item.place.args
            if item.place.args is None and plan.row.follows and has_placeholders(args):
                return None  # they came while it waited, and are filled in from what it follows
            flights.append(self._flight(item, plan.row, args, now, monotonic))
        return flights

    def _doubting(
        self, chosen: list[Chosen], rates: dict[str, str | None]
    ) -> Callable[[Transaction], Awaitable[Begins]]:
        """Look at each run before it moves, and leave out what waits no more, or at another attempt."""

        async def unit(tx: Transaction) -> Begins:
            now, monotonic = self._clock.now(), self._clock.monotonic()
            ready = await tx.runs.ready([item.place.run_id for item in chosen])
            begins = Begins()
            for item in chosen:
                run = ready.get(item.place.run_id)
                if run is None or run.run.state is not RunState.WAITING:
                    continue
                if run.run.attempt != item.place.attempt:
                    begins.waiting.append(run.run)
                    continue
                if run.owner_id in self.banned:
                    begins.unwelcome.append(run.run)
                    continue
                late = None
                if run.run.args is None and has_placeholders(run.args):
                    try:
                        late = await filled_late(tx, run.run)
                    except BadPlaceholder as error:
                        begins.unfilled.append((run.run, f"{error.place}: {error.message}"))
                        continue
                begins.flights.append(self._flight(item, run, late or run.args, now, monotonic))
            # Written after the next batch, perhaps: then it is that one's state that counts.
            await _begun(begins.flights, {scope: self._kept_rates.get(scope) for scope in rates})(tx)
            return begins

        return unit

    def _send(self, flights: Sequence[Flight]) -> None:
        by_link: dict[str, list[Order]] = {}
        for flight in flights:
            by_link.setdefault(flight.instance, []).append(flight.order)
        for instance, orders in by_link.items():
            link = self._fleet.link(instance)
            if link is not None:  # else it left during the commit; the lease runs out and the attempt is lost
                link.send(orders)

    def _rates(self) -> dict[str, str | None]:
        """Rate state to keep with these attempts: only what a restart, which takes a second, would still notice."""
        changed = self._governor.changed(self._clock.monotonic())
        kept = {scope: repr(ahead) for scope, ahead in changed.items() if ahead > RATE_WORTH_KEEPING_S}
        gone = {scope: None for scope in changed if scope in self._kept_rates and scope not in kept}
        self._kept_rates = {scope: ahead for scope, ahead in self._kept_rates.items() if scope not in gone} | kept
        return {**kept, **gone}

    def _flight(self, item: Chosen, schedule: ReadyRun | ScheduleRow, args: str, now: int, monotonic: float) -> Flight:
        place, terms = item.place, self._book.terms.of(schedule.policy)
        info = self._fleet.method(place.handler, place.method, place.guild_id)
        timeout_s, lease_s = timeout_of(terms.timeout_s, info), lease_of(info)
        order = Order(
            run_id=place.run_id, attempt=place.attempt + 1, schedule_id=place.schedule_id, guild_id=place.guild_id,
            owner_id=schedule.owner_id, handler=place.handler, method=place.method, instance=item.instance,
            due=place.due, late_by=max(0, now - place.due), deadline=now + int(timeout_s * 1e6), timeout_s=timeout_s,
            args=args, metadata=schedule.metadata,
        )  # fmt: skip
        return Flight(
            order=order, terms=terms, start_before=place.start_before, instance=item.instance, sent_at=monotonic,
            sent=now, lease_s=lease_s, lease_until=monotonic + lease_s, timeout_at=monotonic + timeout_s,
            revision=schedule.revision, failures=schedule.failures, lost=place.lost,
            at_most_once=_at_most_once(terms, info is not None and info.at_most_once),
            confined=self._fleet.is_confined(item.instance, place.handler, place.guild_id), taken_at=item.taken_at,
            routing=place.routing,
        )  # fmt: skip


def _begun(flights: Sequence[Flight], rates: dict[str, str | None]) -> Callable[[Transaction], Awaitable[None]]:
    """The transaction that begins attempts: runs move, attempts and leases are there, and it is told."""
    moves, attempts, leases, events = [], [], [], []
    for flight in flights:
        order = flight.order
        moves.append(
            Move(run_id=order.run_id, before=RunState.WAITING, before_attempt=order.attempt - 1,
                 after=RunState.DISPATCHED, attempt=order.attempt, at=flight.sent, args=order.args, lost=flight.lost,
                 revision=flight.revision, failures=flight.failures)
        )  # fmt: skip
        attempts.append(
            AttemptRow(run_id=order.run_id, attempt=order.attempt, handler=order.handler, instance=order.instance,
                       sent=flight.sent)
        )  # fmt: skip
        leases.append(
            LeaseRow(run_id=order.run_id, attempt=order.attempt, instance=order.instance,
                     remaining=int(flight.lease_s * 1e6), at_most_once=int(flight.at_most_once))
        )  # fmt: skip
        events.append(about_attempt(order, EventKind.RUN_DISPATCHED, flight.sent, f'{{"attempt":{order.attempt}}}'))

    async def unit(tx: Transaction) -> None:
        if flights:
            await tx.runs.move(moves)
            await tx.runs.begin(attempts, leases)
            await tx.journal.append(events)
        if rates:
            await tx.notes.put(RATE, rates)

    return unit


def _at_most_once(terms: Terms, declared: bool) -> bool:
    """The stricter of the schedule's policy and the method's own word."""
    return declared or terms.policy.delivery == "at_most_once"
