"""The use cases about handlers: who is there, what they can do, how that goes; drain one, and give it work again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from core.engine.ports import Instance
from core.engine.tally import FAILED, LOST, SUCCEEDED, WINDOW_S, Whose
from core.fields import nearest
from core.ledger.port import Transaction
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.history import BUCKET, buckets_of, spelled
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.handler import MethodInfo
from schedule_zero.instant import DAY, SECOND, spell, spell_duration
from schedule_zero.views import (
    AdaptiveView,
    BreakerView,
    Counts,
    HandlerPage,
    HandlerView,
    HistoryBucket,
    InstanceView,
    MethodView,
    RecordView,
)

_AS_IT_IS: Final[Mapping[str, bool]] = {}
_WINDOW: Final = spell_duration(int(WINDOW_S * SECOND))


class Handlers:
    """Everything about handlers that people ask for. Whose view is one guild's sees what that guild may use."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._fleet = desk.engine.fleet

    async def page(self, actor: Actor, request: ask.ListHandlers) -> HandlerPage:
        """All of them, by name."""
        items = [self._view(actor, name) for name in self._visible(actor)]
        if request.history:
            history = await self._history(actor, None)
            for item in items:
                item.history = history.get(item.name, ())
        return HandlerPage(items=tuple(items))

    async def get(self, actor: Actor, request: ask.GetHandler) -> HandlerView:
        """One of them, with its last day."""
        view = self._view(actor, self._existing(actor, request.name))
        view.history = (await self._history(actor, view.name)).get(view.name, ())
        return view

    async def drain(self, actor: Actor, request: ask.DrainHandler) -> HandlerView:
        """Give all its instances, or one, nothing new. Saying so again changes nothing."""
        access.require_service(actor)
        name = self._existing(actor, request.name)
        instances = self._fleet.handlers()[name]
        if request.instance is not None:
            instances = [_one_of(instances, request.instance, name)]
        elif not instances:
            raise Conflict(f"Nobody serves {name} at the moment, so there is nothing to drain.")
        step = partial(self._desk.engine.drain_handler, instances, actor.id)
        return await self._change(actor, request, instances, step, draining=True)

    async def resume(self, actor: Actor, request: ask.ResumeHandler) -> HandlerView:
        """Give a drained one work again, if it lives inside the core: another leaves, once it was told to."""
        access.require_service(actor)
        name = self._existing(actor, request.name)
        instances = self._fleet.handlers()[name]
        if not instances:
            raise Conflict(
                f"Nobody serves {name} at the moment: its processes are gone. Start it anew, and it gets work."
            )
        if not self._fleet.serves(name) and not any(each.draining for each in instances):
            raise Conflict(f"{name} is not drained; there is nothing to resume.")
        if not self._fleet.serves(name):
            raise Conflict(
                f"The processes of {name} were told to finish and leave; start them anew, and they get work again."
            )
        step = partial(self._desk.engine.resume_handler, instances, actor.id)
        return await self._change(actor, request, instances, step, draining=False)

    async def _change(
        self, actor: Actor, request: ask.DrainHandler | ask.ResumeHandler, instances: Sequence[Instance],
        step: Callable[[], None], *, draining: bool,
    ) -> HandlerView:  # fmt: skip
        """Note who wants it, and then do it; the answer tells how it will be."""
        names = {each.name: draining for each in instances}
        action = Action.HANDLER_DRAIN if draining else Action.HANDLER_RESUME

        async def work(tx: Transaction, effects: Effects) -> HandlerView:
            await tx.notes.audit([self._desk.line(actor, action, name, None) for name in sorted(names)])
            effects.steps.append(step)
            return self._view(actor, request.name, names)

        return await self._desk.change(actor, request, HandlerView, work)

    async def _history(self, actor: Actor, name: str | None) -> dict[str, tuple[HistoryBucket, ...]]:
        """The last day of one handler or of all, by handler: of each only what the actor may see."""
        whose = None if access.runs_service(actor) else ("", actor.guild_id or "")
        since = (self._desk.clock.now() - DAY) // BUCKET * BUCKET + BUCKET
        return buckets_of(await self._desk.engine.chronicle.since(since, name), whose)

    def _visible(self, actor: Actor) -> list[str]:
        known = self._fleet.handlers()
        if access.runs_service(actor):
            return list(known)
        allowed = self._desk.quota(actor, actor.guild_id).handlers
        return [
            name
            for name in known
            if self._fleet.exists_for(name, actor.guild_id) and (allowed is None or name in allowed)
        ]

    def _existing(self, actor: Actor, name: str) -> str:
        known = self._visible(actor)
        if name in known:
            return name
        meant = nearest(name, known)
        hint = f"did you mean {meant}?" if meant else f"there are {', '.join(known) or 'none'}."
        raise NotFound(f"There is no handler {name!r}; {hint}")

    def _view(self, actor: Actor, name: str, draining: Mapping[str, bool] = _AS_IT_IS) -> HandlerView:
        """A handler as the actor sees it; ``draining``: instances of which that is about to change."""
        instances = [
            msgspec.structs.replace(each, draining=draining.get(each.name, each.draining))
            for each in self._fleet.handlers()[name]
        ]
        whose: Whose = None
        if access.runs_service(actor):
            methods = self._fleet.all_methods(name)
        else:
            whose = (None, actor.guild_id)
            instances = [each for each in instances if each.works_for(actor.guild_id)]
            methods = self._fleet.methods(name, actor.guild_id)
        return HandlerView(
            name=name, healthy=any(_takes_work(each) for each in instances),
            in_flight=sum(each.in_flight for each in instances), credit=sum(each.credit for each in instances),
            instances=tuple(self._instance(each) for each in instances),
            methods=tuple(self._method(name, methods[method], whose) for method in sorted(methods)),
            record=self._record(name, methods, whose), absent_since=self._absent_since(name, whose, instances),
        )  # fmt: skip

    def _absent_since(self, name: str, whose: Whose, instances: Sequence[Instance]) -> str | None:
        left = None if instances else self._desk.engine.reception.left_at(name, whose)
        return None if left is None else spell(left)

    def _instance(self, instance: Instance) -> InstanceView:
        heard = self._fleet.heard(instance.name)
        silent_s = None if heard is None else max(0.0, self._desk.clock.monotonic() - heard)
        return InstanceView(
            id=instance.name, software=instance.software or None, connected_since=spell(instance.since),
            last_beat=None if silent_s is None else spell_duration(int(silent_s * 1000) * (SECOND // 1000)),
            in_flight=instance.in_flight, credit=instance.credit, draining=instance.draining,
            available=instance.available and instance.credit > 0, healthy=instance.ailing is None,
            trouble=instance.ailing, version=instance.version or None, capabilities=tuple(sorted(instance.capabilities)),
            uptime=spell_duration(max(0, self._desk.clock.now() - instance.since) // SECOND * SECOND),
            average=spelled(instance.pace_s or None), succeeded=instance.succeeded, failed=instance.failed,
        )  # fmt: skip

    def _method(self, handler: str, info: MethodInfo, whose: Whose) -> MethodView:
        total = self._desk.engine.tally.total(handler, info.name, whose)
        return MethodView(
            name=info.name, doc=info.doc,
            timeout=None if info.timeout is None else spell_duration(int(info.timeout * SECOND)),
            at_most_once=info.at_most_once, schema=info.schema,
            record=self._record(handler, (info.name,), whose),
            total=Counts(succeeded=total[SUCCEEDED], failed=total[FAILED], lost=total[LOST]),
            in_flight=self._desk.engine.governor.in_flight(f"{handler}.{info.name}", whose),
            breakers=self._breakers(handler, info.name, whose), adaptive=self._adaptive(handler, info.name, whose),
        )  # fmt: skip

    def _breakers(self, handler: str, method: str, whose: Whose) -> tuple[BreakerView, ...]:
        clock = self._desk.clock
        now, monotonic = clock.now(), clock.monotonic()
        return tuple(
            BreakerView(failures=each.failures, guild_id=guild,
                        until=None if (at := each.free_at()) is None
                        else spell(now + max(0, int((at - monotonic) * SECOND))))
            for bound, guard in self._desk.engine.governor.guards(f"{handler}.{method}")
            for guild, each in guard.open(bound)
            if (whose is None or bound in whose) and (whose is None or guild is None or guild in whose)
        )  # fmt: skip

    def _adaptive(self, handler: str, method: str, whose: Whose) -> AdaptiveView | None:
        guards = self._desk.engine.governor.guards(f"{handler}.{method}")
        limits = [g.adaptive for bound, g in guards if g.adaptive is not None and (whose is None or bound in whose)]
        if not limits:
            return None
        return AdaptiveView(
            limit=sum(each.allowed for each in limits), in_flight=sum(each.in_flight for each in limits),
            least=sum(each.least for each in limits), most=sum(each.most for each in limits),
        )  # fmt: skip

    def _record(self, handler: str, methods: Iterable[str], whose: Whose) -> RecordView:
        lately = self._desk.engine.tally.lately(handler, methods, self._desk.clock.monotonic(), whose)
        rate = lately.success_rate
        return RecordView(
            window=_WINDOW, succeeded=lately.counts[SUCCEEDED], failed=lately.counts[FAILED],
            lost=lately.counts[LOST], success_rate=None if rate is None else round(rate, 4),
            p50=spelled(lately.quantile(0.5)), p95=spelled(lately.quantile(0.95)),
        )  # fmt: skip


def _takes_work(instance: Instance) -> bool:
    return instance.ailing is None and instance.takes_work


def _one_of(instances: list[Instance], wanted: str, handler: str) -> Instance:
    """The instance of that id, or of the part of it that is its process's own."""
    for instance in instances:
        if wanted in (instance.name, instance.name.partition("@")[2]):
            return instance
    there = ", ".join(each.name for each in instances) or "none"
    raise NotFound(f"{handler} has no process {wanted!r}; there are {there}.")
