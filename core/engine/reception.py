"""The reception: handlers come, go, fall ill and are told to leave; the fleet is kept, and each of it is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec
import structlog

from core.engine.acquaintances import Acquaintance, acquaintance
from core.engine.fleet import Fleet
from core.engine.herald import Herald
from core.engine.ports import Clock, HandlerLink, Instance
from core.ledger.rows import EventRow
from schedule_zero.event import EventKind
from schedule_zero.instant import SECOND

log = structlog.get_logger("schedule_zero.reception")


class Reception:
    """Keeps the fleet. Whoever calls tells the dispatcher that it changed."""

    def __init__(self, *, clock: Clock, fleet: Fleet, herald: Herald) -> None:
        self._clock = clock
        self._fleet = fleet
        self._herald = herald
        self._known: dict[str, dict[str | None, Acquaintance]] = {}

    def remember(self, known: Iterable[Acquaintance]) -> None:
        """These were here before this process started. Of whom nobody saw the end, it is not later than now."""
        for who in known:
            self._known.setdefault(who.handler, {})[who.guild_id] = who
            if who.left is None:
                self._know(self._gone(who))
            self._fleet.remember(who.handler, who.guild_id, {method.name: method for method in who.methods})

    def join(self, link: HandlerLink) -> None:
        """An instance elsewhere came, or came back."""
        self._fleet.join(link.instance, link)
        self._know(acquaintance(link.instance))
        self._tell(EventKind.HANDLER_CONNECTED, link.instance)

    def leave(self, instance: Instance, reason: str) -> None:
        """An instance elsewhere went."""
        for handler in self._fleet.leave(instance):
            self._forget(handler)
        who = self._known.get(instance.handler, {}).get(instance.guild_id)
        others = self._fleet.instances(instance.handler)
        if who is not None and all(each.guild_id != instance.guild_id for each in others):
            self._know(self._gone(who))
        self._tell(EventKind.HANDLER_DISCONNECTED, instance, reason=reason)

    def left_at(self, handler: str, whose: Collection[str | None] | None) -> int | None:
        """When the last process of a handler went, microseconds since the epoch; None where that is not known.

        Args:
            whose: only those that worked for these guilds alone, or, where None is among them, for all; None: any.
        """
        known = self._known.get(handler, {}).values()
        times = [who.left for who in known if who.left is not None and (whose is None or who.guild_id in whose)]
        return max(times, default=None)

    def long_gone(self, before: int) -> list[str]:
        """The handlers of which nothing was seen since an instant."""

        def is_long_gone(who: Acquaintance) -> bool:
            return who.left is not None and who.left <= before

        return [each for each in self._fleet.absent() if all(map(is_long_gone, self._known.get(each, {}).values()))]

    def forget(self, handlers: Iterable[str]) -> None:
        """Nobody shall know of these any more; who came back meanwhile is known anew."""
        for handler in [each for each in handlers if not self._fleet.instances(each)]:
            self._fleet.forget(handler)
            self._forget(handler)
            log.info("handler forgotten", handler=handler)

    def leaves_soon(self, instance: Instance, by: str) -> None:
        """An instance gets nothing new, and knows, or need not know. ``by``: who wants it."""
        if not instance.draining:
            instance.draining = True
            self._tell(EventKind.HANDLER_DRAINING, instance, asked_by=by)

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

    def _know(self, who: Acquaintance) -> None:
        known = self._known.setdefault(who.handler, {})
        if known.get(who.guild_id) != who:
            known[who.guild_id] = who
            self._herald.learn(who)

    def _gone(self, who: Acquaintance) -> Acquaintance:
        return msgspec.structs.replace(who, left=self._clock.now() // SECOND * SECOND)

    def _forget(self, handler: str) -> None:
        for who in self._known.pop(handler, {}).values():
            self._herald.forget(who.key)

    def _tell(self, kind: EventKind, instance: Instance, **facts: str) -> None:
        data = msgspec.json.encode({"handler": instance.handler, "instance": instance.name, **facts}).decode()
        self._herald.tell(EventRow(at=self._clock.now(), kind=kind, guild_id=instance.guild_id, data=data))
