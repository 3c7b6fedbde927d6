"""Reminders: personal schedules, and the buttons under the message when one comes.

A reminder is a schedule of the ``discord`` handler whose metadata say so; its owner is the person. Snoozing makes a new
one-shot that names the one it came from, and leaves a series alone.
"""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import ui

from cogs.answers import add, defer, tell
from cogs.buttons import CardButton, on_press
from cogs.cards import schedule_card
from cogs.front import Interaction, actor_of, core_of, front_of
from cogs.refusals import Refusal
from cogs.texts import CONTENT, label_of, stamp, unix
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import TextTrigger

REMINDER: Final = "reminder"
SNOOZES: Final = ((20, "20 min"), (60, "1 h"))


def metadata(now: int, channel_id: int | None) -> dict[str, str]:
    """What a reminder remembers of its making: Unix seconds, and the channel (None in a direct message)."""
    made = {"kind": REMINDER, "made": str(now)}
    if channel_id is not None:
        made["origin"] = str(channel_id)
    return made


def buttons_for(schedule_id: str) -> ui.View:
    """Done, 20 min, 1 h."""
    view = ui.View(timeout=None)
    view.add_item(CardButton("Done", "done", schedule_id, style=discord.ButtonStyle.success))
    for minutes, label in SNOOZES:
        view.add_item(CardButton(label, "snooze", schedule_id, minutes))
    return view


@on_press("done")
async def done(interaction: Interaction, schedule_id: str, _detail: str) -> None:
    """Mark this one message as done; a series goes on."""
    await defer(interaction)
    await _own_reminder(interaction, schedule_id)
    await _close(interaction, f"-# Done <t:{unix(discord.utils.utcnow())}:R>")


@on_press("snooze")
async def snooze(interaction: Interaction, schedule_id: str, detail: str) -> None:
    """Remind again in so many minutes, by a new one-shot with the same text. A message is snoozed once."""
    await defer(interaction)
    reminder = await _own_reminder(interaction, schedule_id)
    if reminder is None:
        raise Refusal("This reminder is no longer kept; set a new one with `/remind me`.")
    message_id = interaction.message.id if interaction.message is not None else interaction.id
    spec = _again(interaction, reminder, minutes=int(detail))
    try:
        saved = await core_of(interaction).create_schedule(spec, idempotency_key=f"snooze:{message_id}")
    except Conflict:  # the key is this message's alone: it was snoozed before, by another button
        await _close(interaction, "-# Snoozed")
        await tell(interaction, "This reminder was snoozed already; `/remind list` shows when it comes again.")
        return
    front_of(interaction).undos.remember(interaction.user.id, saved, f"snooze of {label_of(saved)}")
    until = f" until {stamp(saved.next_fire_times[0], 't')}" if saved.next_fire_times else ""
    await _close(interaction, f"-# Snoozed{until}")
    await add(interaction, schedule_card(saved, "Snoozed"))


def _again(interaction: Interaction, reminder: Schedule, *, minutes: int) -> ScheduleSpec:
    """The same text once more. Nothing in it depends on the moment of the press, so a second press asks for the same.

    The core reads the time, and ``made`` stays that of the first reminder: that is when its text was written.
    """
    actor = actor_of(interaction)
    return ScheduleSpec(
        handler=reminder.handler,
        method=reminder.method,
        args=reminder.args,
        guild_id=actor.guild_id,
        owner_id=actor.id,
        trigger=TextTrigger(f"in {minutes} minutes"),
        timezone=reminder.timezone,
        metadata={**reminder.metadata, "snooze_of": reminder.id},
    )


async def _own_reminder(interaction: Interaction, schedule_id: str) -> Schedule | None:
    """The reminder a message came from; None when it is no longer kept.

    Raises:
        Refusal: it is somebody else's.
    """
    try:
        reminder = await core_of(interaction).get_schedule(schedule_id)
    except NotFound:
        message = interaction.message
        # A reminder in a channel begins with the person it is for; others may be named in its text.
        mentioned = message is not None and message.content.startswith(f"<@{interaction.user.id}>")
        if interaction.guild_id is None or mentioned:
            return None
        raise Refusal("Only the person who set this reminder can do that.") from None
    if reminder.owner_id != str(interaction.user.id):
        raise Refusal(f"Only <@{reminder.owner_id}>, who set this reminder, can do that.")
    return reminder


async def _close(interaction: Interaction, note: str) -> None:
    """Take the buttons away and say what was done."""
    content: Any = discord.utils.MISSING
    if interaction.message is not None and len(interaction.message.content) + len(note) < CONTENT:
        content = f"{interaction.message.content}\n{note}".lstrip()
    await interaction.edit_original_response(content=content, view=None)
