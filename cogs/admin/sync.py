"""``/admin sync``: how the commands that Discord knows differ from those of this bot, and telling it these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, get_args

from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import card
from cogs.front import Interaction, front_of, operators_server
from cogs.known_commands import Differences, Scope
from cogs.texts import CARD_TEXT, fit, one_line

_ROOM: Final = CARD_TEXT // 3
_WHERE: Final[dict[Scope, str]] = {"everywhere": "In all servers", "operators": "In the operators' server alone"}
_ALIKE: Final = "Discord knows them as they are."

sync = app_commands.Group(name="sync", description="The commands that Discord knows, and those of this bot")


@sync.command(name="diff", description="Show how the commands that Discord knows differ from those of this bot")
@app_commands.describe(scope="Which; left out, both")
async def diff(interaction: Interaction, scope: Scope | None = None) -> None:
    """Show what telling Discord would change."""
    await defer(interaction)
    server, known = operators_server(interaction), front_of(interaction).known_commands
    scopes: Sequence[Scope] = get_args(Scope) if scope is None else (scope,)
    found = [_section(each, await known.differences(each, server)) for each in scopes]
    await show(interaction, card("Commands", *found, "-# `/admin sync apply` tells Discord those of this bot."))


@sync.command(name="apply", description="Tell Discord the commands of this bot now")
@app_commands.describe(scope="Which")
async def apply(interaction: Interaction, scope: Scope) -> None:
    """Tell Discord, and show what that changed."""
    await defer(interaction)
    server, known = operators_server(interaction), front_of(interaction).known_commands
    before = await known.differences(scope, server)
    await known.tell(scope, server)
    told = "Discord was told. What was different before:" if before != Differences() else "Discord was told once more."
    await show(interaction, card("Commands told", told, _section(scope, before)))


def _section(scope: Scope, found: Differences) -> str:
    rows = [
        *(f"+ `/{one_line(name, 100)}`" for name in found.new),
        *(f"− `/{one_line(name, 100)}`" for name in found.gone),
        *(f"≠ `/{one_line(name, 100)}`" for name in found.other),
    ]
    return f"**{_WHERE[scope]}**\n{fit(rows, _ROOM) or _ALIKE}"
