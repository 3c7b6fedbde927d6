"""The use cases about a guild's settings: read, changed, and the last change taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from core.ledger.port import Transaction
from core.ledger.rows import UndoRow
from core.service import access
from core.service.clocks import change_clocks
from core.service.desk import UNDO_FOR, Desk
from core.service.effects import Effects
from core.service.facts import GUILD, zone_name
from core.service.guild_settings import (
    changes_in,
    differs,
    document_of,
    merged,
    require_sense,
    settings_in,
    shown,
    stands,
    taken_back,
    with_settings,
)
from core.service.render import zone_or_utc
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, Gone
from schedule_zero.instant import DAY, spell
from schedule_zero.schedule import UndoToken
from schedule_zero.views import AuditRevert, GuildSettings

_encode: Final = msgspec.json.Encoder(order="sorted").encode


class Taken(msgspec.Struct):
    """How a change of settings is taken back: what was stored before it, and what it made of that."""

    was: dict[str, Any]
    became: dict[str, Any]


_taken: Final = msgspec.json.Decoder(Taken).decode


class Settings:
    """The settings of guilds."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def get(self, actor: Actor, request: ask.GetGuildSettings) -> GuildSettings:
        access.require_guild(actor, request.guild_id, change=False)
        return await self._desk.facts.guild_settings(request.guild_id)

    async def put(self, actor: Actor, request: ask.PutGuildSettings) -> GuildSettings:
        """Change what is named; what stands as it is asked for leaves no trace."""
        access.require_guild(actor, request.guild_id, change=True)
        changes = changes_in(request.changes)
        if changes.get("timezone") is not None:
            changes["timezone"] = zone_name(changes["timezone"], "timezone")

        async def work(tx: Transaction, effects: Effects) -> GuildSettings:
            document = document_of(await tx.notes.get(GUILD, request.guild_id))
            after = merged(settings_in(document), changes)
            return await self._replace(tx, effects, actor, request.guild_id, document, after, Action.GUILD_SETTINGS)

        return await self._desk.change(actor, request, GuildSettings, work)

    async def undo(self, actor: Actor, request: ask.UndoGuildSettings) -> GuildSettings:
        """What a change had set as it was before.

        Raises:
            Gone: the token ran out, was used, or never was.
            Conflict: some of it has been changed again since.
        """
        access.require_guild(actor, request.guild_id, change=True)

        async def work(tx: Transaction, effects: Effects) -> GuildSettings:
            row = await tx.notes.undo(request.token)
            ended = row is None or row.until < self._desk.clock.now()
            if row is None or ended or row.before is None or row.schedule_id or row.guild_id != request.guild_id:
                raise Gone(
                    "It is too late to undo this, or there is no such change of settings; each can be taken back for 15 "
                    "minutes, once."
                )
            taken = _taken(row.before)
            await tx.notes.forget_undo(request.token)
            return await self._take_back(tx, effects, actor, request.guild_id, taken)

        return await self._desk.change(actor, request, GuildSettings, work)

    async def take_back(
        self, actor: Actor, request: ask.RevertAudit, guild_id: str, before: dict[str, Any], after: dict[str, Any]
    ) -> AuditRevert:
        """Set what a change had set to what it was ``before`` it. Raises Conflict where that is not ``after`` any more."""
        access.require_guild(actor, guild_id, change=True)

        async def work(tx: Transaction, effects: Effects) -> AuditRevert:
            settings = await self._take_back(tx, effects, actor, guild_id, Taken(before, after))
            return AuditRevert(settings=settings)

        return await self._desk.change(actor, request, AuditRevert, work)

    async def _take_back(
        self, tx: Transaction, effects: Effects, actor: Actor, guild_id: str, taken: Taken
    ) -> GuildSettings:
        document = document_of(await tx.notes.get(GUILD, guild_id))
        stored = settings_in(document)
        if not stands(stored, taken.was, taken.became):
            raise Conflict("These settings have been changed again since then; set them as they should be.")
        after = settings_in(taken_back(stored, taken.was, taken.became))
        return await self._replace(tx, effects, actor, guild_id, document, after, Action.GUILD_REVERT)

    async def _replace(
        self, tx: Transaction, effects: Effects, actor: Actor, guild_id: str, document: Mapping[str, Any],
        after: dict[str, Any], action: Action,
    ) -> GuildSettings:  # fmt: skip
        """Write other settings into a guild's note, with the audit line and the way back."""
        before = settings_in(document)
        if not differs(before, after):
            return shown(guild_id, before)
        settings = shown(guild_id, after)
        require_sense(settings, self._longest_days)
        access.require_settings(actor, shown(guild_id, before), settings)
        await tx.notes.put(GUILD, {guild_id: _encode(with_settings(document, after)).decode()})
        effects.facts.append((GUILD, guild_id))
        place = zone_or_utc(settings.timezone)
        was_at = zone_or_utc(shown(guild_id, before).timezone)
        await change_clocks(self._desk, tx, effects, guild_id, was_at, place)
        was, is_now = (_encode(each).decode() for each in (before, after))
        await tx.notes.audit([self._desk.line(actor, action, guild_id, guild_id, was, is_now)])
        settings.undo = await self._way_back(tx, actor, guild_id, Taken(before, after), place)
        return settings

    async def _way_back(
        self, tx: Transaction, actor: Actor, guild_id: str, taken: Taken, place: ZoneInfo
    ) -> UndoToken:  # fmt: skip
        now = self._desk.clock.now()
        until = now + UNDO_FOR
        row = UndoRow(
            token=self._desk.ids.make("und", now), schedule_id="", guild_id=guild_id, actor=actor.id, revision=0,
            before=_encode(taken).decode(), until=until,
        )  # fmt: skip
        await tx.notes.remember_undo([row])
        return UndoToken(token=row.token, until=spell(until, place))

    @property
    def _longest_days(self) -> int:
        """For how many days the operator keeps what is over, at the longest."""
        kept = self._desk.engine.retention
        return max(kept.runs, kept.events) // DAY
