"""Menus of roles and channels on a card of settings. Their meaning stands in their id, as a button's does.

``szpick1:GROUP.FIELD``: the version, and the list that is set to what is picked, at once and whole.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, Self

import discord
from discord import ui

from cogs.channels import POSTABLE
from cogs.front import Interaction
from cogs.refusals import Refusal, refuse

VERSION: Final = "1"
MOST: Final = 25
"""The most that a menu of Discord's shows as picked."""
_TEMPLATE: Final = r"(?P<version>\d+):(?P<field>[a-z_]+\.[a-z_]+)"

Picked = Callable[[Interaction, str, list[str]], Awaitable[None]]
"""What is done with what was picked: the interaction, the field, the ids."""

_picked: list[Picked] = []


def on_pick(picked: Picked) -> Picked:
    """Register what is done with what is picked."""
    _picked.append(picked)
    return picked


async def _answer(interaction: Interaction, version: str, field: str, ids: Iterable[int]) -> None:
    """Do what was picked, and answer errors as commands do (the library would only log them)."""
    try:
        if version != VERSION or not _picked:
            raise Refusal("This menu comes from another version of the bot; use the command instead.")
        await _picked[0](interaction, field, [str(id) for id in ids])
    except Exception as error:  # noqa: BLE001  # told to the person, and logged under a code if nobody foresaw it
        await refuse(interaction, error)


class RolePicker(ui.DynamicItem[ui.RoleSelect[Any]], template=re.compile(f"szroles{_TEMPLATE}")):
    """A list of roles."""

    def __init__(self, menu: ui.RoleSelect[Any], field: str, version: str = VERSION) -> None:
        super().__init__(menu)
        self._field = field
        self._version = version

    @classmethod
    def of(cls, field: str, placeholder: str, roles: Iterable[discord.Role]) -> Self:
        """A menu for a field, with what is picked already."""
        menu: ui.RoleSelect[Any] = ui.RoleSelect(
            custom_id=f"szroles{VERSION}:{field}", placeholder=placeholder, min_values=0, max_values=MOST,
            default_values=list(roles)[:MOST],
        )  # fmt: skip
        return cls(menu, field)

    @classmethod
    async def from_custom_id(cls, _: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """The menu a choice came from."""
        assert isinstance(item, ui.RoleSelect)
        return cls(item, match["field"], match["version"])

    async def callback(self, interaction: Interaction) -> None:
        await _answer(interaction, self._version, self._field, (role.id for role in self.item.values))


class ChannelPicker(ui.DynamicItem[ui.ChannelSelect[Any]], template=re.compile(f"szchannels{_TEMPLATE}")):
    """A list of channels that messages can be posted in."""

    def __init__(self, menu: ui.ChannelSelect[Any], field: str, version: str = VERSION) -> None:
        super().__init__(menu)
        self._field = field
        self._version = version

    @classmethod
    def of(cls, field: str, placeholder: str, channel_ids: Iterable[int]) -> Self:
        """A menu for a field, with what is picked already."""
        chosen = [discord.SelectDefaultValue(id=id, type=discord.SelectDefaultValueType.channel) for id in channel_ids]
        menu: ui.ChannelSelect[Any] = ui.ChannelSelect(
            custom_id=f"szchannels{VERSION}:{field}", placeholder=placeholder, min_values=0, max_values=MOST,
            channel_types=list(POSTABLE), default_values=chosen[:MOST],
        )  # fmt: skip
        return cls(menu, field)

    @classmethod
    async def from_custom_id(cls, _: Interaction, item: ui.Item[Any], match: re.Match[str], /) -> Self:
        """The menu a choice came from."""
        assert isinstance(item, ui.ChannelSelect)
        return cls(item, match["field"], match["version"])

    async def callback(self, interaction: Interaction) -> None:
        await _answer(interaction, self._version, self._field, (channel.id for channel in self.item.values))
