"""Requests about what guilds may use, and what they use of it. ``by``: in whose name a program of the operators asks."""

from __future__ import annotations

from typing import Any

import msgspec

from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.bounds import Id, Line, Word


class ListGuilds(BaseRequest, tag="guild.list", frozen=True):
    """Answers GuildPage, by id; for operators. ``q``: only those whose id or name begins so."""

    q: Line | None = None
    cursor: Word | None = None
    limit: int = 50


class GetGuild(BaseRequest, tag="guild.get", frozen=True):
    """Answers GuildView: what a guild may use, and what it uses of it now. Who does not manage it sees only their own."""

    guild_id: Id


class GetGuildQuota(BaseRequest, tag="guild.quota.get", frozen=True):
    """Answers QuotaView."""

    guild_id: Id


class PutGuildQuota(BaseRequest, tag="guild.quota.put", frozen=True):
    """Answers QuotaView. ``document``: all that differs for the guild, fields as in a plan, and ``plan``; what it leaves
    out is as in the plan, null is no limit."""

    guild_id: Id
    document: dict[str, Any]
    by: Word | None = None


class PatchGuildQuota(BaseRequest, tag="guild.quota.patch", frozen=True):
    """Answers QuotaView. ``changes``: some of the fields of PutGuildQuota; with ``until`` (RFC 3339, or a time in words) they
    hold so long, and then what held before. ``reset`` names fields that are lastingly as in the plan again; ``end`` those
    whose newest value with an end ends now, and named twice the one before it, too."""

    guild_id: Id
    changes: dict[str, Any] = msgspec.field(default_factory=dict)
    until: Line | None = None
    reset: tuple[Word, ...] = ()
    end: tuple[Word, ...] = ()
    by: Word | None = None


class NewVerification(BaseRequest, tag="guild.verification.new", frozen=True):
    """Answers VerificationView: a code that proves, entered in the guild, that whoever signed in manages it."""

    guild_id: Id


class VerifyGuild(BaseRequest, tag="guild.verify", frozen=True):
    """Answers GuildView. Who manages the guild shows the code; operators need none."""

    guild_id: Id
    code: Word | None = None
    by: Word | None = None


class SuspendGuild(BaseRequest, tag="guild.suspend", frozen=True):
    """Answers GuildView. From now on the guild starts nothing and nothing is made for it; nothing of it is lost."""

    guild_id: Id
    why: Line = ""
    by: Word | None = None


class ResumeGuild(BaseRequest, tag="guild.resume", frozen=True):
    """Answers GuildView. What waited goes on."""

    guild_id: Id
    by: Word | None = None


class GetRefusal(BaseRequest, tag="guild.refusal.get", frozen=True):
    """Answers RefusalView: what limit the asking person met last, in this guild."""

    guild_id: Id
