"""The core of plain dicts, strict where commands must not rely on its kindness: keys, retries, other people's zones."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import cast

import msgspec

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.actor import Actor
from schedule_zero.errors import Conflict, Forbidden, ScheduleZeroError
from schedule_zero.run import Run, RunState
from schedule_zero.trigger import DateTrigger, TextTrigger
from tests.bot.fake_core import START, FakeCore, World, make_run


class StrictWorld(World):
    """Knows as well which request each key was used for, and what came of retried runs."""

    def __init__(self) -> None:
        super().__init__()
        self.keys: dict[tuple[str, str | None, str], bytes] = {}
        self.again: dict[str, tuple[Actor, Run]] = {}
        self.zones_offered: tuple[views.Suggestion, ...] = ()


class StrictCore(FakeCore):
    """A client of that world, for one actor."""

    def acting_as(self, actor: Actor) -> StrictCore:
        return StrictCore(self.world, actor)

    @property
    def strict(self) -> StrictWorld:
        return cast("StrictWorld", self.world)

    async def send(self, request: ask.Request) -> views.View:
        refusal: ScheduleZeroError | None = self._key_is_taken(request)
        if isinstance(request, ask.GetUserTimezone) and request.user_id not in {self.actor.id, *self.world.shared}:
            refusal = Forbidden("They do not share a time zone.")
        if refusal is not None:
            self.world.asked.append((self.actor, request))
            raise refusal
        if type(request) in self.world.hang:
            await asyncio.sleep(3600)
        if isinstance(request, ask.RetryRun) and request.id in self.world.runs:
            return self._retry(request)
        if isinstance(request, ask.SuggestZones) and self.strict.zones_offered:
            return views.Suggestions(items=self.strict.zones_offered)
        saved = self._as_saved(request)
        try:
            return await super().send(saved)
        finally:  # what was asked is remembered as it was asked
            self.world.asked[:] = [(who, request if asked is saved else asked) for who, asked in self.world.asked]

    def _as_saved(self, request: ask.Request) -> ask.Request:
        """Settings are merged, and text is turned into a moment."""
        if isinstance(request, ask.PutGuildSettings):
            known = msgspec.to_builtins(self.guild(request))
            groups = {
                name: {field: new for field, new in (known[name] | value).items() if new is not None}
                for name, value in request.changes.items()
                if isinstance(value, dict)
            }  # fmt: skip
            return msgspec.structs.replace(request, changes=request.changes | groups)
        if isinstance(request, ask.CreateSchedule) and isinstance(request.spec.trigger, TextTrigger):
            minutes = int(request.spec.trigger.text.removeprefix("in ").removesuffix(" minutes"))
            trigger = DateTrigger((START + timedelta(minutes=minutes)).isoformat())
            spec = msgspec.structs.replace(request.spec, trigger=trigger)
            return msgspec.structs.replace(request, spec=spec)
        return request

    def _key_is_taken(self, request: ask.Request) -> Conflict | None:
        if request.idempotency_key is None:
            return None
        key = (self.actor.id, self.actor.guild_id, request.idempotency_key)
        spelled = msgspec.json.encode(request)
        if self.strict.keys.setdefault(key, spelled) == spelled:
            return None
        return Conflict("This Idempotency-Key was used for another request; use a new key for a new request.")

    def _retry(self, request: ask.RetryRun) -> Run:
        """Whoever asks, a run is retried once; the same person gets the same answer."""
        self.world.asked.append((self.actor, request))
        if ask.RetryRun in self.world.refuse:
            raise self.world.refuse[ask.RetryRun]
        known = self.strict.again.get(request.id)
        schedule_id = self.world.runs[request.id].schedule_id
        if self.world.schedules[schedule_id].state == "deleted":
            raise Conflict("The schedule of this run is deleted; bring it back first.")
        if known is None:
            run = make_run(f"run_{len(self.world.runs) + 1:020d}", schedule_id, RunState.WAITING)
            self.world.runs[run.id] = run
            known = self.strict.again[request.id] = (self.actor, run)
        elif known[0] != self.actor:
            raise Conflict(f"This run was retried already, by {known[1].id}.")
        return known[1]
