"""The fleet: which handlers are there, what they can do, and whom to ask next."""

from __future__ import annotations

from core.engine.ports import HandlerLink, Instance
from schedule_zero.handler import Method, MethodInfo


class Fleet:
    """Every instance of every handler, and the link to each."""

    def __init__(self) -> None:
        self._instances: dict[str, dict[str, Instance]] = {}
        self._links: dict[str, HandlerLink] = {}
        self._checks: dict[str, dict[str, Method]] = {}
        self._bound: dict[str, set[str | None]] = {}

    def join(self, instance: Instance, link: HandlerLink, checks: dict[str, Method] | None = None) -> None:
        """An instance came. ``checks``: its methods, where they can check arguments in this process."""
        self._instances.setdefault(instance.handler, {})[instance.name] = instance
        self._links[instance.name] = link
        self._look_who_is_bound(instance.handler)
        if checks is not None:
            self._checks[instance.handler] = checks

    def leave(self, name: str) -> None:
        """An instance went. What it could do stays known, so that schedules for it can still be saved."""
        self._links.pop(name, None)
        for handler, pool in self._instances.items():
            if pool.pop(name, None) is not None and pool:
                self._look_who_is_bound(handler)

    def _look_who_is_bound(self, handler: str) -> None:
        """Note the guilds that instances of a handler work for, if not all do for all. Of who went it stays known."""
        guilds = {instance.guild_id for instance in self._instances[handler].values()}
        if guilds == {None}:
            self._bound.pop(handler, None)
        else:
            self._bound[handler] = guilds

    def serves(self, handler: str) -> bool:
        """Whether a handler of this name runs in this process."""
        return handler in self._checks

    def candidates(self, handler: str, method: str, guild_id: str | None) -> list[str]:
        """Instances that could take a run of this method for this guild now, least loaded first."""
        pool = self._instances.get(handler)
        if not pool:
            return []
        able = [
            instance
            for instance in pool.values()
            if instance.available
            and not instance.draining
            and instance.in_flight < instance.credit
            and method in instance.methods
            and instance.works_for(guild_id)
        ]
        if len(able) > 1:
            able.sort(key=lambda instance: instance.in_flight)
        return [instance.name for instance in able]

    def taken(self, name: str, handler: str) -> None:
        instance = self._instances[handler].get(name)
        if instance is not None:
            instance.in_flight += 1

    def given_back(self, name: str, handler: str) -> None:
        instance = self._instances.get(handler, {}).get(name)
        if instance is not None:
            instance.in_flight -= 1

    def credit(self) -> int:
        """How many runs all instances together can take at once."""
        return sum(instance.credit for pool in self._instances.values() for instance in pool.values())

    def link(self, name: str) -> HandlerLink | None:
        return self._links.get(name)

    def links(self) -> list[HandlerLink]:
        """Every link once."""
        return list(dict.fromkeys(self._links.values()))

    def is_shared_out(self, handler: str) -> bool:
        """Whether instances of it work for one guild only, so that guilds wait for different ones."""
        return handler in self._bound

    def exists_for(self, handler: str, guild_id: str | None) -> bool:
        """Whether a handler is one that this guild may know of."""
        bound = self._bound.get(handler)
        return handler in self._instances and (bound is None or None in bound or guild_id in bound)

    def handlers(self) -> dict[str, list[Instance]]:
        """Every handler by name, with its instances."""
        return {name: list(pool.values()) for name, pool in sorted(self._instances.items())}

    def method(self, handler: str, method: str, guild_id: str | None) -> MethodInfo | None:
        """What is declared of a method, if any instance that works for this guild has it."""
        for instance in self._instances.get(handler, {}).values():
            if method in instance.methods and instance.works_for(guild_id):
                return instance.methods[method]
        return None

    def check(self, handler: str, method: str) -> Method | None:
        """The method's argument check, if it runs in this process."""
        return self._checks.get(handler, {}).get(method)
