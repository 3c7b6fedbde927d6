"""Operators: who runs the service, and the one server in which they see how it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import discord


class Operators:
    """The people of ``discord.operator_ids``, in the server of ``discord.operator_guild_id``.

    Attributes:
        guild: the server in which their commands are there; None where either is not set.
    """

    def __init__(self, ids: Iterable[str] = (), guild_id: str | None = None) -> None:
        self._ids = frozenset(int(id) for id in ids)
        self.guild = None if guild_id is None or not self._ids else discord.Object(int(guild_id))

    def include(self, interaction: discord.Interaction[Any]) -> bool:
        """Whether an interaction comes from one of them, there."""
        here = self.guild is not None and interaction.guild_id == self.guild.id
        return here and interaction.user.id in self._ids
