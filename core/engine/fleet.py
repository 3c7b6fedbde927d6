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

    def join(self, instance: Instance, link: HandlerLink, checks: dict[str, Method] | None = None) -> None:
        """An instance came. ``checks``: its methods, where they can check arguments in this process."""
        self._instances.setdefault(instance.handler, {})[instance.name] = instance
        self._links[instance.name] = link
        if checks is not None:
            self._checks[instance.handler] = checks

    def leave(self, name: str) -> None:
        """An instance went. What it could do stays known, so that schedules for it can still be saved."""
        self._links.pop(name, None)
        for pool in self._instances.values():
            pool.pop(name, None)

    def serves(self, handler: str) -> bool:
        """Whether a handler of this name runs in this process."""
        return handler in self._checks

    def candidates(self, handler: str, method: str) -> list[str]:
        """Instances that could take a run of this method now, least loaded first."""
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

    def handlers(self) -> dict[str, list[Instance]]:
        """Every handler by name, with its instances."""
        return {name: list(pool.values()) for name, pool in sorted(self._instances.items())}

    def method(self, handler: str, method: str) -> MethodInfo | None:
        """What is declared of a method, if any instance has it."""
        for instance in self._instances.get(handler, {}).values():
            if method in instance.methods:
                return instance.methods[method]
        return None

    def check(self, handler: str, method: str) -> Method | None:
        """The method's argument check, if it runs in this process."""
        return self._checks.get(handler, {}).get(method)
