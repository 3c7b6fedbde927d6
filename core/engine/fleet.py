"""The fleet: which handlers are there, what they can do, and whom to ask next."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import islice
from typing import Final

from core.engine.ports import HandlerLink, Instance
from core.engine.seats import Seats
from schedule_zero.handler import Method, MethodInfo

# Handlers that are known although nobody serves them at the moment, and instances that were told to leave.
ABSENT_KEPT: Final = 500
DRAINED_KEPT: Final = 1000

Methods = dict[str, MethodInfo]


class Fleet:
    """Every instance of every handler, and the link to each."""

    def __init__(self) -> None:
        self._instances: dict[str, dict[str, Instance]] = {}
        self._links: dict[str, HandlerLink] = {}
        self._checks: dict[str, dict[str, Method]] = {}
        self._bound: dict[str, set[str | None]] = {}
        self._left: dict[str, dict[str | None, Methods]] = {}
        self._absent: dict[str, None] = {}
        self._drained: dict[str, None] = {}
        self._away: Counter[str] = Counter()

    def join(self, instance: Instance, link: HandlerLink, checks: dict[str, Method] | None = None) -> None:
        """An instance came. ``checks``: its methods, where they can check arguments in this process.

        One that was told to leave and comes back, because only its connection broke, is told again."""
        pool = self._instances.setdefault(instance.handler, {})
        former = pool.pop(instance.name, None)  # the newest is last, and its word counts
        instance.in_flight = self._away.pop(instance.name, 0) if former is None else former.in_flight
        if former is not None:
            instance.bench, instance.pace_s = former.bench, former.pace_s
        pool[instance.name] = instance
        self._absent.pop(instance.handler, None)
        self._links[instance.name] = link
        self._look_who_is_bound(instance.handler)
        if checks is not None:
            self._checks[instance.handler] = checks
        if instance.name in self._drained:
            self.drain(instance)

    def remember(self, handler: str, guild_id: str | None, methods: Methods) -> None:
        """A handler that nobody serves now, and what it could do when somebody did."""
        left = self._left.setdefault(handler, {})
        left[guild_id] = methods
        if not self._instances.setdefault(handler, {}):
            self._absent[handler] = None
            self._note_bound(handler, set(left))

    def leave(self, instance: Instance) -> list[str]:
        """An instance went. What it could do stays known, so that schedules for it can still be saved.

        Returns the handlers that are forgotten for that: of too many absent ones those that are away longest."""
        self._links.pop(instance.name, None)
        handler = instance.handler
        pool = self._instances.get(handler, {})
        former = pool.pop(instance.name, None)
        if former is None:
            return []
        if former.in_flight:
            self._away[former.name] = former.in_flight
        self._left.setdefault(handler, {})[instance.guild_id] = instance.methods
        if pool:
            self._look_who_is_bound(handler)
        else:
            self._absent[handler] = None
        forgotten = list(islice(self._absent, max(0, len(self._absent) - ABSENT_KEPT)))
        for name in forgotten:
            self.forget(name)
        return forgotten

    def forget(self, handler: str) -> None:
        """A handler that nobody serves was never here."""
        for kept in (self._absent, self._instances, self._left, self._bound):
            kept.pop(handler, None)

    def absent(self) -> list[str]:
        """The handlers that nobody serves, those first that are away longest."""
        return list(self._absent)

    def _look_who_is_bound(self, handler: str) -> None:
        """Note the guilds that instances of a handler work for, if not all do for all. Of who went it stays known."""
        self._note_bound(handler, {instance.guild_id for instance in self._instances[handler].values()})

    def _note_bound(self, handler: str, guilds: set[str | None]) -> None:
        if guilds == {None}:
            self._bound.pop(handler, None)
        else:
            self._bound[handler] = guilds

    def drain(self, instance: Instance) -> None:
        """Give it nothing new, and tell it to finish and leave."""
        instance.draining = True
        self._drained[instance.name] = None
        if len(self._drained) > DRAINED_KEPT:
            del self._drained[next(iter(self._drained))]
        link = self._links.get(instance.name)
        if link is not None:
            link.drain()

    def resume(self, instance: Instance) -> None:
        """Give it work again. Only for one inside the core: another leaves, once told to."""
        instance.draining = False
        self._drained.pop(instance.name, None)

    def serves(self, handler: str) -> bool:
        """Whether a handler of this name runs in this process."""
        return handler in self._checks

    def seats(self, now: float = 0.0) -> Seats:
        """Who can take a run, for one turn of choosing. ``now``: monotonic seconds."""
        return Seats(self._instances, now)

    def had(self, name: str, handler: str) -> None:
        """An instance has an attempt that this process did not give to it: one before it did, or another core."""
        instance = self._instances.get(handler, {}).get(name)
        if instance is None:
            self._away[name] += 1
        else:
            instance.in_flight += 1

    def given_back(self, name: str, handler: str) -> None:
        """An attempt that an instance was chosen for is over: its outcome is committed, or it never began.

        Whoever was away meanwhile, or greeted again, is counted on from where it stood."""
        instance = self._instances.get(handler, {}).get(name)
        if instance is not None:
            instance.in_flight -= 1
        elif self._away[name] > 1:
            self._away[name] -= 1
        else:
            del self._away[name]

    def not_begun(self, name: str, handler: str, taken_at: float) -> None:
        """The attempt it was chosen for then never began."""
        instance = self._instances.get(handler, {}).get(name)
        if instance is not None:
            instance.bench.undo(taken_at)
        self.given_back(name, handler)

    def judge(
        self, name: str, handler: str, ok: bool | None, took_s: float | None, taken_at: float, now: float
    ) -> None:  # fmt: skip
        """Note of an instance how an attempt of it went; arguments as of ``Instance.ended``."""
        instance = self._instances.get(handler, {}).get(name)
        if instance is not None:
            instance.ended(ok, took_s, taken_at, now)

    def another_is_well(self, name: str, handler: str, method: str, guild_id: str | None) -> bool:
        """Whether beside an instance there is one that takes the same runs, and is not set aside."""
        return any(
            each.name != name and each.bench.until is None and each.takes_work
            and method in each.methods and each.works_for(guild_id)
            for each in self._instances.get(handler, {}).values()
        )  # fmt: skip

    def credit(self) -> int:
        """How many runs all instances together can take at once."""
        return sum(instance.credit for pool in self._instances.values() for instance in pool.values())

    def whose(self, name: str) -> tuple[str, str | None]:
        """The handler that an instance serves, and the one guild it works for, if it works for one alone."""
        link = self._links.get(name)
        if link is None:  # it went, or is yet to come back: an instance's name begins with its handler's
            return name.partition("@")[0], None
        return link.instance.handler, link.instance.guild_id

    def link(self, name: str) -> HandlerLink | None:
        return self._links.get(name)

    def heard(self, name: str) -> float | None:
        """When an instance elsewhere last said anything, in monotonic seconds."""
        link = self._links.get(name)
        return None if link is None else link.heard

    def links(self) -> list[HandlerLink]:
        """Every link once."""
        return list(dict.fromkeys(self._links.values()))

    def is_shared_out(self, handler: str) -> bool:
        """Whether instances of it work for one guild only, so that guilds wait for different ones."""
        return handler in self._bound

    def is_confined(self, name: str, handler: str, guild_id: str | None) -> bool:
        """Whether an instance that has a run of this guild works for no other. Of one that is not here, as far as is known."""
        if handler not in self._bound:
            return False
        instance = self._instances.get(handler, {}).get(name)
        return guild_id in self._bound[handler] if instance is None else instance.guild_id is not None

    def exists_for(self, handler: str, guild_id: str | None) -> bool:
        """Whether a handler is one that this guild may know of."""
        bound = self._bound.get(handler)
        return handler in self._instances and (bound is None or None in bound or guild_id in bound)

    def handlers(self) -> dict[str, list[Instance]]:
        """Every handler by name, with its instances; one that went has none."""
        return {name: list(pool.values()) for name, pool in sorted(self._instances.items())}

    def instances(self, handler: str) -> list[Instance]:
        """Who serves a handler."""
        return list(self._instances.get(handler, {}).values())

    def all_methods(self, handler: str) -> Methods:
        """What a handler declares, or declared before it went. Where instances differ, the one that came last counts."""
        pool = self._instances.get(handler, {}).values()
        return _merged(each.methods for each in pool) or _merged(self._left.get(handler, {}).values())

    def methods(self, handler: str, guild_id: str | None) -> Methods:
        """The same, of those instances that work for this guild."""
        pool = self._instances.get(handler, {}).values()
        left = self._left.get(handler, {})
        return _merged(each.methods for each in pool if each.works_for(guild_id)) or _merged(
            left[id] for id in dict.fromkeys((None, guild_id)) if id in left
        )

    def method(self, handler: str, method: str, guild_id: str | None) -> MethodInfo | None:
        """What is declared of a method to this guild."""
        for instance in reversed(self._instances.get(handler, {}).values()):
            if method in instance.methods and instance.works_for(guild_id):
                return instance.methods[method]
        return self.methods(handler, guild_id).get(method)

    def check(self, handler: str, method: str) -> Method | None:
        """The method's argument check, if it runs in this process."""
        return self._checks.get(handler, {}).get(method)


def _merged(declared: Iterable[Methods]) -> Methods:
    merged: Methods = {}
    for methods in declared:
        merged.update(methods)
    return merged
