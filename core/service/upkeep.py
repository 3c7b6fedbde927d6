"""The use cases about the service as a whole: giving out nothing for a while, and telling everybody something.

Both stand in the ledger, so that they outlive a restart and hold at every core.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
import structlog

from core.governor.measures import Mark
from core.ledger.port import StoreClosed, StoreError, Transaction
from core.service import access
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.facts import NO_SETTINGS
from core.service.measures import LOOK_S, in_whose_name
from core.service.rules import RulesWatch, rules_change
from core.service.triggers import moment_in
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Invalid
from schedule_zero.instant import spell
from schedule_zero.views import MaintenanceView, MarkView, Upkeep

log = structlog.get_logger("schedule_zero.upkeep")

UPKEEP: Final = "upkeep"
LONGEST: Final = 500


class Banner(msgspec.Struct, frozen=True):
    """What everybody is told; ``until``: microseconds since 1970, or None: until it is taken away."""

    message: str
    until: int | None
    by: str


class State(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the store says of the service as a whole."""

    drained: Mark | None = None
    banner: Banner | None = None


_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(State).decode


class Keeping:
    """What operators do to the service as a whole."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._state = State()

    async def drain(self, actor: Actor, request: ask.DrainCore) -> Upkeep:
        """Give out nothing new. Saying so again changes nothing. Raises Forbidden."""
        access.require_service(actor)

        def drained(before: State, now: int) -> State:
            mark = before.drained or Mark(now, in_whose_name(actor, request.by))
            return msgspec.structs.replace(before, drained=mark)

        return await self._change(actor, request, Action.CORE_DRAIN, drained)

    async def resume(self, actor: Actor, request: ask.ResumeCore) -> Upkeep:
        """Give out again. Raises Forbidden."""
        access.require_service(actor)
        return await self._change(
            actor, request, Action.CORE_RESUME, lambda before, _: msgspec.structs.replace(before, drained=None)
        )

    async def maintain(self, actor: Actor, request: ask.SetMaintenance) -> Upkeep:
        """Tell everybody something, or nothing any more. Raises Forbidden, Invalid."""
        access.require_service(actor)
        banner = self._banner(actor, request)
        return await self._change(
            actor, request, Action.CORE_MAINTENANCE, lambda before, _: msgspec.structs.replace(before, banner=banner)
        )

    async def get(self, actor: Actor, _request: ask.GetUpkeep) -> Upkeep:
        """What holds now."""
        return self.view(actor)

    def view(self, actor: Actor) -> Upkeep:
        """What holds now, for everybody; who did it is told to operators alone."""
        return _shown(self._state, self._desk.clock.now(), named=access.runs_service(actor))

    # coming and going with the ledger

    async def load(self) -> None:
        """Heed what the store says; at start before anything is given out, and to follow other cores."""
        before = self._state
        text = await self._desk.reader.notes.get(UPKEEP, UPKEEP)
        if self._state is before:  # else it changed while it was read; word of that comes, and it is read again
            self._heed(State() if text is None else _decode(text))

    async def keep(self, *others: Callable[[], Awaitable[None]]) -> None:
        """Follow what is changed through other cores, until cancelled; ``others``: what else is read again then."""
        rules = RulesWatch(self._desk)
        while True:
            await rules.change(LOOK_S)
            try:
                await self.load()
                for load in others:
                    await load()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning(
                    "the store refused; whether anything is to be given out is looked at again", error=str(error)
                )

    # steps

    def _banner(self, actor: Actor, request: ask.SetMaintenance) -> Banner | None:
        message = " ".join((request.message or "").split())
        if not message:
            if request.until is not None:
                raise Invalid.at("message", "is empty; write what everybody shall be told")
            return None
        if len(message) > LONGEST:
            raise Invalid.at("message", f"has {len(message)} characters; at most {LONGEST} can be told")
        until = None
        if request.until is not None:
            now = self._desk.clock.now()
            until = moment_in(request.until, "until", now=now, timezone="UTC", settings=NO_SETTINGS)
            if until <= now:
                raise Invalid.at("until", "lies in the past; name a time to come")
        return Banner(message, until, in_whose_name(actor, request.by))

    async def _change(
        self, actor: Actor, request: ask.DrainCore | ask.ResumeCore | ask.SetMaintenance, action: Action,
        change: Callable[[State, int], State],
    ) -> Upkeep:  # fmt: skip
        """One transaction with its audit line; the dispatcher follows after the commit."""

        async def work(tx: Transaction, effects: Effects) -> Upkeep:
            now = self._desk.clock.now()
            text = await tx.notes.get(UPKEEP, UPKEEP)
            after = change(State() if text is None else _decode(text), now)
            written = None if after == State() else _encode(after).decode()
            if written != text:
                rules_change(self._desk, tx)
                await tx.notes.put(UPKEEP, {UPKEEP: written})
                by = in_whose_name(actor, request.by)
                await tx.notes.audit([self._desk.line(actor, action, UPKEEP, None, text, written, by=by)])
            effects.steps.append(lambda: self._heed(after))
            return _shown(after, now, named=True)

        return await self._desk.change(actor, request, Upkeep, work)

    def _heed(self, state: State) -> None:
        self._state = state
        self._desk.engine.dispatcher.hold(on=state.drained is not None)


def _shown(state: State, now: int, *, named: bool) -> Upkeep:
    drained, banner = state.drained, state.banner
    if banner is not None and banner.until is not None and banner.until <= now:
        banner = None
    return Upkeep(
        drained=None if drained is None else MarkView(at=spell(drained.at), by=drained.by if named else ""),
        maintenance=None if banner is None else MaintenanceView(
            message=banner.message, until=None if banner.until is None else spell(banner.until),
            by=banner.by if named else "",
        ),
    )  # fmt: skip
