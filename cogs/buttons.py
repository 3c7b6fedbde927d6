"""Buttons that outlive everything: their meaning stands in their id, so a restart or a year does not kill them.

``sz1:VERB:SUBJECT:DETAIL``: the version, what to do, to what, and (usually) the revision the card showed. What a verb
does is registered by the module that owns it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Final, Self

import discord

from cogs.custom_ids import VERSION, spelled
from cogs.front import Interaction
from cogs.refusals import Refusal, refuse

CUSTOM_ID: Final = 100
"""The most characters Discord takes as a custom id."""

Press = Callable[[Interaction, str, str], Awaitable[None]]
"""What a verb does: the interaction, the subject, the detail."""

_presses: dict[str, Press] = {}


def on_press(verb: str) -> Callable[[Press], Press]:
    """Register what the buttons of a verb do."""

    def register(press: Press) -> Press:
        if verb in _presses:
            raise ValueError(f"the button verb {verb!r} is registered twice")
        _presses[verb] = press
        return press

    return register


async def take_off(interaction: Interaction) -> None:
    """Take the button that was pressed off its message (a text, not a card), and leave the others.

    The message is asked for again: of several buttons pressed one after the other, the last one must not put back the
    first.
    """
    message = await interaction.original_response()
    view = discord.ui.View.from_message(message, timeout=None)
    data: Any = interaction.data or {}
    pressed = data.get("custom_id")
    for button in view.children:
        if isinstance(button, discord.ui.Button) and button.custom_id == pressed:
            view.remove_item(button)
    view.stop()  # what the buttons do stands in their ids; this view must not answer for them
    await interaction.edit_original_response(view=view if view.children else None)


def verbs() -> frozenset[str]:
    """Every verb that does something."""
    return frozenset(_presses)


class CardButton(
    discord.ui.DynamicItem[discord.ui.Button[Any]],
    template=re.compile(r"sz(?P<version>\d+):(?P<verb>[a-z_]+):(?P<subject>[^:]*):(?P<detail>.*)", re.DOTALL),
):
    """One button of a card."""

    def __init__(
        self,
        label: str,
        verb: str,
        subject: str,
        detail: str | int = "",
        *,
        style: discord.ButtonStyle = discord.ButtonStyle.secondary,
        disabled: bool = False,
        version: str = VERSION,
    ) -> None:
        custom_id = spelled(verb, subject, detail, version=version)
        super().__init__(discord.ui.Button(label=label, custom_id=custom_id, style=style, disabled=disabled))
        self.verb = verb
        self.subject = subject
        self.detail = str(detail)
        self.version = version

    @classmethod
    async def from_custom_id(
        cls, _interaction: Interaction, item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """The button a press came from."""
        label = getattr(item, "label", None) or match["verb"]
        return cls(label, match["verb"], match["subject"], match["detail"], version=match["version"])

    async def callback(self, interaction: Interaction) -> None:
        """Do what the verb means, and answer errors as commands do (the library would only log them)."""
        press = _presses.get(self.verb) if self.version == VERSION else None
        try:
            if press is None:
                raise Refusal("This button comes from another version of the bot; use the command instead.")
            await press(interaction, self.subject, self.detail)
        except Exception as error:  # noqa: BLE001  # told to the person, and logged under a code if nobody foresaw it
            await refuse(interaction, error)
