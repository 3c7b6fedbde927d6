"""A guild with channels and people in SimCord, with the real bot and a core of plain dicts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any, cast

import discord
import simcord

from bot.client import ScheduleZeroBot
from bot.sync import TreeSync
from cogs.operators import Operators
from schedule_zero.client import CoreClient
from schedule_zero.schedule import Schedule
from tests.bot.fake_core import World
from tests.cogs.strict_core import StrictCore, StrictWorld
from tests.engine.house import House

Staged = Callable[[House], Awaitable["Stage"]]
"""Puts a stage before a real core."""


class Stage:
    """Alice manages messages and the server, Bob is an ordinary member."""

    def __init__(self, env: simcord.Env) -> None:
        self.env = env
        self.bot = cast("ScheduleZeroBot", env.bot)
        self.guild = env.create_guild("Tea house")
        self.general = self.guild.create_text_channel("general")
        everything = discord.Permissions(manage_messages=True, manage_guild=True, mention_everyone=True)
        managers = self.guild.create_role("managers", permissions=everything)
        self.alice = self.guild.add_member(env.create_user("alice"), roles=[managers])
        self.bob = self.guild.add_member(env.create_user("bob"))

    @property
    def world(self) -> StrictWorld:
        """What the core of plain dicts knows; a stage on a real core has none."""
        return cast("StrictCore", self.bot.core).strict

    async def post(
        self, content: str = "", view: discord.ui.View | discord.ui.LayoutView | None = None
    ) -> discord.Message:
        """A message of the bot's own in #general."""
        channel = self.bot.get_partial_messageable(self.general.id)
        if isinstance(view, discord.ui.LayoutView):
            return await channel.send(view=view)
        return await channel.send(content, view=view) if view is not None else await channel.send(content)

    def channel_without(self, *rights: str) -> simcord.ChannelHandle:
        """A channel in which the bot lacks these rights."""
        assert self.env.bot.user is not None
        denied = discord.PermissionOverwrite(**dict.fromkeys(rights, False))
        return self.guild.create_text_channel("closed", overwrites={self.env.bot.user: denied})

    def answers(self) -> list[tuple[str, Any]]:
        """How the bot answered interactions: the kind of each first answer, then each edit and message after it."""
        found: list[tuple[str, Any]] = []
        for request in self.env.http_requests:
            if request.path.endswith("/callback"):
                found.append(("callback", (request.json or {}).get("type")))
            elif request.path.startswith("/webhooks/"):
                found.append(("edit" if request.method == "PATCH" else "followup", None))
        return found

    @property
    def guild_id(self) -> str:
        return str(self.guild.id)


def make_bot(world: World, operators: Operators | None = None) -> ScheduleZeroBot:
    """The real bot on a core of plain dicts."""
    return ScheduleZeroBot(StrictCore(world), sync=TreeSync(None), shards=1, operators=operators)


async def run_by_alice(stage: Stage, core: CoreClient) -> Stage:
    """The same with Alice as the one who runs the service, in this guild; she and Bob are administrators there."""
    admins = stage.guild.create_role("admins", permissions=discord.Permissions(administrator=True))
    stage.alice = stage.guild.add_member(stage.env.create_user("alice2"), roles=[admins])
    stage.bob = stage.guild.add_member(stage.env.create_user("bob2"), roles=[admins])
    operators = Operators([str(stage.alice.id)], stage.guild_id)
    await stage.env.restart_bot(ScheduleZeroBot(core, sync=TreeSync(None), shards=1, operators=operators))
    return stage


async def said(stage: Stage, command: str, **options: Any) -> str:
    """The words of Alice's answer; `from_` stands for `from`."""
    plain = {name.rstrip("_"): value for name, value in options.items()}
    result = await stage.alice.slash(stage.general, command, **plain)
    assert result.response is not None
    assert result.ephemeral
    return texts(result.response)


async def offered(stage: Stage, command: str, option: str, text: str, **options: Any) -> list[tuple[str, str]]:
    found = await stage.alice.autocomplete(stage.general, command, option, text, **options)
    return [(choice["name"], choice["value"]) for choice in found]


async def scheduled(stage: Stage, when: str = "every day at 9", **options: Any) -> Schedule:
    await stage.alice.slash(
        stage.general, "schedule message", when=when, channel=stage.general, text="Standup!", **options
    )
    page = await stage.bot.core.list_schedules(guild_id=stage.guild_id)
    return page.items[-1]


def texts(message: Any) -> str:
    """All words of a card or a message."""
    parts = [message.content, *_texts(message.components)]
    return "\n".join(part for part in parts if part)


def labels(message: Any) -> list[str]:
    """The labels of the buttons that can be pressed."""
    return [button["label"] for button in _walk(message.components) if button["type"] == 2 and not button["disabled"]]


def custom_ids(message: Any) -> list[str]:
    """The ids of the buttons."""
    return [button["custom_id"] for button in _walk(message.components) if button["type"] == 2]


def _texts(components: list[dict[str, Any]]) -> Iterator[str]:
    return (part["content"] for part in _walk(components) if part["type"] == 10)


def _walk(components: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for component in components:
        yield component
        yield from _walk(component.get("components") or [])
        if isinstance(component.get("component"), dict):
            yield from _walk([component["component"]])
