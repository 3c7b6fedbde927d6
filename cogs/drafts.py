"""From an option to something saved: the text asked for in a form, the time read, readings offered, the card shown.

A draft is what somebody asked for, as typed. Nothing of it is lost on the way: an unclear time is answered with
readings to press, and a text that was typed into a form comes back with any refusal.
"""

from __future__ import annotations

import asyncio
from abc import ABCMeta, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, Self

import aiohttp
import discord
import msgspec
from discord import ui

from cogs.answers import answers_command, command_of, defer, show
from cogs.front import Interaction, actor_of, core_of
from cogs.refusals import READINGS_SHOWN, Refusal, about, refuse, sentence_of
from cogs.texts import CONTENT, plain_line, shorten
from schedule_zero.errors import Invalid, ReadingOffer
from schedule_zero.views import ReadingView

CHECK_BUDGET: Final = 1.5
"""Seconds for reading the time before the form is shown; a form cannot be deferred."""
READINGS_LIVE: Final = 600.0
"""Seconds the readings can be pressed; the interaction they belong to lives 15 minutes."""


Work = Callable[..., Awaitable[None]]
"""What a command does: takes the interaction, and its times by the names of their options."""
Chosen = Callable[[Interaction, str], Awaitable[None]]
"""What is done with a reading: the interaction of its button, and the text that means it."""


class _Meta(msgspec.StructMeta, ABCMeta):
    """A Struct whose abstract methods have to be there before one can be made."""


class Draft(msgspec.Struct, frozen=True, kw_only=True, metaclass=_Meta):
    """What somebody asked for. ``text`` None: a form will ask for it; ``when`` may be empty where ``repeat`` says it all."""

    when: str
    repeat: str | None = None
    until: str | None = None
    tz: str | None = None
    text: str | None = None
    public: bool = False

    def with_reading(self, option: str, text: str) -> Self:
        """The same with a reading in place of what could not be read; one of the rule holds all of it."""
        if option == "until":
            return msgspec.structs.replace(self, until=text)
        return msgspec.structs.replace(self, when=text, repeat=None)

    def with_text(self, text: str) -> Self:
        """The same with a text."""
        return msgspec.structs.replace(self, text=text)

    @property
    def is_complete(self) -> bool:
        """Whether no form has to ask for anything."""
        return self.text is not None

    def form(self, interaction: Interaction) -> ui.Modal:
        """The form that asks for what is missing."""
        return TextForm(self, command_of(interaction))

    @abstractmethod
    async def save(self, interaction: Interaction) -> ui.LayoutView:
        """Save it, and return the card that shows what was saved. Each kind of draft has its own."""


async def read(interaction: Interaction, draft: Draft) -> ReadingView:
    """What the draft's ``when`` and ``repeat`` mean where it was typed.

    Raises:
        Invalid: they cannot be read, or could mean several things.
    """
    actor = actor_of(interaction)
    return await core_of(interaction).read_time(
        draft.when, draft.repeat, timezone=draft.tz, guild_id=actor.guild_id, user_id=actor.id
    )


async def moment_of(interaction: Interaction, text: str, option: str, timezone: str | None) -> str:
    """The one instant (RFC 3339) that an option such as ``until`` means.

    Raises:
        Invalid: it cannot be read; said of the option.
        Refusal: it is a rule, not a moment.
    """
    actor = actor_of(interaction)
    with about(option, "when", "trigger"):
        reading = await core_of(interaction).read_time(
            text, timezone=timezone, guild_id=actor.guild_id, user_id=actor.id
        )
    if reading.recurring or not reading.fires:
        raise Refusal(f"`{option}` must be one moment, and {text!r} means {reading.words}.")
    return reading.fires[0].at


async def end_of(interaction: Interaction, draft: Draft, reading: ReadingView) -> str | None:
    """The last moment (RFC 3339) of what was read, by ``until`` or by its own words; None: it has no end.

    Raises:
        Invalid: ``until`` cannot be read.
        Refusal: it is a rule.
    """
    if draft.until is None:
        return reading.until
    return await moment_of(interaction, draft.until, "until", reading.timezone)


def require_text(text: str | None, option: str = "text") -> str:
    """The text, with ``\\n`` typed in an option as the line break it stands for.

    Raises:
        Refusal: it is empty, or longer than a message may be.
    """
    text = (text or "").replace("\\n", "\n").strip()
    if not text:
        raise Refusal(f"`{option}` is empty; write what the message should say.")
    if len(text) > CONTENT:
        raise Refusal(f"`{option}` has {len(text):,} characters; a Discord message holds at most {CONTENT:,}.")
    return text


async def begin(interaction: Interaction, draft: Draft) -> None:
    """Start with what the options say: ask for the text if it is missing, else save."""
    if draft.is_complete:
        await finish(interaction, draft)
        return
    try:
        if draft.when or draft.repeat:
            async with asyncio.timeout(CHECK_BUDGET):
                await read(interaction, draft)
    except Invalid as error:
        await _refuse_time(interaction, draft, error)
        return
    except TimeoutError:
        pass  # the form matters more than an early warning; saving reads the time again
    await interaction.response.send_modal(draft.form(interaction))


async def finish(interaction: Interaction, draft: Draft) -> None:
    """Save a complete draft and show its card, or the readings when its time is unclear."""
    await defer(interaction, public=draft.public or None)
    try:
        shown = await draft.save(interaction)
    except Invalid as error:
        await _refuse_time(interaction, draft, error)
        return
    await show(interaction, shown)


async def _refuse_time(interaction: Interaction, draft: Draft, error: Invalid) -> None:
    if not error.readings:
        raise error
    option = error.errors[0].field

    async def go_on(pressed: Interaction, text: str) -> None:
        await begin(pressed, draft.with_reading(option, text))

    await show(interaction, Readings(interaction, error, go_on, kept=draft.text))


async def carry_out(interaction: Interaction, work: Work, **times: str | None) -> None:
    """Do what a command says. If one of its times is unclear, its readings are shown; a press does it with that.

    Args:
        times: the options that hold times; ``from_`` stands for ``from``.

    Raises:
        Invalid: a time cannot be read, and nothing like it can either.
    """
    try:
        await work(interaction, **times)
    except Invalid as error:
        wrong = next((name for name in times if error.errors and name.rstrip("_") == error.errors[0].field), None)
        if wrong is None or not error.readings:
            raise
        readings = Readings(interaction, error, _again(work, times, wrong))
    else:
        return
    await show(interaction, readings)


def _again(work: Work, times: dict[str, str | None], wrong: str) -> Chosen:
    async def go_on(pressed: Interaction, text: str) -> None:
        await defer(pressed)
        read = {"when": text, "repeat": None} if wrong == "repeat" else {wrong: text}  # it holds the start, too
        await carry_out(pressed, work, **(times | read))

    return go_on


class TextForm(ui.Modal):
    """The form for a text with line breaks, which options cannot hold."""

    def __init__(self, draft: Draft, command: str) -> None:
        """``command``: the name of the command that the form belongs to."""
        super().__init__(title="What should it say?", timeout=READINGS_LIVE)
        self._draft = draft
        self._command = command
        self._text: ui.TextInput[Any] = ui.TextInput(style=discord.TextStyle.paragraph, max_length=CONTENT)
        self.add_item(ui.Label(text="Text", description="Line breaks and markdown are kept.", component=self._text))

    async def on_submit(self, interaction: Interaction, /) -> None:
        text = self._text.value
        answers_command(interaction, self._command)
        try:
            await finish(interaction, self._draft.with_text(text))
        except Exception as error:  # noqa: BLE001  # told to the person with the text, logged if nobody foresaw it
            await refuse(interaction, error, kept=text)


class Question(ui.LayoutView):
    """A card that asks back, for the person who asked alone: its buttons live as long as the answer they stand on."""

    def __init__(self, interaction: Interaction, words: str, buttons: Sequence[ui.Button[Any]]) -> None:
        super().__init__(timeout=READINGS_LIVE)
        self._interaction = interaction
        self._row: ui.ActionRow[Any] = ui.ActionRow(*buttons)
        self.add_item(ui.Container(ui.TextDisplay(words), self._row))

    async def interaction_check(self, interaction: Interaction, /) -> bool:
        # What is saved belongs to whoever presses, and everybody may see the answer to a public command.
        if interaction.user.id != self._interaction.user.id:
            raise Refusal(f"Only <@{self._interaction.user.id}>, who asked for this, can choose here.")
        return True

    async def on_error(self, interaction: Interaction, error: Exception, _item: ui.Item[Any], /) -> None:
        await refuse(interaction, error)

    async def on_timeout(self) -> None:
        await self.switch_off()

    async def switch_off(self) -> None:
        """Leave the words to be read, and nothing to be pressed."""
        self.stop()
        for button in self._row.children:
            if isinstance(button, ui.Button):
                button.disabled = True
        try:
            await self._interaction.edit_original_response(view=self)
        except (discord.HTTPException, aiohttp.ClientError):
            return  # the answer was dismissed, its 15 minutes are over, or Discord is away: nothing can be switched off


class Readings(Question):
    """An unclear time: what is wrong, and up to three readings to press.

    Args:
        go_on: what to do with the reading that is pressed.
        kept: a text the person typed, given back with a refusal.
    """

    def __init__(self, interaction: Interaction, error: Invalid, go_on: Chosen, *, kept: str | None = None) -> None:
        self._go_on = go_on
        self._text = kept
        self._chosen = False
        offers = error.readings[:READINGS_SHOWN]
        words = sentence_of(error) or error.sentence
        super().__init__(interaction, words, [_ReadingButton(self, offer) for offer in offers])

    async def on_error(self, interaction: Interaction, error: Exception, _item: ui.Item[Any], /) -> None:
        own = interaction.user.id == self._interaction.user.id
        await refuse(interaction, error, kept=self._text if own else None)

    async def choose(self, interaction: Interaction, text: str) -> None:
        """Go on with the reading that was pressed; the card of what was done takes this one's place."""
        if self._chosen:
            await interaction.response.defer()  # the second press of a double click
            return
        self._chosen = True
        try:
            await self._go_on(interaction, text)
        except Exception:  # whatever it is, on_error tells it; nothing came of the press, so there may be another
            self._chosen = False
            raise
        if interaction.response.type is discord.InteractionResponseType.modal:
            await self.switch_off()  # the form answers with a card of its own
        else:
            self.stop()  # else the end of these readings would overwrite the card that stands here now


class _ReadingButton(ui.Button[Any]):
    def __init__(self, readings: Readings, offer: ReadingOffer) -> None:
        super().__init__(
            label=plain_line(offer.words, 80) or shorten(offer.text, 80), style=discord.ButtonStyle.primary
        )
        self._readings = readings
        self._text = offer.text

    async def callback(self, interaction: Interaction) -> None:
        await self._readings.choose(interaction, self._text)
