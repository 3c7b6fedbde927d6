"""What Discord knows of our commands, as the operators' commands ask it of the bot."""

from __future__ import annotations

from typing import Literal, Protocol

import discord
import msgspec

Scope = Literal["everywhere", "operators"]
"""The commands that are there in all servers, or those of the operators' server alone."""


class Differences(msgspec.Struct, frozen=True):
    """How the commands of this bot differ from those Discord knows, by their full names.

    Attributes:
        new: Discord does not know them yet.
        gone: it knows them, and there are none such any more.
        other: both know them, and they are not alike.
    """

    new: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    other: tuple[str, ...] = ()


class KnownCommands(Protocol):
    """Asks Discord, and tells it; ``operators``: the server with commands of its own."""

    async def differences(self, scope: Scope, operators: discord.Object) -> Differences:
        """What would become different if Discord was told now."""
        ...

    async def tell(self, scope: Scope, operators: discord.Object) -> None:
        """Tell Discord the commands now, whatever it knows. Raises Refusal where it does not take them."""
        ...
