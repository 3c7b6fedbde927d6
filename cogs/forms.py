"""Forms that come back: what was typed into one is not lost when it is refused, but stands in the next one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Final, Self

import discord
from discord import ui

from cogs.answers import defer, show
from cogs.drafts import READINGS_LIVE, Question
from cogs.front import Interaction
from cogs.refusals import refuse, sentence_of
from cogs.texts import plain_line, shorten

TITLE: Final = 45
"""Characters of a form's title, and of a field's name (Discord documentation, "Modals")."""
HELP: Final = 100
_WORDS: Final = 3_000


class Form(ui.Modal):
    """A form for the person who asked. On a refusal it is offered again, filled in as it was."""

    def __init__(self, title: str) -> None:
        super().__init__(title=plain_line(title, TITLE) or "…", timeout=READINGS_LIVE)

    @abstractmethod
    async def accept(self, interaction: Interaction) -> None:
        """Do what the filled-in form asks for, and show what came of it. What it raises is told."""

    @abstractmethod
    def again(self) -> Self:
        """The same form, filled in as it is now."""

    def clean(self, words: str) -> str:
        """Words about what was typed, without what must not be repeated."""
        return words

    def ask(self, name: str, component: ui.Item[Any], about: str = "") -> None:
        """Add a field."""
        described = plain_line(about, HELP) or None
        self.add_item(ui.Label(text=plain_line(name, TITLE) or "…", description=described, component=component))

    async def on_submit(self, interaction: Interaction, /) -> None:
        try:
            await self.accept(interaction)
        except Exception as error:  # noqa: BLE001  # told to the person beside the form, logged if nobody foresaw it
            words = sentence_of(error)
            if words is None:
                await refuse(interaction, error)
                return
            await defer(interaction)
            await show(interaction, Reopened(interaction, self, shorten(self.clean(words), _WORDS)))


class Reopened(Question):
    """A refusal, and the form again."""

    def __init__(self, interaction: Interaction, form: Form, words: str) -> None:
        self.form = form
        super().__init__(interaction, words, [_Open(self)])


class _Open(ui.Button[Any]):
    def __init__(self, card: Reopened) -> None:
        super().__init__(label="Back to the form", style=discord.ButtonStyle.primary)
        self._card = card

    async def callback(self, interaction: Interaction) -> None:
        await interaction.response.send_modal(self._card.form.again())


def choice_field(
    options: Sequence[tuple[str, str]], chosen: str | None, *, required: bool, placeholder: str = ""
) -> ui.Select[Any]:
    """A field in which one of at most 25 (label, value) is picked."""
    return ui.Select(
        required=required, min_values=1 if required else 0, placeholder=plain_line(placeholder, HELP) or None,
        options=[
            discord.SelectOption(label=plain_line(label, HELP) or "…", value=value, default=value == chosen)
            for label, value in options
        ],
    )  # fmt: skip


def text_field(
    begin: str, *, required: bool, hint: str = "", longest: int = 4_000, lines: bool = False
) -> ui.TextInput[Any]:
    """A field to write in."""
    return ui.TextInput(
        style=discord.TextStyle.paragraph if lines else discord.TextStyle.short, default=begin or None,
        required=required, placeholder=plain_line(hint, HELP) or None, max_length=max(longest, len(begin)),
    )  # fmt: skip
