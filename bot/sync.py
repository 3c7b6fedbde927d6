"""Telling Discord the commands: only when they changed, once, globally.

Discord allows 200 command creations a day, and two copies of a command (global and of a guild) show twice. What was
told last is remembered by its hash, together with whom it was told to. While Discord takes no commands, the bot serves
those of yesterday, and tells the new ones later.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
import discord
from discord import app_commands

logger = logging.getLogger(__name__)

_PAUSE: Final = 60.0
"""Seconds until the next try where Discord named none."""

Sleep = Callable[[float], Awaitable[None]]


def hash_of(tree: app_commands.CommandTree[Any], guild: discord.Object | None = None) -> str:
    """The hash of all commands as Discord would be told them: those of everywhere, or of one server alone."""
    there = tree.get_commands(guild=guild)
    commands = sorted((command.to_dict(tree) for command in there), key=lambda item: str(item["name"]))
    canonical = json.dumps(commands, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()


class TreeSync:
    """Syncs a tree when its hash changed. ``record`` None: every time (a Discord that forgets between starts)."""

    def __init__(self, record: Path | None, *, sleep: Sleep = asyncio.sleep) -> None:
        self._record = record
        self._sleep = sleep
        self._later: asyncio.Task[None] | None = None

    async def sync(
        self, tree: app_commands.CommandTree[Any], *, whom: str, operators: discord.Object | None = None
    ) -> bool:
        """Tell Discord the tree if it does not know it yet; whether it was told.

        Where Discord takes no commands for a while (a few hundred a day are the limit), they are told in the
        background, as soon as it does.

        Args:
            whom: the application (and the Discord) the tree is for.
            operators: the server that has commands of its own.

        Raises:
            discord.DiscordServerError, OSError: Discord did not answer; try again later.
        """
        self.stop()
        try:
            return await self._tell(tree, whom, operators)
        except discord.RateLimited as error:
            logger.warning("Discord takes no commands for %.0f s; until then the old ones stay", error.retry_after)
            self._later = asyncio.create_task(
                self._tell_later(tree, whom, operators, error.retry_after), name="command sync"
            )
            return False

    async def tell_one(self, tree: app_commands.CommandTree[Any], guild: discord.Object | None, *, whom: str) -> None:
        """Tell Discord the commands of everywhere, or of the operators' server, whatever it knows. Raises what it refuses with."""
        await tree.sync(guild=guild)
        logger.info("told Discord the commands of %s", "everywhere" if guild is None else f"the server {guild.id}")
        if self._record is None:
            return
        known = await asyncio.to_thread(_read, self._record)
        told = known if isinstance(known, dict) and known.get("whom") == whom else {"whom": whom}
        if guild is None:
            told |= {"hash": hash_of(tree)}
        else:
            told |= {"operators": str(guild.id), "operators_hash": hash_of(tree, guild)}
        await asyncio.to_thread(_write, self._record, told)

    def stop(self) -> None:
        """Tell nothing later: the bot whose commands they are is closed, or tells them anew."""
        if self._later is not None:
            self._later.cancel()
            self._later = None

    async def _tell_later(
        self, tree: app_commands.CommandTree[Any], whom: str, operators: discord.Object | None, seconds: float
    ) -> None:
        while True:
            await self._sleep(seconds)
            try:
                await self._tell(tree, whom, operators)
            except discord.RateLimited as error:
                seconds = error.retry_after
            except (discord.DiscordServerError, OSError, aiohttp.ClientError) as error:
                logger.info("the commands could not be told (%s); trying again", error)
                seconds = _PAUSE
            else:
                return

    async def _tell(self, tree: app_commands.CommandTree[Any], whom: str, operators: discord.Object | None) -> bool:
        known = None if self._record is None else await asyncio.to_thread(_read, self._record)
        known = known if isinstance(known, dict) else {}
        told = {"whom": whom, "hash": hash_of(tree)}
        if operators is not None:
            told |= {"operators": str(operators.id), "operators_hash": hash_of(tree, operators)}
        if self._record is not None and known == told:
            return False
        everywhere = any(known.get(name) != told[name] for name in ("whom", "hash"))
        if everywhere and not await _synced(tree, None):
            return False
        if not await self._tell_operators(tree, known, told, operators):
            told = {name: told[name] for name in ("whom", "hash")}
        if self._record is not None:
            await asyncio.to_thread(_write, self._record, told)
        logger.info("told Discord the commands")
        return True

    async def _tell_operators(
        self, tree: app_commands.CommandTree[Any], known: dict[str, str], told: dict[str, str],
        operators: discord.Object | None,
    ) -> bool:  # fmt: skip
        """Tell the operators' server its commands, and another one, which was theirs, that it has none any more."""
        before = known.get("operators")
        if before is not None and before != told.get("operators") and known.get("whom") == told["whom"]:
            await _synced(tree, discord.Object(int(before)))
        return operators is None or await _synced(tree, operators)


async def _synced(tree: app_commands.CommandTree[Any], guild: discord.Object | None) -> bool:
    """Whether Discord took the commands: those of everywhere, or of one server."""
    try:
        await tree.sync(guild=guild)
    except discord.DiscordServerError:
        raise
    except (discord.HTTPException, app_commands.AppCommandError) as error:
        # Discord keeps the commands it knows; a bot with yesterday's commands is better than none.
        where = "" if guild is None else f" of the server {guild.id} (discord.operator_guild_id)"
        logger.error("Discord refused the commands%s, so the old ones stay: %s", where, error)
        return False
    return True


def _read(record: Path) -> Any:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there yet, or damaged: then Discord is told once more
        return None


def _write(record: Path, told: dict[str, str]) -> None:
    fresh = record.with_suffix(".new")
    try:
        record.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(json.dumps(told), encoding="utf-8")
        os.replace(fresh, record)
    except OSError as error:
        logger.warning("%s cannot be written, so Discord will be told the commands at every start: %s", record, error)
