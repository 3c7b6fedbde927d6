"""Overstayed: attempts that were closed although their handler would not stop.

The run goes on without them at once. The handler's seat does not: whatever it still does takes up its room there, so it
counts against its credit until the handler has ended it, or is gone.
"""

from __future__ import annotations

from collections.abc import Sequence

from core.engine.flights import Flight

Pair = tuple[str, int]


class Overstayed:
    """The attempts that take up a seat and are nobody's any more, by who has them."""

    def __init__(self) -> None:
        self._held: dict[str, dict[Pair, str]] = {}

    def add(self, flight: Flight) -> None:
        """Its handler goes on with it."""
        order = flight.order
        self._held.setdefault(flight.instance, {})[order.run_id, order.attempt] = order.handler

    def ended(self, instance: str, pairs: Sequence[Pair]) -> list[str]:
        """The handlers of those of these that took up a seat: they are over, as the instance says."""
        held = self._held.get(instance)
        if held is None:
            return []
        return self._forget(instance, [pair for pair in pairs if pair in held])

    def gone(self, instance: str) -> list[str]:
        """The same of all that an instance has: it went."""
        return self._forget(instance, list(self._held.get(instance, ())))

    def _forget(self, instance: str, pairs: Sequence[Pair]) -> list[str]:
        held = self._held.get(instance, {})
        handlers = [held.pop(pair) for pair in pairs]
        if not held:
            self._held.pop(instance, None)
        return handlers
