"""What a schedule's author may still do when it fires.

Nobody gains by scheduling what they may not do themselves, nor keeps it once they lost it: whoever left, was banned or
lost a right posts no longer. A person is fetched when their schedule fires in a server, and remembered for ten minutes,
since the bot keeps no member list. Owners that are no person (an operator's token) are the operator's business.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import partial
from typing import Final

import discord

from bot.destination import Destination
from cogs.channels import missing_to_post, named
from cogs.front import roles_of
from cogs.mentions import Mentions, may_make
from schedule_zero.errors import Reject, RetryAfter
from schedule_zero.permitted import lists_all, standing_of, why_not_mentioned
from schedule_zero.views import GuildSettings

_REMEMBERED: Final = 600.0
_MOST: Final = 10_000
# Unknown Member and Unknown User (Discord's documentation, "JSON Error Codes").
_GONE: Final = {10007, 10013}
_NOT_SAID_S: Final = 60.0
_SNOWFLAKE: Final = re.compile(r"[0-9]{15,20}")


def snowflake(text: str) -> int | None:
    """The number of a Discord id; None when the text is none."""
    return int(text) if _SNOWFLAKE.fullmatch(text) else None


def person(owner_id: str) -> int | None:
    """The Discord id of an owner; None when the owner is no person there (an operator's token)."""
    return snowflake(owner_id)


class AuthorRights:
    """Judges what a message asks for by what its author may do in that channel now."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._members: OrderedDict[tuple[int, int], tuple[float, discord.Member]] = OrderedDict()
        self._asking: dict[tuple[int, int], asyncio.Task[discord.Member | None]] = {}

    async def require(
        self, owner_id: str, to: Destination, mentions: Mentions, settings: GuildSettings, *, personal: bool
    ) -> None:
        """Let the message pass, or refuse it in the author's name.

        Args:
            settings: what its server has set: it may give to roles what else takes Manage Messages, and say whom messages
                mention.
            personal: it is a person's own reminder, which takes the right to write in that channel; a message of the
                server takes Manage Messages there, too.

        Raises:
            Reject: ``needs_owner`` when the author is gone, ``no_rights`` when the author may not do this.
            RetryAfter: Discord does not say at the moment whether the author is there.
            discord.DiscordException, OSError: Discord refused, or did not answer.
        """
        author = person(owner_id)
        if author is None or to.guild is None:
            _require_mentions(mentions, settings, manages=True)
            return
        member = await self._member(to.guild, author)
        if member is None:
            raise Reject("needs_owner: its author is no longer in this server")
        rights = to.rights_of(member)
        standing = standing_of(roles_of(member), settings)
        manages = rights.manage_messages or standing == "manager"
        missing = missing_to_post(rights, to.channel.type)
        if not personal and not manages and standing != "member":
            missing += ("Manage Messages",)
        if missing:
            raise Reject(f"no_rights: its author lacks {named(missing)} in this channel")
        _require_mentions(mentions, settings, manages=manages)
        if lists_all(settings.mentions, mentions.asked):
            return
        allowed, why = may_make(mentions, rights, to.guild)
        if not allowed:
            raise Reject(f"no_rights: {why}")

    async def _member(self, guild: discord.Guild, user_id: int) -> discord.Member | None:
        """The author as Discord knows them now or did lately; None: they are gone, which is asked anew every time."""
        key = (guild.id, user_id)
        known = self._members.get(key)
        if known is not None and self._clock() - known[0] < _REMEMBERED:
            return known[1]
        asking = self._asking.get(key)
        if asking is None:  # much is due at nine o'clock, and each author is asked about once
            asking = self._asking[key] = asyncio.create_task(self._fetch(guild, user_id), name="author's rights")
            asking.add_done_callback(partial(self._answered, key))
        return await asyncio.shield(asking)

    def _answered(self, key: tuple[int, int], asking: asyncio.Task[discord.Member | None]) -> None:
        del self._asking[key]
        if not asking.cancelled():
            asking.exception()  # those who waited have it, and perhaps nobody waits any more

    async def _fetch(self, guild: discord.Guild, user_id: int) -> discord.Member | None:
        asked_at = self._clock()
        try:
            member = await guild.fetch_member(user_id)
        except discord.NotFound as error:
            if error.code in _GONE:
                return None
            # The server is not known there at the moment, or an edge of Discord answered: that says nothing of anybody.
            raise RetryAfter(
                _NOT_SAID_S, "Discord does not say at the moment whether its author is in this server"
            ) from error
        self._members[guild.id, user_id] = (asked_at, member)
        self._members.move_to_end((guild.id, user_id))
        while len(self._members) > _MOST:
            self._members.popitem(last=False)
        return member


def _require_mentions(mentions: Mentions, settings: GuildSettings, *, manages: bool) -> None:
    """Raises Reject where its server's settings do not let a message mention these."""
    why = why_not_mentioned(settings.mentions, mentions.asked, manages=manages)
    if why is not None:
        raise Reject(f"no_rights: {why}")
