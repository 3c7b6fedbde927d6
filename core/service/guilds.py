"""The use cases about guilds and people: settings, zones, who is here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, Final

import msgspec
import structlog

from core.ledger.port import StoreClosed, StoreError, Transaction
from core.ledger.rows import EventRow
from core.service import access
from core.service.desk import GUILD, USER, Desk, Effects, settings_of, zone_name
from core.service.policy import Mistakes
from core.service.shape import shaped
from core.timing.zones import zone
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.bounds import Id, Locale, Word
from schedule_zero.errors import Conflict
from schedule_zero.event import EventKind
from schedule_zero.views import AuditRevert, Done, GuildSettings, UserTimezone

log = structlog.get_logger("schedule_zero.guilds")

LOOK_S: Final = 5.0
Document = dict[str, Any]
"""A guild as it is stored: what was set, and ``_PRESENCE``."""
Place = tuple[str, str | None]
"""A setting: its field, and its name within that, if it has one."""
_PRESENCE: Final = ("present", "name")
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
            return await self._set(tx, effects, actor, request.guild_id, lambda _: changes, Action.GUILD_SETTINGS)

        settings = await self._desk.change(actor, request, GuildSettings, work)
        self._desk.engine.entitler.set_zone(request.guild_id, zone(settings.timezone))
        return settings

    async def take_back(
        self, actor: Actor, request: ask.RevertAudit, guild_id: str, before: Document, after: Document
    ) -> AuditRevert:
        """Set what a change had set to what it was ``before`` it. Raises Conflict where that is not ``after`` any more."""
        access.require_guild(actor, guild_id, change=True)

        def changes(stored: Document) -> _Changes:
            if not stands(stored, before, after):
                raise Conflict("These settings have been changed again since then; set them as they should be.")
            return _changes(_way_back(stored, before, after))

        async def work(tx: Transaction, effects: Effects) -> AuditRevert:
            settings = await self._set(tx, effects, actor, guild_id, changes, Action.GUILD_REVERT)
            return AuditRevert(settings=settings)

        reverted = await self._desk.change(actor, request, AuditRevert, work)
        assert reverted.settings is not None, "work set it"
        self._desk.engine.entitler.set_zone(guild_id, zone(reverted.settings.timezone))
        return reverted

    async def _set(
        self, tx: Transaction, effects: Effects, actor: Actor, guild_id: str,
        changes: Callable[[Document], _Changes], action: Action,
    ) -> GuildSettings:  # fmt: skip
        """``changes``: what changes, by what is stored."""
        old = await tx.notes.get(GUILD, guild_id)
        stored = _document(old)
        merged = _merged(stored, changes(stored))
        new = msgspec.json.encode(merged).decode()
        settings = settings_of(guild_id, new)
        await tx.notes.put(GUILD, {guild_id: new})
        effects.facts.append((GUILD, guild_id))
        if merged != stored:
            line = self._desk.line(actor, action, guild_id, guild_id, _told(stored), _told(merged))
            await tx.notes.audit([line])
        return settings

    async def note(self, actor: Actor, request: ask.NoteGuild) -> Done:
        """The bot is in a guild, or no longer. An event only when that is news."""
        access.require_operator(actor, request.guild_id)
        now = self._desk.clock.now()

        async def work(tx: Transaction, effects: Effects) -> Done:
            stored = _document(await tx.notes.get(GUILD, request.guild_id))
            known = {name: stored[name] for name in _PRESENCE if name in stored}
            noted = {"present": request.present, "name": request.name}
            if known == noted:
                return Done()
            news = known.get("present") != request.present
            await tx.notes.put(GUILD, {request.guild_id: msgspec.json.encode({**stored, **noted}).decode()})
            effects.facts.append((GUILD, request.guild_id))
            action = Action.GUILD_RENAME
            if news:
                kind = EventKind.GUILD_JOINED if request.present else EventKind.GUILD_LEFT
                action = Action.GUILD_JOIN if request.present else Action.GUILD_LEAVE
                await tx.journal.append([EventRow(at=now, kind=kind, guild_id=request.guild_id)])
            was, is_now = (msgspec.json.encode(each).decode() for each in (known, noted))
            line = self._desk.line(actor, action, request.guild_id, request.guild_id, was if known else None, is_now)
            await tx.notes.audit([line])
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
            old = await tx.notes.get(USER, request.user_id)
            await tx.notes.put(USER, {request.user_id: text})
            if text != old:
                was, is_now = (None if each is None else f'{{"timezone":{each}}}' for each in (old, text))
                await tx.notes.audit([self._desk.line(actor, Action.USER_TIMEZONE, request.user_id, None, was, is_now)])
            effects.facts.append((USER, request.user_id))
            return UserTimezone(user_id=request.user_id, timezone=name)

        return await self._desk.change(actor, request, UserTimezone, work)


def stands(stored: Document, before: Document, after: Document) -> bool:
    """Whether everything that is different between ``before`` and ``after`` is stored as it became."""
    return all(_entries(stored).get(place) == _entries(after).get(place) for place in _changed(before, after))


def _way_back(stored: Document, before: Document, after: Document) -> Document:
    """The changes that make what is different between the two as it was before; None: back to the default."""
    was = _entries(before)
    back: Document = {}
    for field, within in _changed(before, after):
        value = was.get((field, within))
        if within is None:
            back[field] = value
        else:
            back[field] = {**stored.get(field, {}), **back.get(field, {}), within: value}
    return back


def _entries(document: Document) -> dict[Place, Any]:
    """Every setting by its place: those that stand within another one by themselves."""
    found: dict[Place, Any] = {}
    for field, value in document.items():
        if isinstance(value, dict):
            found.update({(field, within): each for within, each in value.items()})
        elif field not in _PRESENCE:
            found[field, None] = value
    return found


def _changed(before: Document, after: Document) -> list[Place]:
    was, is_now = _entries(before), _entries(after)
    return [place for place in dict.fromkeys((*was, *is_now)) if was.get(place) != is_now.get(place)]


def _told(stored: Document) -> str:
    """The settings in a document, as the audit keeps them."""
    return msgspec.json.encode({name: value for name, value in stored.items() if name not in _PRESENCE}).decode()


def _document(text: str | None) -> Document:
    return {} if text is None else msgspec.json.decode(text, type=dict[str, Any])


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
