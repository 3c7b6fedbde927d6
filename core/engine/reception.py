"""The reception: handlers come, go, fall ill and are told to leave; the fleet is kept, and each of it is told."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import structlog

from core.engine.acquaintances import Acquaintance, acquaintance
from core.engine.fleet import Fleet
from core.engine.herald import Herald
from core.engine.ports import Clock, HandlerLink, Instance
from core.ledger.rows import EventRow
from schedule_zero.event import EventKind

log = structlog.get_logger("schedule_zero.reception")


class Reception:
    """Keeps the fleet. Whoever calls tells the dispatcher that it changed."""

    def __init__(self, *, clock: Clock, fleet: Fleet, herald: Herald) -> None:
        self._clock = clock
        self._fleet = fleet
        self._herald = herald
        self._known: dict[str, Acquaintance] = {}

    def remember(self, known: Iterable[Acquaintance]) -> None:
        """These were here before this process started."""
        for who in known:
            self._known[who.key] = who
            self._fleet.remember(who.handler, who.guild_id, {method.name: method for method in who.methods})

    def join(self, link: HandlerLink) -> None:
        """An instance elsewhere came, or came back."""
        self._fleet.join(link.instance, link)
        who = acquaintance(link.instance)
        if self._known.get(who.key) != who:
            self._known[who.key] = who
            self._herald.learn(who)
        self._tell(EventKind.HANDLER_CONNECTED, link.instance)

    def leave(self, instance: Instance, reason: str) -> None:
        """An instance elsewhere went."""
        for handler in self._fleet.leave(instance):
            for key in [key for key, who in self._known.items() if who.handler == handler]:
                del self._known[key]
                self._herald.forget(key)
        self._tell(EventKind.HANDLER_DISCONNECTED, instance, reason=reason)

    def leaves_soon(self, instance: Instance) -> None:
        """An instance says itself that it takes nothing new."""
        if not instance.draining:
            instance.draining = True
            self._tell(EventKind.HANDLER_DRAINING, instance, asked_by="itself")

    def drain(self, instance: Instance, by: str) -> None:
        """Somebody wants an instance to finish and take nothing new."""
        if not instance.draining:
            self._fleet.drain(instance)
            self._tell(EventKind.HANDLER_DRAINING, instance, asked_by=by)
            log.info("handler drains", handler=instance.handler, instance=instance.name, asked_by=by)

    def resume(self, instance: Instance, by: str) -> None:
        """Somebody wants an instance inside the core to take work again."""
        if instance.draining:
            self._fleet.resume(instance)
            self._tell(EventKind.HANDLER_CONNECTED, instance, asked_by=by)

    def ails(self, instance: Instance, words: str) -> None:
        """An instance is unhealthy now."""
        self._tell(EventKind.HANDLER_UNHEALTHY, instance, reason=words)
        log.warning("handler unhealthy", handler=instance.handler, instance=instance.name, reason=words)

    def recovered(self, instance: Instance) -> None:
        """An instance is well again."""
        self._tell(EventKind.HANDLER_CONNECTED, instance, reason="it is well again")

    def _tell(self, kind: EventKind, instance: Instance, **facts: str) -> None:
        data = msgspec.json.encode({"handler": instance.handler, "instance": instance.name, **facts}).decode()
        self._herald.tell(EventRow(at=self._clock.now(), kind=kind, guild_id=instance.guild_id, data=data))
