"""Facts: what guilds and people have set, kept in memory until a change to it is committed; every request asks for some."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from core.engine import shorter
from core.engine.engine import Engine
from core.service.closings import NO_CLOSINGS, Closings, closings_of
from core.service.guild_settings import settings_of
from core.service.own_zone import NO_ZONE, OwnZone, own_zone_in
from core.timing.zones import zone
from schedule_zero import views
from schedule_zero.errors import Invalid

GUILD: Final = shorter.GUILD
USER: Final = "user"
CLOSINGS: Final = "closings"
NO_SETTINGS: Final = settings_of("", None)
KEPT: Final = 10_000

V = TypeVar("V")


class Facts:
    """The settings of guilds and people. Where several cores share the store nothing is kept."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[tuple[str, str], Any] = {}
        self._forgotten = 0

    async def guild_settings(self, guild_id: str | None) -> views.GuildSettings:
        """What a guild has set, with defaults filled in. Shared: not to be changed."""
        if guild_id is None:
            return NO_SETTINGS
        return await self._remembered(GUILD, guild_id, lambda text: settings_of(guild_id, text))

    async def closings(self, guild_id: str | None) -> Closings:
        """The calendars, hours and blackouts a guild keeps."""
        return NO_CLOSINGS if guild_id is None else await self._remembered(CLOSINGS, guild_id, closings_of)

    async def own_zone(self, user_id: str | None) -> OwnZone:
        """A person's own zone, and whether others may see it."""
        if user_id is None:
            return NO_ZONE
        return await self._remembered(USER, user_id, own_zone_in)

    async def zone_for(
        self, given: str | None, guild_id: str | None, user_id: str | None, *, field: str = "timezone"
    ) -> str:
        """The zone that applies: the item's own, else the person's, else the guild's. Raises Invalid."""
        if given:
            return zone_name(given, field)
        return (await self.own_zone(user_id)).timezone or (await self.guild_settings(guild_id)).timezone

    def forget(self, facts: Iterable[tuple[str, str]]) -> None:
        """A change to these is committed."""
        for fact in facts:
            self._forgotten += 1
            self._known.pop(fact, None)

    async def _remembered(self, kind: str, key: str, read: Callable[[str | None], V]) -> V:
        """A fact as it is read, once, while this core alone can change it."""
        if self._engine.territory.shared:
            return read(await self._engine.ledger.reader.notes.get(kind, key))
        if (kind, key) in self._known:
            known: V = self._known[kind, key]
            return known
        before = self._forgotten
        value = read(await self._engine.ledger.reader.notes.get(kind, key))
        if before == self._forgotten:  # else it may have changed while it was read
            if len(self._known) >= KEPT:
                self._known.clear()
            self._known[kind, key] = value
        return value


def zone_name(text: str, field: str) -> str:
    """The full name of a zone as somebody wrote it. Raises Invalid."""
    try:
        return zone(text).key
    except ValueError as error:
        message = getattr(error, "message", str(error))
        raise Invalid.at(field, message) from None
