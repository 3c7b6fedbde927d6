"""Seats: which instances can take one more run, least loaded first, while one turn of choosing lasts.

A turn fills hundreds of seats, and nobody comes, goes or answers while it lasts. So who is able is looked up once for
each handler, and then only kept in order.

An instance's load is the work it would have with one run more, for each of its seats: what it runs, times how long its
runs take, by its credit. Run times count in doublings, so that those who are about equally fast take turns. Who is silent
gets nothing. Who failed at its last runs gets nothing while another one is there; then one run, to show that it is well.
Where there is nobody else it goes on getting runs: how many is the affair of its handler's breaker.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from math import log2
from operator import attrgetter
from typing import Final

from core.engine.ports import Instance
from core.engine.routing import Routing

_load: Final = attrgetter("load")
_in_turn: Final = attrgetter("load", "given_at")


class Pool:
    """The instances of one handler that have a free seat, least loaded first; and their names in the same order."""

    __slots__ = ("_alike", "_instances", "_names", "_now", "_staying")

    def __init__(self, instances: Iterable[Instance], now: float) -> None:
        staying = [each for each in instances if each.takes_work]
        able = [each for each in staying if each.in_flight < each.credit]
        if len(able) > 1:
            _weigh(able)
            able.sort(key=_in_turn)
        self._now = now
        self._staying = staying
        self._instances = able
        self._names = [instance.name for instance in able]
        first = able[0] if able else None
        self._alike = all(
            each.guild_id is None and each.bench.until is None and first is not None
            and each.methods.keys() == first.methods.keys()
            for each in able
        ) and (len(staying) == len(able) or all(each.bench.until is None for each in staying))  # fmt: skip

    def able(self, method: str, guild_id: str | None) -> Sequence[str]:
        """Those that have the method and work for the guild. Valid until the next seat is taken."""
        if self._alike:
            return self._names if self._instances and method in self._instances[0].methods else ()
        return [each.name for each in self._well(method, guild_id, None)]

    def fitting(self, method: str, guild_id: str | None, routing: Routing) -> Sequence[str]:
        """Those of them that meet the run's conditions; where it has a key, in the order that goes with that."""
        names = [each.name for each in self._well(method, guild_id, routing)]
        if routing.key is not None and len(names) > 1:
            names.sort(key=routing.rank, reverse=True)
        return names

    def _well(self, method: str, guild_id: str | None, routing: Routing | None) -> list[Instance]:
        """Those with a free seat; not those set aside, while there is anybody else."""

        def serves(each: Instance) -> bool:
            fits = method in each.methods and each.works_for(guild_id)
            return fits and (routing is None or routing.met_by(each))

        able = [each for each in self._instances if serves(each)]
        if any(each.bench.refuses(self._now) for each in able) and any(
            not each.bench.refuses(self._now) and serves(each) for each in self._staying
        ):
            return [each for each in able if not each.bench.refuses(self._now)]
        return able

    def take(self, name: str) -> None:
        """One of them has a run more."""
        place = self._names.index(name)
        instance = self._instances[place]
        instance.in_flight += 1
        instance.given_at = self._now
        if instance.bench.until is not None and not instance.bench.refuses(self._now):
            instance.bench.take(self._now)
        if instance.in_flight >= instance.credit:
            del self._instances[place], self._names[place]
            return
        instance.load += instance.weight
        behind = bisect_left(self._instances, instance.load, place + 1, key=_load)
        if behind > place + 1:
            self._instances.insert(behind - 1, self._instances.pop(place))
            self._names.insert(behind - 1, self._names.pop(place))


class Seats:
    """The seats of the whole fleet, for one turn."""

    def __init__(self, fleet: dict[str, dict[str, Instance]], now: float = 0.0) -> None:
        """``fleet``: every instance by handler and name; ``now``: monotonic seconds."""
        self._fleet = fleet
        self._now = now
        self._pools: dict[str, Pool] = {}

    def able(self, handler: str, method: str, guild_id: str | None, routing: Routing | None = None) -> Sequence[str]:
        """Instances that could take a run of this method for this guild now, those first that shall rather have it."""
        pool = self._pools.get(handler)
        if pool is None:
            pool = self._pools[handler] = Pool(self._fleet.get(handler, {}).values(), self._now)
        return pool.able(method, guild_id) if routing is None else pool.fitting(method, guild_id, routing)

    def take(self, name: str, handler: str) -> None:
        """One that was able has a run more."""
        self._pools[handler].take(name)


def _weigh(instances: Sequence[Instance]) -> None:
    """What one run more means to each. Of whom nothing is known it is hoped that it is as fast as the fastest."""
    fastest = min((each.pace_s for each in instances if each.pace_s), default=1.0)
    for each in instances:
        each.weight = 2.0 ** round(log2(each.pace_s or fastest)) / each.credit
        each.load = (each.in_flight + 1) * each.weight
