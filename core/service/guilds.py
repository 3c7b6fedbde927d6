"""The use cases about guilds and people: zones, who is here. A guild's settings are in ``settings``."""

from __future__ import annotations

from typing import Final

import msgspec
import structlog

from core.governor.entitlement import Clocks
from core.ledger.port import StoreClosed, StoreError, Transaction
from core.service import access
from core.service.clocks import CLOCKS, before_in, forget_ended
from core.service.desk import Desk
from core.service.effects import Effects
from core.service.facts import GUILD, USER, zone_name
from core.service.guild_settings import settings_of
from core.service.own_zone import NO_ZONE, OwnZone, kept, own_zone_in
from core.service.rules import RulesWatch
from core.timing.zones import zone
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Invalid
from schedule_zero.views import UserTimezone

log = structlog.get_logger("schedule_zero.guilds")

_encode: Final = msgspec.json.Encoder().encode
LOOK_S: Final = 5.0
LONGEST_LOOK_S: Final = 3600.0
_PRESENCE: Final = ("present", "name")


class Guilds:
    """Guilds, and the people in them."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def load_zones(self) -> None:
        """Tell the engine by which clocks every guild's days begin; at start."""
        settings, before = await self._desk.reader.notes.all(GUILD), await self._desk.reader.notes.all(CLOCKS)
        for guild_id in settings.keys() | before.keys():
            name = settings_of(guild_id, settings.get(guild_id)).timezone
            try:
                place = zone(name)
            except ValueError:  # a zone may vanish with an update of the zone data; the others' days begin all the same
                log.warning("a server's time zone is not known any more", guild_id=guild_id, timezone=name)
                continue
            self._desk.engine.entitler.set_clocks(guild_id, Clocks(place, before_in(before.get(guild_id))))

    async def keep_zones(self) -> None:
        """Follow where another core lets days begin, and forget zones of before that count no more, until cancelled."""
        watch = RulesWatch(self._desk)
        while True:
            await watch.change(LOOK_S if self._desk.shared else LONGEST_LOOK_S)
            try:
                if self._desk.shared:
                    await self.load_zones()
                await forget_ended(self._desk)
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("the store refused; zones are looked at again later", error=str(error))

    async def get_user_zone(self, actor: Actor, request: ask.GetUserTimezone) -> UserTimezone:
        own = await self._desk.facts.own_zone(request.user_id)
        access.require_zone_of(actor, request.user_id, shared=own.shared)
        return _view(request.user_id, own)

    async def put_user_zone(self, actor: Actor, request: ask.PutUserTimezone) -> UserTimezone:
        access.require_user(actor, request.user_id)
        name = None if request.timezone is None else zone_name(request.timezone, "timezone")
        if name is None and request.shared:
            raise Invalid.at("shared", "there is no time zone to share; set one")

        async def work(tx: Transaction, effects: Effects) -> UserTimezone:
            old = own_zone_in(await tx.notes.get(USER, request.user_id))
            shared = old.shared if request.shared is None else request.shared
            new = NO_ZONE if name is None else OwnZone(name, shared)
            await tx.notes.put(USER, {request.user_id: kept(new)})
            if new != old:
                was, is_now = (None if each == NO_ZONE else _encode(each).decode() for each in (old, new))
                await tx.notes.audit([self._desk.line(actor, Action.USER_TIMEZONE, request.user_id, None, was, is_now)])
            effects.facts.append((USER, request.user_id))
            return _view(request.user_id, new)

        return await self._desk.change(actor, request, UserTimezone, work)


def _view(user_id: str, zone: OwnZone) -> UserTimezone:
    return UserTimezone(user_id=user_id, timezone=zone.timezone, shared=zone.shared)
