"""What Discord knows of our commands: asked on demand, compared with what it would be told, and told.

One scope at a time, and each command in one scope only: what was told both everywhere and to one server would show twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import discord
from discord import app_commands

from bot import endpoint
from bot.sync import TreeSync
from cogs.known_commands import Differences, Scope
from cogs.refusals import Refusal
from cogs.texts import one_line

_COMMANDS: Final = frozenset({1, 2})
"""The types of options that are commands themselves, or groups of some (Discord documentation, "Application Commands")."""
_NOT_COMPARED: Final = frozenset({"id", "application_id", "guild_id", "version", "options", "dm_permission"})
"""What Discord adds by itself, what is compared by itself, and what ``contexts`` says as well."""
_GLOBAL_ALONE: Final = frozenset({"contexts", "integration_types"})
"""What means something only where a command is there in all servers."""
_UNORDERED: Final = frozenset({"contexts", "integration_types", "channel_types"})
_SHOWN: Final = 500


class ToldCommands:
    """The commands of one bot; ``sync`` remembers what was told."""

    def __init__(self, client: discord.Client, tree: app_commands.CommandTree[Any], sync: TreeSync) -> None:
        self._client = client
        self._tree = tree
        self._sync = sync

    @property
    def whom(self) -> str:
        """The application, and the Discord, they are for; known once the bot has logged in."""
        return f"{self._client.application_id} at {endpoint.base()}"

    async def differences(self, scope: Scope, operators: discord.Object) -> Differences:
        """What would become different if Discord was told now. ``operators``: the server with commands of its own."""
        guild = None if scope == "everywhere" else operators
        wanted = [command.to_dict(self._tree) for command in self._tree.get_commands(guild=guild)]
        http, id = self._client.http, self._client.application_id
        assert id is not None, "who is asked this has logged in"
        known: list[Any] = list(
            await (http.get_global_commands(id) if guild is None else http.get_guild_commands(id, guild.id))
        )
        return differences(wanted, known, everywhere=guild is None)

    async def tell(self, scope: Scope, operators: discord.Object) -> None:
        """Tell Discord the commands now, whatever it knows. Raises Refusal where it does not take them."""
        try:
            await self._sync.tell_one(self._tree, None if scope == "everywhere" else operators, whom=self.whom)
        except discord.RateLimited as error:
            raise Refusal(
                f"Discord takes no commands for another {math.ceil(error.retry_after)} s; try again then."
            ) from None
        except discord.DiscordServerError:
            raise
        except (discord.HTTPException, app_commands.AppCommandError) as error:
            raise Refusal(
                f"Discord refused the commands, so the old ones stay: {one_line(str(error), _SHOWN)}"
            ) from None


def differences(
    wanted: Iterable[Mapping[str, Any]], known: Iterable[Mapping[str, Any]], *, everywhere: bool
) -> Differences:
    """How commands differ, by the names they are called by. Pure.

    Args:
        wanted: as Discord would be told them.
        known: as it answers with them.
        everywhere: whether they are there in all servers.
    """
    ignored = _NOT_COMPARED if everywhere else _NOT_COMPARED | _GLOBAL_ALONE
    ours, theirs = _by_name(wanted, ignored), _by_name(known, ignored)
    return Differences(
        new=tuple(sorted(ours.keys() - theirs.keys())), gone=tuple(sorted(theirs.keys() - ours.keys())),
        other=tuple(sorted(name for name in ours.keys() & theirs.keys() if ours[name] != theirs[name])),
    )  # fmt: skip


def _by_name(commands: Iterable[Mapping[str, Any]], ignored: frozenset[str], above: str = "") -> dict[str, Any]:
    """Commands, groups and what is in those, by their full names, each with what is its own."""
    found: dict[str, Any] = {}
    for command in commands:
        name, options = f"{above}{command['name']}", command.get("options") or []
        inner = [option for option in options if option.get("type") in _COMMANDS]
        own = _plain({key: value for key, value in command.items() if key not in ignored})
        found[name] = own | {"options": [_plain(option) for option in options if option not in inner]}
        found |= _by_name(inner, ignored, f"{name} ")
    return found


def _plain(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says. What is left out, null, false or empty says the same; so does a number that is written as text."""
    plain: dict[str, Any] = {}
    for name, value in entry.items():
        if name == "default_member_permissions":
            plain |= {} if value is None else {name: str(value)}
        elif name in _UNORDERED:
            plain |= {name: sorted(value)} if value else {}
        elif isinstance(value, list):
            plain |= {name: [_plain(each) for each in value]} if value else {}
        elif value or (value == 0 and value is not False):
            plain[name] = value
    return plain
