"""The command tree as Discord is told it: its fixed names, its permissions, Discord's limits, and its documentation."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import discord
import pytest
from discord import app_commands

from bot.tree import COGS, CogsFailed, Tree, load
from cogs.operators import Operators
from cogs.options import Text
from tests.bot.fake_core import World
from tests.cogs.stage import make_bot

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "commands.md"

# Names are fixed: scripts and people rely on them. `*` is required, `?` completes itself.
SURFACE = {
    "remind me": "when*? text repeat? until? tz? deliver public",
    "remind list": "filter search scope page",
    "remind show": "item*?",
    "remind delete": "item*?",
    "schedule message": "when*? channel* text name repeat? until? count tz? mentions",
    "schedule policy": "item*? catchup dst month_end calendar? on_clash active_hours? outside",
    "schedule list": "channel owner state search sort page",
    "schedule show": "item*?",
    "schedule preview": "item? when? repeat? tz? n from?",
    "schedule pause": "item*? until?",
    "schedule resume": "item*?",
    "schedule skip": "item*? which?",
    "schedule move": "item*? to*? which?",
    "schedule run_now": "item*? test keep_anchor",
    "schedule delete": "item*?",
    "schedule undo": "token*?",
    "job create": "handler*? when? repeat? args? name tz? until? count priority notify notify_on after?",
    "job policy": "item*? timeout max_attempts backoff? overlap catchup dst month_end calendar? on_clash active_hours? outside",
    "job list": "owner state search sort page",
    "job show": "item*?",
    "job edit": "item*? part",
    "job pause": "item*? until?",
    "job resume": "item*?",
    "job delete": "item*?",
    "job copy": "item*? channel",
    "job preview": "item*? n from?",
    "job run": "item*? args? dry_run wait",
    "job cancel": "run*?",
    "job retry": "run*? from_failed",
    "job runs": "item*? state since? page",
    "job log": "run*?",
    "job dead": "page action",
    "job handlers": "name?",
    "job token": "scope*? rotate",
    "chain add": "item*? after*? when delay",
    "chain remove": "item*? after*?",
    "chain show": "item*?",
    "chain check": "",
    "calendar hours set": "name*? days* from* to* tz?",
    "calendar hours show": "name?",
    "calendar hours clear": "name*?",
    "calendar holidays add": "name*? date? country? region",
    "calendar holidays remove": "name*? date? country?",
    "calendar holidays list": "name?",
    "calendar holidays import": "name*? file*",
    "calendar blackout add": "from*? to*? reason scope",
    "calendar blackout remove": "which*?",
    "calendar blackout list": "",
    "calendar agenda": "from? to?",
    "timezone set": "tz*?",
    "timezone show": "member",
    "timezone clear": "",
    "timezone share on": "",
    "timezone share off": "",
    "timezone convert": "when*? from? to? public",
    "quota show": "",
    "quota explain": "item?",
    "settings show": "",
    "settings timezone": "tz*?",
    "data export": "format scope",
    "data calendar": "action scope",
    "data erase": "scope",
    "settings locale": "locale?",
    "settings format": "clock default_time reset",
    "settings roles": "manager member clear",
    "settings mentions": "everyone roles max listed reset",
    "settings policy": "catchup dst month_end reset",
    "settings channels": "default log review failures allow deny clear",
    "settings replies": "ephemeral",
    "settings retention": "days delete_on_leave reset",
    "settings verify": "code*",
    "audit list": "actor action? item? since? page",
    "audit export": "format actor action? item? since?",
    "status": "",
    "admin health": "",
    "admin lag": "",
    "admin queue": "",
    "admin governor show": "guild?",
    "admin governor set": "guild*? limit*? value*? until?",
    "admin guild verify": "guild*?",
    "admin guild suspend": "guild*? why",
    "admin guild resume": "guild*?",
    "admin shards": "",
    "admin dead replay": "guild? handler item",
    "admin find item": "text*",
    "admin find run": "id*",
    "admin find guild": "text*",
    "admin user ban": "user* why",
    "admin user unban": "user*",
    "admin user list": "",
    "admin drain on": "",
    "admin drain off": "",
    "admin maintenance": "message until?",
    "admin sync diff": "scope",
    "admin sync apply": "scope*",
    "help": "topic?",
}
OPERATORS = Operators(["1"], "2")
PERMISSIONS = {
    "admin": "administrator",
    "schedule": "manage_messages",
    "job": "manage_guild",
    "chain": "manage_guild",
    "calendar": "manage_guild",
    "settings": "manage_guild",
}
GUILD_ONLY = {"admin", "quota", "schedule", "job", "chain", "calendar", "settings", "audit"}


@pytest.fixture
async def tree() -> Tree:
    bot = make_bot(World(), OPERATORS)
    load(bot.tree, operators=OPERATORS.guild)
    return bot.tree


def _commands(tree: Tree) -> list[Any]:
    return [*tree.get_commands(), *tree.get_commands(guild=OPERATORS.guild)]


def _leaves(tree: Tree) -> Iterator[tuple[str, dict[str, Any]]]:
    for command in _commands(tree):
        yield from _within("", dict(command.to_dict(tree)))


def _within(path: str, payload: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What can be called: the command itself, or what its groups hold."""
    name = f"{path} {payload['name']}".strip()
    inner = [option for option in payload.get("options", []) if option["type"] in (1, 2)]
    for option in inner:
        yield from _within(name, option)
    if not inner:
        yield name, payload


async def test_the_names_are_the_fixed_ones(tree: Tree) -> None:
    surface = {}
    for name, payload in _leaves(tree):
        surface[name] = " ".join(
            option["name"] + "*" * option["required"] + "?" * bool(option.get("autocomplete"))
            for option in payload.get("options", [])
        )
    assert surface == SURFACE


async def test_who_may_use_a_group_and_where_is_declared_on_the_group(tree: Tree) -> None:
    for command in _commands(tree):
        payload: dict[str, Any] = dict(command.to_dict(tree))
        needed = payload["default_member_permissions"]
        named = None if needed is None else discord.Permissions(int(needed))
        wanted = PERMISSIONS.get(payload["name"])
        assert named == (None if wanted is None else discord.Permissions(**{wanted: True}))
        assert sorted(payload["contexts"]) == ([0] if payload["name"] in GUILD_ONLY else [0, 1, 2])
        assert sorted(payload["integration_types"]) == ([0] if payload["name"] in GUILD_ONLY else [0, 1])


async def test_discords_limits_hold(tree: Tree) -> None:
    for command in _commands(tree):
        payload: dict[str, Any] = dict(command.to_dict(tree))
        assert _characters(payload) <= 8_000
        for part in _parts(payload):
            assert re.fullmatch(r"[a-z_\-]{1,32}", part["name"])
            assert 1 <= len(part["description"]) <= 100
            assert len(part.get("options", [])) <= 25
            assert len(part.get("choices", [])) <= 25


async def test_required_options_come_first(tree: Tree) -> None:
    for name, payload in _leaves(tree):
        required = [option["required"] for option in payload.get("options", [])]
        assert required == sorted(required, reverse=True), name


async def test_every_option_says_what_it_is(tree: Tree) -> None:
    for name, payload in _leaves(tree):
        for option in payload.get("options", []):
            assert option["description"] != "…", f"{name} {option['name']}"


async def test_a_refusal_names_the_option_that_people_see(tree: Tree) -> None:
    named = 0
    for command in tree.walk_commands():
        for option in getattr(command, "parameters", ()):
            transformer = option._Parameter__parent._annotation
            if isinstance(transformer, Text):
                named += 1
                assert transformer.option == option.display_name, f"/{command.qualified_name}"
    assert named > 50


def _parts(payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield payload
    for option in payload.get("options", []):
        yield from _parts(option)


def _characters(payload: dict[str, Any]) -> int:
    own = len(payload["name"]) + len(payload["description"])
    choices = sum(len(choice["name"]) + len(str(choice["value"])) for choice in payload.get("choices", []))
    return own + choices + sum(_characters(option) for option in payload.get("options", []))


# ── loading ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_if_one_module_fails_none_is_loaded() -> None:
    bot = make_bot(World())
    with pytest.raises(CogsFailed, match=r"the commands of cogs\.nowhere could not be loaded: ModuleNotFoundError"):
        load(bot.tree, [*COGS, "cogs.nowhere"])
    assert bot.tree.get_commands() == []


async def test_two_commands_of_one_name_are_refused_and_none_is_loaded() -> None:
    bot = make_bot(World())
    bot.tree.add_command(app_commands.Group(name="remind", description="somebody else's"))
    with pytest.raises(CogsFailed, match="could not be put together"):
        load(bot.tree)
    assert bot.tree.get_commands() == []


@pytest.mark.parametrize("operators", [Operators(), Operators(["1"]), Operators((), "2")])
async def test_commands_of_operators_are_nowhere_unless_both_people_and_server_are_named(operators: Operators) -> None:
    bot = make_bot(World(), operators)
    load(bot.tree, operators=operators.guild)
    assert operators.guild is None
    assert bot.tree.get_commands(guild=OPERATORS.guild) == []


# ── documentation ────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_documentation_names_every_command_and_option_and_no_other(tree: Tree) -> None:
    documented: dict[str, list[tuple[str, bool]]] = {}
    command = ""
    for line in DOCUMENTATION.read_text(encoding="utf-8").splitlines():
        heading = re.fullmatch(r"### `/([a-z_ ]+)`", line)
        row = re.match(r"\| `([a-z_]+)` \| (yes|no) \| \S", line)
        if heading:
            command = heading[1]
            documented[command] = []
        elif row:
            documented[command].append((row[1], row[2] == "yes"))
    real = {
        name: [(option["name"], option["required"]) for option in payload.get("options", [])]
        for name, payload in _leaves(tree)
    }
    assert documented == real


async def test_the_serialised_tree_is_the_same_whoever_serialises_it() -> None:
    first, second = make_bot(World()), make_bot(World())
    load(first.tree)
    load(second.tree)
    spelled = [
        json.dumps([command.to_dict(bot.tree) for command in bot.tree.get_commands()], sort_keys=True, default=str)
        for bot in (first, second)
    ]
    assert spelled[0] == spelled[1]
