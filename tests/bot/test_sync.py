"""Discord is told the commands when they changed, once, globally."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.known_commands import differences
from bot.sync import TreeSync, hash_of
from bot.tree import Tree, load
from cogs.known_commands import Differences
from tests.bot.fake_core import World
from tests.cogs.stage import make_bot
from tests.discord_server.clock import Clock, Snowflakes
from tests.discord_server.commands import CommandStore

OPERATORS = discord.Object(7)


class Told(Tree):
    """A tree that counts how often Discord was told; ``servers``: which were told which commands of their own."""

    servers: list[tuple[int, list[str]]]
    times = 0
    trouble: Exception | None = None
    refusing: frozenset[int] = frozenset()

    async def sync(self, *, guild: Any = None) -> list[app_commands.AppCommand]:
        if guild is not None:
            self.servers.append((guild.id, [command.name for command in self.get_commands(guild=guild)]))
            if guild.id in self.refusing:
                response: Any = SimpleNamespace(status=403, reason="Forbidden")
                raise discord.Forbidden(response, "Missing Access")
            return []
        self.times += 1
        if self.trouble is not None:
            raise self.trouble
        return []


@pytest.fixture
async def tree() -> Told:
    bot = make_bot(World())
    # A client has one tree; this one replaces it before anything was loaded.
    bot._connection._command_tree = None
    tree = Told(bot)
    tree.servers = []
    load(tree, operators=OPERATORS)
    return tree


async def test_a_second_start_tells_nothing(tree: Told, tmp_path: Path) -> None:
    record = tmp_path / "command-tree.json"
    assert await TreeSync(record).sync(tree, whom="1 at x")
    assert not await TreeSync(record).sync(tree, whom="1 at x")
    assert tree.times == 1


async def test_a_changed_command_and_another_application_are_told(tree: Told, tmp_path: Path) -> None:
    record = tmp_path / "command-tree.json"
    await TreeSync(record).sync(tree, whom="1 at x")
    assert await TreeSync(record).sync(tree, whom="2 at x")
    before = hash_of(tree)
    tree.remove_command("status")
    assert hash_of(tree) != before
    assert await TreeSync(record).sync(tree, whom="2 at x")


async def test_a_damaged_record_tells_once_more(tree: Told, tmp_path: Path) -> None:
    record = tmp_path / "command-tree.json"
    record.write_text("{")
    assert await TreeSync(record).sync(tree, whom="1 at x")
    assert not await TreeSync(record).sync(tree, whom="1 at x")


async def test_a_discord_that_forgets_is_told_every_time(tree: Told) -> None:
    sync = TreeSync(None)
    assert await sync.sync(tree, whom="1 at x")
    assert await sync.sync(tree, whom="1 at x")


async def test_a_refusal_keeps_the_bot_running_with_the_old_commands(
    tree: Told, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    response: Any = SimpleNamespace(status=400, reason="Bad Request")
    tree.trouble = discord.HTTPException(response, "no")
    assert not await TreeSync(tmp_path / "x.json").sync(tree, whom="1 at x")
    assert "Discord refused the commands" in caplog.text
    tree.trouble = None
    assert await TreeSync(tmp_path / "x.json").sync(tree, whom="1 at x")


async def test_a_server_error_is_for_another_try(tree: Told, tmp_path: Path) -> None:
    response: Any = SimpleNamespace(status=503, reason="Unavailable")
    tree.trouble = discord.DiscordServerError(response, "later")
    with pytest.raises(discord.DiscordServerError):
        await TreeSync(tmp_path / "x.json").sync(tree, whom="1 at x")


async def test_commands_that_come_too_often_are_told_later_and_the_bot_starts_with_the_old_ones(
    tree: Told, tmp_path: Path
) -> None:
    waited: list[float] = []
    over, told = asyncio.Event(), asyncio.Event()
    response: Any = SimpleNamespace(status=503, reason="Unavailable")
    troubles = [discord.RateLimited(7_200.0), discord.DiscordServerError(response, "later"), None]

    async def wait(seconds: float) -> None:
        await over.wait()
        waited.append(seconds)
        tree.trouble = troubles.pop(0)
        if tree.trouble is None:
            told.set()

    tree.trouble = discord.RateLimited(3_600.0)
    record = tmp_path / "command-tree.json"
    sync = TreeSync(record, sleep=wait)
    assert not await asyncio.wait_for(sync.sync(tree, whom="1 at x"), 5)
    assert tree.times == 1
    over.set()
    await asyncio.wait_for(told.wait(), 5)
    assert sync._later is not None
    await asyncio.wait_for(sync._later, 5)
    assert waited == [3_600.0, 7_200.0, 60.0]
    assert not await TreeSync(record).sync(tree, whom="1 at x")


async def test_a_bot_that_is_closed_tells_no_commands_later(tree: Told) -> None:
    tree.trouble = discord.RateLimited(3_600.0)
    sync = TreeSync(None)
    await sync.sync(tree, whom="1 at x")
    waiting = sync._later
    assert waiting is not None
    sync.stop()
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()


# ── the operators' server ──────────────────────────────────────────────────────────────────────────────────────


async def test_the_operators_server_is_told_its_commands_once(tree: Told, tmp_path: Path) -> None:
    for _ in range(2):
        await TreeSync(tmp_path / "x.json").sync(tree, whom="1 at x", operators=OPERATORS)
    assert (tree.times, tree.servers) == (1, [(7, ["admin"])])


async def test_a_server_that_was_the_operators_has_no_such_commands_any_more(tree: Told, tmp_path: Path) -> None:
    record = tmp_path / "x.json"
    await TreeSync(record).sync(tree, whom="1 at x", operators=OPERATORS)
    other = discord.Object(8)
    tree.add_command(app_commands.Group(name="other", description="…"), guild=other)
    tree.clear_commands(guild=OPERATORS)
    await TreeSync(record).sync(tree, whom="1 at x", operators=other)
    assert tree.servers[1:] == [(7, []), (8, ["other"])]
    tree.clear_commands(guild=other)
    await TreeSync(record).sync(tree, whom="1 at x")
    assert tree.servers[3:] == [(8, [])]
    assert tree.times == 1


async def test_a_server_that_refuses_its_commands_leaves_the_others_as_they_are_and_is_asked_again(
    tree: Told, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    tree.refusing = frozenset({7})
    for _ in range(2):
        await TreeSync(tmp_path / "x.json").sync(tree, whom="1 at x", operators=OPERATORS)
    assert (tree.times, len(tree.servers)) == (1, 2)
    assert "Discord refused the commands of the server 7 (discord.operator_guild_id)" in caplog.text


async def test_telling_one_scope_leaves_the_others_to_the_next_start(tree: Told, tmp_path: Path) -> None:
    record = tmp_path / "x.json"
    sync = TreeSync(record)
    await sync.tell_one(tree, OPERATORS, whom="1 at x")
    assert (tree.times, tree.servers) == (0, [(7, ["admin"])])
    assert await TreeSync(record).sync(tree, whom="1 at x", operators=OPERATORS)
    assert tree.times == 1
    await sync.tell_one(tree, None, whom="1 at x")
    assert not await TreeSync(record).sync(tree, whom="1 at x", operators=OPERATORS)
    await sync.tell_one(tree, None, whom="2 at x")
    assert await TreeSync(record).sync(tree, whom="2 at x", operators=OPERATORS), (
        "another application has other servers"
    )


# ── what Discord knows ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("guild", [None, OPERATORS], ids=["everywhere", "operators"])
async def test_what_discord_was_told_is_not_different_for_how_it_says_it(
    tree: Told, guild: discord.Object | None
) -> None:
    wanted = [command.to_dict(tree) for command in tree.get_commands(guild=guild)]
    store = CommandStore(1, Snowflakes(Clock()))
    known = store.overwrite(None if guild is None else guild.id, json.loads(json.dumps(wanted)))
    for command in known:  # as Discord fills in what was left out
        command |= {"default_member_permissions": _as_text(command["default_member_permissions"]), "version": "9"}
        if guild is not None:
            command |= {"contexts": None, "integration_types": [0]}
    assert differences(wanted, known, everywhere=guild is None) == Differences()


@pytest.mark.parametrize(
    "changed",
    [
        {"description": "Other"}, {"nsfw": True}, {"contexts": [0]}, {"default_member_permissions": "0"},
        {"options": [{"type": 3, "name": "text", "description": "t"}]},
        {"options": [{"type": 3, "name": "text", "description": "t", "required": True, "min_length": 1}]},
        {"options": [{"type": 3, "name": "text", "description": "t", "required": True, "choices": [{"name": "a", "value": "a"}]}]},
    ],
    ids=str,
)  # fmt: skip
def test_everything_that_people_would_notice_is_a_difference(changed: dict[str, Any]) -> None:
    told = {
        "name": "tea", "type": 1, "description": "Tea", "nsfw": False, "contexts": [0, 1], "default_member_permissions": None,
        "options": [{"type": 3, "name": "text", "description": "t", "required": True}],
    }  # fmt: skip
    assert differences([told], [told], everywhere=True) == Differences()
    assert differences([told], [told | changed], everywhere=True) == Differences(other=("tea",))


def _as_text(permissions: int | None) -> str | None:
    return None if permissions is None else str(permissions)
