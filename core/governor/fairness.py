"""The fair queue: which waiting run is tried next.

Three bands by priority; in a band, deficit round robin over guilds, charged by run time; in a guild, (due, id). No
guild holds more than 80 % of the slots while another one is active. What a limit refused is parked behind a gate and
costs nothing until the gate opens; ``docs/governor.md`` tells the whole of it.

Deficit round robin (Shreedhar and Varghese, 1995) gives each guild a quantum of service per round and lets a guild
in debt sit rounds out. Here those rounds are not walked through: a guild's turn is the round in which it is out of
debt, reckoned from what it was served, so a step costs the logarithm of the guilds that wait, whatever runs last.

Nothing here reads a clock; ``now`` is monotonic seconds. ``next``, the governor's answer and ``park`` belong into one
turn of the loop: a release between them would pass unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Final

from core.governor.activity import Activity
from core.governor.gates import Gates
from core.governor.lanes import QUANTUM_S, Account, Band, Lane, Share, Standing, Waiting
from core.governor.verdict import HANDLERS, Wait

__all__ = ["FairQueue", "Standing", "Waiting"]

SLOTS: Final = 1000
LARGEST_SHARE: Final = 0.8
PATIENCE: Final = 15  # a band is passed over so often before it goes first
FIRST_GUESS_S: Final = 0.1  # what a run of an unknown method is charged at its start
LEARNING: Final = 0.2  # the weight of the newest run in a method's average
LEAST_S: Final = 0.0005  # the shortest run costs the core this much, so none is free


def _equal(guild: str | None) -> float:  # noqa: ARG001 - the place of a function that tells guilds apart
    return 1.0


class FairQueue:
    """Waiting runs in, the next one to try out. One per core."""

    def __init__(
        self, slots: int = SLOTS, *, largest_share: float = LARGEST_SHARE,
        weight_of: Callable[[str | None], float] = _equal,
    ) -> None:  # fmt: skip
        """Start empty.

        Args:
            slots: how many runs can run at once in all; see ``resize``.
            largest_share: the part of the slots one guild may hold while others are active.
            weight_of: a guild's share relative to others', above 0.
        """
        places: Iterator[int] = count(1)
        low = Band(2, (), places)
        normal = Band(1, (low,), places)
        self._bands = (Band(0, (normal, low), places), normal, low)
        self._places = places
        self._weight_of = weight_of
        self._largest_share = largest_share
        self._accounts: dict[str | None, Account] = {}
        self._entries: dict[str, Waiting] = {}
        self._held: dict[str, Waiting] = {}
        self._run_time: dict[str, float] = {}
        self._activity = Activity(self._forget)
        self._gates = Gates(places)
        self._handlers: dict[str, str] = {}
        self._shut: Wait | None = None
        self._cap = _cap(slots, largest_share)

    # runs come and go

    def put(self, entry: Waiting) -> None:
        """A run waits.

        Raises:
            ValueError: it waits already, it still holds a slot, or its priority is not 0, 1 or 2.
        """
        if self.holds(entry.run_id):
            raise ValueError(f"run {entry.run_id} is in the queue already")
        lane = entry.lane = self._lane(entry)
        self._seat(entry, lane)

    def holds(self, run_id: str) -> bool:
        """Whether a run waits here, or holds a slot."""
        return run_id in self._entries or run_id in self._held

    def withdraw(self, run_id: str) -> Waiting | None:
        """A run waits no more; None if it did not wait here."""
        entry = self._entries.pop(run_id, None)
        if entry is not None:
            account = entry.lane.share.account
            entry.lane.drop(entry)
            account.waiting -= 1
            if not account.busy:
                self._activity.end(account)
        return entry

    def next(self, now: float) -> Waiting | None:
        """The next run to try; it leaves the queue and holds a slot. None: nothing can start before ``wake_at``.

        Whoever calls asks the governor for it, and then either keeps it until ``finished``, or gives it to ``park``
        with the refusal.
        """
        self._settle(now)
        if self._shut is not None:
            return None
        while (band := self._ready_band()) is not None:
            member = band.ring.first()
            lane = None if member is None else member.candidate()
            if lane is None or self._gates.refuse_again(lane):
                continue
            if lane.share.account.held < self._cap or not self._over_share(lane.share, now):
                return self._hand_out(band, lane)
        return None

    def park(self, entry: Waiting, wait: Wait, *, apart: bool = False) -> None:
        """A run just handed out was refused. It waits on, and with it whatever the same refusal would meet.

        A refusal by ``global`` shuts the queue, one by a plan or a guild parks the guild, one by a method or a handler, or
        because the guild may not use the handler, parks that method of the guild; until the time it names, or until its scope is ``released``.

        ``apart``: guilds wait for different instances of the handler, so none stands behind another's refusal.
        """
        lane, share, band = entry.lane, entry.lane.share, entry.lane.share.band
        self._refund(entry)
        self._seat(entry, lane)
        self._vacate(entry)
        band.level = band.level_before  # who comes now comes to where service stands, and stands in front of the others
        band.passed = max(band.passed, band.passed_before)  # a band that was refused has not had its turn
        kind, by_release = wait.scope.partition(":")[0], wait.until is None
        if kind == "global":
            self._shut = wait
        elif kind == "guild" and wait.limit == HANDLERS:  # other handlers it may use; no end of a run changes that
            self._gates.refuse(lane, wait.scope, wait, guild=entry.handler, until=None, releasable=False)
        elif kind in {"plan", "guild"}:
            self._gates.refuse(share, wait.scope, wait, until=wait.until, releasable=by_release)
        elif kind == "handler" or wait.limit == HANDLERS:
            handler = self._handlers[lane.method] = f"handler:{entry.handler}"
            guild = f"{lane.share.account.scope if apart else ''} {entry.wants}"
            self._gates.refuse(lane, handler, wait, method=lane.method, guild=guild, until=wait.until, releasable=True)
        else:
            self._gates.refuse(lane, wait.scope, wait, until=wait.until, releasable=by_release)

    def started(self, entry: Waiting) -> None:
        """A run has started. One that was never handed out here, from before a restart, takes its slot now."""
        if entry.run_id not in self._held:
            entry.lane = self._lane(entry)
            account = entry.lane.share.account
            if not account.busy:
                self._activity.begin(account)
            account.held += 1
            self._held[entry.run_id] = entry

    def finished(self, entry: Waiting, seat_seconds: float) -> None:
        """A run's attempt ended, or was never begun. Its slot is free, and the charge for it is set right.

        That lets go whom the cap or its handler's load held back; limits of the governor are ``released``.

        Args:
            seat_seconds: how long it held the slot; 0: never begun, which costs and teaches nothing.
        """
        if self._held.get(entry.run_id) is not entry:
            return
        share = entry.lane.share
        if seat_seconds > 0:
            self._learn(entry.method, seat_seconds)
            charge, entry.charge = entry.charge, 0.0
            share.correct(max(seat_seconds, LEAST_S) / share.account.weight - charge)
        else:
            self._refund(entry)
        self._vacate(entry)
        if seat_seconds <= 0:
            self._open_all()  # its start was undone, so even a rate may have room before the time it named
            return
        if self._gates.any:
            self._gates.release(share.account.scope)
            self._gates.release(f"handler:{entry.handler}")

    def finished_run(self, run_id: str, guild: str | None, method: str, seat_seconds: float) -> None:
        """As ``finished``, for who keeps only the run's id. A run not known here still teaches its method."""
        entry = self._held.get(run_id)
        if entry is not None:
            self.finished(entry, seat_seconds)
        elif seat_seconds > 0:
            self._learn(method, seat_seconds)

    # what may let parked runs go

    def released(self, scope: str) -> None:
        """Something of a scope is free again: a place of its running limit, or a handler that can take more.

        ``handler:NAME`` is a handler with all its methods, ``handler:INSTANCE/METHOD`` one method on one process.
        """
        if scope == "global":
            if self._shut is not None and self._shut.until is None:
                self._shut = None
            return
        kind, _, name = scope.partition(":")
        method = name.partition("/")[2] if kind == "handler" else name if kind == "method" else ""
        if method and method in self._handlers:
            self._gates.release(self._handlers[method], method)
        self._gates.release(scope)

    def wake_all(self) -> None:
        """Everything parked is tried again: limits, weights or the fleet have changed."""
        for account in self._accounts.values():
            account.weight = self._weight_of(account.guild)
        self._open_all()

    def resize(self, slots: int) -> None:
        """So many runs can run at once now, by the global limit or by what all handlers together take."""
        self._cap = _cap(slots, self._largest_share)
        self._open_all()

    # questions

    def wake_at(self, now: float) -> float | None:
        """When something parked may start by time alone (monotonic seconds); None: nothing does."""
        at = self._gates.next_alarm() if self._shut is None else self._shut.until
        return None if at is None else max(now, at)

    def why(self, run_id: str) -> Wait | None:
        """What a waiting run waits for. None: for its turn only, or it does not wait here."""
        entry = self._entries.get(run_id)
        if entry is None:
            return None
        gate = entry.lane.share.gate or entry.lane.gate
        return self._shut or (None if gate is None else gate.wait)

    def waiting(self) -> int:
        """How many runs wait."""
        return len(self._entries)

    def held_by(self, guild: str | None) -> int:
        """How many slots a guild holds."""
        account = self._accounts.get(guild)
        return 0 if account is None else account.held

    def standing(self) -> Iterator[Standing]:
        """Everything that waits, by guild, band and method."""
        for account in self._accounts.values():
            for share in account.shares.values():
                for lane in share.lanes.values():
                    if lane.waiting:
                        gate = share.gate or lane.gate
                        wait = self._shut or (None if gate is None else gate.wait)
                        yield Standing(account.guild, lane.method, lane.waiting, wait)

    def ready(self) -> Iterator[Waiting]:
        """Every run that waits for nothing but its turn."""
        for account in () if self._shut is not None else self._accounts.values():
            for share in account.shares.values():
                for lane in share.standing() if share.gate is None else ():
                    yield from lane.entries()

    def waits(self, run_id: str) -> Waiting | None:
        """The entry of a run that waits here."""
        return self._entries.get(run_id)

    def under_way(self, guild: str | None) -> Iterator[str]:
        """The schedule of each of a guild's runs that hold a slot."""
        return (entry.schedule for entry in self._held.values() if entry.guild == guild)

    def holders(self) -> Iterator[tuple[str | None, int]]:
        """Every guild that holds slots, and how many."""
        return ((account.guild, account.held) for account in self._accounts.values() if account.held)

    # steps

    def _settle(self, now: float) -> None:
        if self._activity.ended:
            self._activity.settle(now)
        if self._gates.any:
            self._gates.open_due(now)
        if self._shut is not None and self._shut.until is not None and self._shut.until <= now:
            self._shut = None

    def _open_all(self) -> None:
        self._shut = None
        self._gates.open_all()

    def _ready_band(self) -> Band | None:
        """The highest band that has something to try; a lower one after it was passed over 15 times in a row."""
        chosen = None
        for band in self._bands:
            if band.ring.size and (chosen is None or band.passed >= PATIENCE):
                chosen = band
        return chosen

    def _over_share(self, share: Share, now: float) -> bool:
        """Whether a guild at the cap has to wait, because others are active. Then it waits until it holds less."""
        if not self._activity.several(now):
            return False
        account = share.account
        wait = Wait(account.scope, "share", account.held, self._cap)
        self._gates.refuse(share, account.scope, wait, until=self._activity.lapse(now), releasable=True)
        return True

    def _hand_out(self, band: Band, lane: Lane) -> Waiting:
        share, gate = lane.share, lane.gate
        entry = lane.pop()
        del self._entries[entry.run_id]
        self._held[entry.run_id] = entry
        share.account.waiting -= 1
        share.account.held += 1
        band.level_before, band.level = band.level, share.served
        entry.charge = self._run_time.get(lane.method, FIRST_GUESS_S) / share.account.weight
        share.serve(entry.charge)
        if gate is not None:  # it was tried where it stood
            gate.was_tried(lane, int(share.served / QUANTUM_S))
        for lower in band.lower:
            if lower.ring.size:
                lower.passed += 1
        band.passed_before, band.passed = band.passed, 0
        return entry

    def _seat(self, entry: Waiting, lane: Lane) -> None:
        account = lane.share.account
        if not account.waiting and not account.held:
            self._activity.begin(account)
        account.waiting += 1
        self._entries[entry.run_id] = entry
        lane.push(entry, next(self._places))

    def _refund(self, entry: Waiting) -> None:
        entry.lane.share.serve(-entry.charge)
        entry.charge = 0.0

    def _vacate(self, entry: Waiting) -> None:
        account = entry.lane.share.account
        del self._held[entry.run_id]
        account.held -= 1
        if not account.busy:
            self._activity.end(account)

    def _learn(self, method: str, seat_seconds: float) -> None:
        """A method's run time is a moving average; what a run is charged at its start comes from it."""
        known = self._run_time.get(method)
        measured = max(seat_seconds, LEAST_S)
        self._run_time[method] = measured if known is None else known + LEARNING * (measured - known)

    def _lane(self, entry: Waiting) -> Lane:
        """Where a run stands, made if need be."""
        try:
            return self._accounts[entry.guild].shares[entry.priority].lanes[entry.kind]
        except KeyError:
            return self._new_lane(entry)

    def _new_lane(self, entry: Waiting) -> Lane:
        if not 0 <= entry.priority < len(self._bands):
            raise ValueError(f"priority of run {entry.run_id} has to be 0, 1 or 2, not {entry.priority}")
        account = self._accounts.get(entry.guild)
        if account is None:
            account = self._accounts[entry.guild] = Account(entry.guild, self._weight_of(entry.guild))
        share = account.shares.get(entry.priority)
        if share is None:
            share = account.shares[entry.priority] = Share(account, self._bands[entry.priority])
        lane = Lane(share, entry.method)
        share.add(entry.kind, lane)
        return lane

    def _forget(self, account: Account) -> None:
        """A guild that was quiet for ten minutes is as good as new."""
        del self._accounts[account.guild]
        self._gates.forget(account.scope)


def _cap(slots: int, largest_share: float) -> int:
    """How many slots one guild may hold; at least one."""
    return max(1, int(slots * largest_share))
