"""Gates: every limit that refused, who waits behind it, and when it opens. Nothing is polled."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from typing import Final

from core.governor.lanes import QUANTUM_S, Gate, Lane, Share
from core.governor.verdict import Wait

SCOPES_KEPT: Final = 1024


class Gates:
    """The gates by scope, and an alarm for each that opens by time. ``any``: whether anything was refused yet."""

    def __init__(self, places: Iterator[int]) -> None:
        self._places = places
        self.any = False
        self._by_scope: dict[str, dict[tuple[str, str, str, int], Gate]] = {}
        self._most = SCOPES_KEPT
        self._alarms: list[tuple[float, int, Gate]] = []

    def refuse(
        self, waiter: Share | Lane, scope: str, wait: Wait, *, method: str = "", guild: str = "",
        until: float | None, releasable: bool,
    ) -> None:  # fmt: skip
        """Hold a waiter back behind the gate of a scope's limit.

        Args:
            scope: under which name a release opens the gate.
            wait: what ``why`` tells.
            method: tells apart the gates of one handler, whose methods may run on different processes.
            guild: tells apart those of one method, where guilds, or runs of different wants, wait for different processes.
            until: monotonic seconds at which it opens by itself.
            releasable: whether a release opens it.
        """
        self.any = True
        share = waiter.share if isinstance(waiter, Lane) else waiter
        limit = "" if method else wait.limit
        key = (limit, method, guild, share.band.priority)
        gates = self._by_scope.get(scope)
        if gates is None:
            gates = self._new_scope(scope)
        gate = gates.get(key)
        if gate is None:
            gate = gates[key] = Gate(share.band, method, wait, self._places)
        gate.wait, gate.until, gate.releasable = wait, until, releasable
        if isinstance(waiter, Lane):
            waiter.barrier = gate
        self._hold(gate, waiter, share)

    def refuse_again(self, lane: Lane) -> bool:
        """Hold a lane back without asking, if the gate that did so last is closed: it would meet the same refusal."""
        gate = lane.barrier
        if gate is None or not gate.closed:
            return False
        self._hold(gate, lane, lane.share)
        return True

    def _hold(self, gate: Gate, waiter: Share | Lane, share: Share) -> None:
        gate.hold(waiter, int(share.served / QUANTUM_S))
        if gate.until is not None and (gate.armed is None or gate.armed > gate.until):
            self._arm(gate, gate.until)

    def release(self, scope: str, method: str = "") -> None:
        """Open the gates of a scope that a release opens; of a handler's, only those of one method if it is given."""
        for gate in self._by_scope.get(scope, {}).values():
            if gate.releasable and (not method or gate.method == method):
                gate.open()

    def open_all(self) -> None:
        """Open every gate: anything may have changed."""
        for gates in self._by_scope.values():
            for gate in gates.values():
                gate.open()

    def open_due(self, now: float) -> None:
        """Open the gates whose time has come."""
        while (at := self.next_alarm()) is not None and at <= now:
            gate = heapq.heappop(self._alarms)[2]
            gate.armed = None
            gate.open()

    def next_alarm(self) -> float | None:
        """When the next gate opens by time. Alarms that mean nothing any more fall out, early ones move."""
        while self._alarms:
            at, _, gate = self._alarms[0]
            if gate.armed == at and not gate.place and gate.waiters.size and gate.until is not None:
                if gate.until <= at:
                    return at
                heapq.heappop(self._alarms)
                self._arm(gate, gate.until)
            else:
                heapq.heappop(self._alarms)
                if gate.armed == at:
                    gate.armed = None
        return None

    def forget(self, scope: str) -> None:
        """Nobody waits for this scope any more, and nobody is likely to."""
        self._by_scope.pop(scope, None)

    def _new_scope(self, scope: str) -> dict[tuple[str, str, str, int], Gate]:
        """Schedules and channels are many and come and go: scopes where nobody waits make room."""
        if len(self._by_scope) >= self._most:
            for name, gates in list(self._by_scope.items()):
                if not any(gate.waiters.size for gate in gates.values()):
                    for gate in gates.values():
                        gate.closed = False  # nobody shall be sent back to it
                    del self._by_scope[name]
            self._most = max(SCOPES_KEPT, 2 * len(self._by_scope))
        return self._by_scope.setdefault(scope, {})

    def _arm(self, gate: Gate, at: float) -> None:
        gate.armed = at
        heapq.heappush(self._alarms, (at, next(self._places), gate))
