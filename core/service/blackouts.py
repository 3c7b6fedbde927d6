"""The use cases about a guild's blackouts: stretches of time in which it wants nothing done."""

from __future__ import annotations

from typing import Final

import msgspec

from core.service.closing_changes import ClosingChanges, put, there, without
from core.service.closings import Closings, StoredBlackout
from core.service.desk import Desk
from core.service.triggers import moment_in
from core.timing.zones import zone
from schedule_zero import closings as views
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Invalid
from schedule_zero.instant import DAY, parse, spell

MOST_BLACKOUTS: Final = 100
LONGEST: Final = 366 * DAY
NOW: Final = "now"


class Blackouts:
    """A guild's blackouts."""

    def __init__(self, desk: Desk, changes: ClosingChanges) -> None:
        self._desk = desk
        self._changes = changes

    async def page(self, actor: Actor, request: ask.ListBlackouts) -> views.BlackoutPage:
        kept, now = await self._changes.kept(actor, request.guild_id), self._desk.clock.now()
        where = await self._changes.zone(request.guild_id)
        coming = sorted((item for item in kept.blackouts.items() if item[1].end > now), key=lambda item: item[1].begin)
        return views.BlackoutPage(items=tuple(_view(id, each, where) for id, each in coming))

    async def add(self, actor: Actor, request: ask.AddBlackout) -> views.BlackoutView:
        where, now = await self._changes.zone(request.guild_id), self._desk.clock.now()
        blackout, id = await self._read(request, where, now), self._desk.ids.make("blk", now)

        def changed(kept: Closings) -> Closings:
            left = {key: each for key, each in kept.blackouts.items() if each.end > now}
            return msgspec.structs.replace(kept, blackouts=put(left, id, blackout, "blackouts", MOST_BLACKOUTS))

        def answer(_before: Closings, _kept: Closings, _used: int) -> views.BlackoutView:
            return _view(id, blackout, where)

        return await self._changes.make(
            actor, request, views.BlackoutView, changed, None, answer, action=Action.BLACKOUT_ADD, target=id
        )

    async def remove(self, actor: Actor, request: ask.RemoveBlackout) -> views.BlackoutView:
        where = await self._changes.zone(request.guild_id)

        def changed(kept: Closings) -> Closings:
            there(request.id, kept.blackouts, "blackout")
            return msgspec.structs.replace(kept, blackouts=without(kept.blackouts, request.id))

        def answer(before: Closings, _kept: Closings, _used: int) -> views.BlackoutView:
            return _view(request.id, before.blackouts[request.id], where)

        return await self._changes.make(
            actor, request, views.BlackoutView, changed, None, answer, action=Action.BLACKOUT_REMOVE, target=request.id
        )

    async def _read(self, request: ask.AddBlackout, where: str, now: int) -> StoredBlackout:
        asked, settings = request.blackout, await self._desk.facts.guild_settings(request.guild_id)
        end = moment_in(asked.end, "to", now=now, timezone=where, settings=settings)
        try:
            begin = now if asked.begin.strip().lower() == NOW else parse(asked.begin)  # one that has begun is as good
        except (ValueError, OverflowError):
            begin = moment_in(asked.begin, "from", now=now, timezone=where, settings=settings)
        if begin >= end:
            raise Invalid.at("to", "must come after from")
        if end - begin > LONGEST:
            raise Invalid.at("to", "a blackout lasts a year at most; pause what shall rest for longer")
        return StoredBlackout(begin, end, asked.reason.strip(), asked.scope)


def _view(id: str, each: StoredBlackout, where: str) -> views.BlackoutView:
    place = zone(where)
    return views.BlackoutView(
        id=id, begin=spell(each.begin, place), end=spell(each.end, place), reason=each.reason, scope=each.scope
    )
