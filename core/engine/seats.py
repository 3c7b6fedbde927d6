"""Seats: which instances can take one more run, least loaded first, while one turn of choosing lasts.

A turn fills hundreds of seats, and nobody comes, goes or answers while it lasts. So who is able is looked up once for
each handler, and then only kept in order.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from core.engine.ports import Instance

_load: Final = attrgetter("in_flight")


class Pool:
    """The instances of one handler that have a free seat, least loaded first; and their names in the same order."""

    __slots__ = ("_alike", "_instances", "_names")

    def __init__(self, instances: Iterable[Instance]) -> None:
        able = [each for each in instances if each.available and not each.draining and each.in_flight < each.credit]
        able.sort(key=_load)
        self._instances = able
        self._names = [instance.name for instance in able]
        first = able[0] if able else None
        self._alike = all(
            each.guild_id is None and first is not None and each.methods.keys() == first.methods.keys() for each in able
        )

    def able(self, method: str, guild_id: str | None) -> Sequence[str]:
        """Those that have the method and work for the guild. Valid until the next seat is taken."""
        if self._alike:
            return self._names if self._instances and method in self._instances[0].methods else ()
        return [each.name for each in self._instances if method in each.methods and each.works_for(guild_id)]

    def take(self, name: str) -> None:
        """One of them has a run more."""
        place = self._names.index(name)
        instance = self._instances[place]
        instance.in_flight += 1
        if instance.in_flight >= instance.credit:
            del self._instances[place], self._names[place]
            return
        behind = bisect_left(self._instances, instance.in_flight, place + 1, key=_load)
        if behind > place + 1:
            self._instances.insert(behind - 1, self._instances.pop(place))
            self._names.insert(behind - 1, self._names.pop(place))


class Seats:
    """The seats of the whole fleet, for one turn."""

    def __init__(self, fleet: dict[str, dict[str, Instance]]) -> None:
        """``fleet``: every instance by handler and name."""
        self._fleet = fleet
        self._pools: dict[str, Pool] = {}

    def able(self, handler: str, method: str, guild_id: str | None) -> Sequence[str]:
        """Instances that could take a run of this method for this guild now, least loaded first."""
        pool = self._pools.get(handler)
        if pool is None:
            pool = self._pools[handler] = Pool(self._fleet.get(handler, {}).values())
        return pool.able(method, guild_id)

    def take(self, name: str, handler: str) -> None:
        """One that was able has a run more."""
        self._pools[handler].take(name)
