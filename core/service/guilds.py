"""The use cases about guilds and people: settings, zones, who is here."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
import structlog

from core.ledger.port import StoreClosed, StoreError, Transaction
from core.ledger.rows import AuditRow, EventRow
from core.service import access
from core.service.desk import GUILD, USER, Desk, Effects, settings_of, zone_name
from core.service.policy import Mistakes
from core.service.shape import shaped
from core.timing.zones import zone
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.bounds import Id, Locale, Word
from schedule_zero.event import EventKind
from schedule_zero.views import Done, GuildSettings, UserTimezone

log = structlog.get_logger("schedule_zero.guilds")

LOOK_S: Final = 5.0
_FIXED: Final = frozenset({"guild_id", "defaults"})
_DEFAULTS: Final = GuildSettings(guild_id="")
_UNHEEDED: Final = {
    "locale": "this version does not speak other languages yet; leave it out",
    "mentions_everyone": "this version does not ask the server who may mention everyone yet; leave it out",
    "mention_roles": "this version does not ask the server which roles may be mentioned yet; leave it out",
    "ephemeral": "this version does not answer in public by itself yet; leave it out",
}
_Hour = Annotated[
    str, msgspec.Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9](?![\s\S])", description="a time of day such as 09:00")
]
_Roles = Annotated[tuple[Id, ...], msgspec.Meta(max_length=100, description="a list of at most 100 roles")]


class _Channels(msgspec.Struct, forbid_unknown_fields=True):
    """The channels that are sent; None: nowhere."""

    default: Id | msgspec.UnsetType | None = msgspec.UNSET
    log: Id | msgspec.UnsetType | None = msgspec.UNSET
    review: Id | msgspec.UnsetType | None = msgspec.UNSET
    failures: Id | msgspec.UnsetType | None = msgspec.UNSET


class _Changes(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What may be set of a guild; UNSET: left alone, None: back to the default."""

    timezone: Word | msgspec.UnsetType | None = msgspec.UNSET
    locale: Locale | msgspec.UnsetType | None = msgspec.UNSET
    hour24: bool | msgspec.UnsetType | None = msgspec.UNSET
    default_time: _Hour | msgspec.UnsetType | None = msgspec.UNSET
    channels: _Channels | msgspec.UnsetType | None = msgspec.UNSET
    mentions_everyone: bool | msgspec.UnsetType | None = msgspec.UNSET
    mention_roles: _Roles | msgspec.UnsetType | None = msgspec.UNSET
    ephemeral: bool | msgspec.UnsetType | None = msgspec.UNSET


class Guilds:
    """Settings of guilds and people."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def load_zones(self) -> None:
        """Tell the engine where every guild's days begin; at start."""
        for guild_id, text in (await self._desk.reader.notes.all(GUILD)).items():
            name = settings_of(guild_id, text).timezone
            try:
                self._desk.engine.entitler.set_zone(guild_id, zone(name))
            except ValueError:  # a zone may vanish with an update of the zone data; the others' days begin all the same
                log.warning("a server's time zone is not known any more", guild_id=guild_id, timezone=name)

    async def keep_zones(self) -> None:
        """Where days begin may be changed through another core: look again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                await self.load_zones()
            except StoreClosed:
                return
            except StoreError as error:
                log.warning("the store refused; zones are looked at again later", error=str(error))

    async def get(self, actor: Actor, request: ask.GetGuildSettings) -> GuildSettings:
        access.require_guild(actor, request.guild_id, change=False)
        return await self._desk.guild_settings(request.guild_id)

    async def put(self, actor: Actor, request: ask.PutGuildSettings) -> GuildSettings:
        access.require_guild(actor, request.guild_id, change=True)
        changes = _changes(request.changes)

        async def work(tx: Transaction, effects: Effects) -> GuildSettings:
            old = await tx.notes.get(GUILD, request.guild_id)
            stored = {} if old is None else msgspec.json.decode(old, type=dict[str, Any])
            new = msgspec.json.encode(_merged(stored, changes)).decode()
            settings = settings_of(request.guild_id, new)
            await tx.notes.put(GUILD, {request.guild_id: new})
            effects.facts.append((GUILD, request.guild_id))
            await tx.notes.audit(
                [AuditRow(at=self._desk.clock.now(), guild_id=request.guild_id, actor=f"{actor.kind}:{actor.id}",
                          action="guild.settings", target=request.guild_id, before=old, after=new)]
            )  # fmt: skip
            return settings

        settings = await self._desk.change(actor, request, GuildSettings, work)
        self._desk.engine.entitler.set_zone(request.guild_id, zone(settings.timezone))
        return settings

    async def note(self, actor: Actor, request: ask.NoteGuild) -> Done:
        """The bot is in a guild, or no longer. An event only when that is news."""
        access.require_operator(actor, request.guild_id)
        now = self._desk.clock.now()

        async def work(tx: Transaction, effects: Effects) -> Done:
            old = await tx.notes.get(GUILD, request.guild_id)
            stored = {} if old is None else msgspec.json.decode(old, type=dict[str, Any])
            if stored.get("present") == request.present and stored.get("name") == request.name:
                return Done()
            news = stored.get("present") != request.present
            stored |= {"present": request.present, "name": request.name}
            await tx.notes.put(GUILD, {request.guild_id: msgspec.json.encode(stored).decode()})
            effects.facts.append((GUILD, request.guild_id))
            if news:
                kind = EventKind.GUILD_JOINED if request.present else EventKind.GUILD_LEFT
                await tx.journal.append([EventRow(at=now, kind=kind, guild_id=request.guild_id)])
            return Done()

        return await self._desk.change(actor, request, Done, work)

    async def get_user_zone(self, actor: Actor, request: ask.GetUserTimezone) -> UserTimezone:
        access.require_user(actor, request.user_id)
        return UserTimezone(user_id=request.user_id, timezone=await self._desk.user_zone(request.user_id))

    async def put_user_zone(self, actor: Actor, request: ask.PutUserTimezone) -> UserTimezone:
        access.require_user(actor, request.user_id)
        name = None if request.timezone is None else zone_name(request.timezone, "timezone")

        async def work(tx: Transaction, effects: Effects) -> UserTimezone:
            text = None if name is None else msgspec.json.encode(name).decode()
            await tx.notes.put(USER, {request.user_id: text})
            effects.facts.append((USER, request.user_id))
            return UserTimezone(user_id=request.user_id, timezone=name)

        return await self._desk.change(actor, request, UserTimezone, work)


def _changes(sent: dict[str, Any]) -> _Changes:
    """The changes, checked. Fields that a client may only read are ignored, so that what was read can be sent back."""
    changes = shaped({name: value for name, value in sent.items() if name not in _FIXED}, _Changes)
    _refuse_unheeded(changes)
    if isinstance(changes.timezone, str):
        changes.timezone = zone_name(changes.timezone, "timezone")
    return changes


def _refuse_unheeded(changes: _Changes) -> None:
    """Raises Invalid where something is set that nothing heeds yet. Its default, and what is null, may be sent back."""
    mistakes = Mistakes()
    for name, sentence in _UNHEEDED.items():
        if getattr(changes, name) not in (msgspec.UNSET, None, getattr(_DEFAULTS, name)):
            mistakes.add(name, sentence)
    mistakes.raise_any()


def _merged(stored: dict[str, Any], changes: _Changes) -> dict[str, Any]:
    merged = dict(stored)
    for name in _Changes.__struct_fields__:
        value = getattr(changes, name)
        if value is msgspec.UNSET:
            continue
        if isinstance(value, _Channels):
            value = {**stored.get("channels", {}), **msgspec.to_builtins(value)}
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = value
    return merged
