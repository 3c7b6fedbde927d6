"""Guilds whose gateway events go to another process: asked for over REST, which knows all of them.

A message needs no gateway, only the guild's roles and the bot's own; those are remembered for a minute.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import Final
from weakref import WeakKeyDictionary

import discord

REMEMBERED: Final = 60.0
MOST: Final = 1_000

_Known = OrderedDict[int, tuple[float, discord.Guild, discord.Member]]
_known: Final[WeakKeyDictionary[discord.Client, _Known]] = WeakKeyDictionary()


def is_elsewhere(bot: discord.Client, guild_id: int) -> bool:
    """Whether a guild belongs to a shard of another process."""
    shards = getattr(bot, "shard_ids", None)
    return shards is not None and bool(bot.shard_count) and (guild_id >> 22) % (bot.shard_count or 1) not in shards


async def guild_from_afar(bot: discord.Client, guild_id: int) -> tuple[discord.Guild, discord.Member]:
    """The guild with its roles, and the bot as its member.

    Raises:
        discord.DiscordException, OSError: Discord refused, or did not answer.
    """
    known = _known.setdefault(bot, OrderedDict())
    found = known.get(guild_id)
    if found is not None and time.monotonic() - found[0] < REMEMBERED:
        return found[1], found[2]
    assert bot.user is not None, "only a bot that is connected sends"
    guild = await bot.fetch_guild(guild_id, with_counts=False)
    me = await guild.fetch_member(bot.user.id)
    known[guild_id] = (time.monotonic(), guild, me)
    known.move_to_end(guild_id)
    while len(known) > MOST:
        known.popitem(last=False)
    return guild, me
