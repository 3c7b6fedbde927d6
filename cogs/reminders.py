"""Reminders: personal schedules, and the buttons under the message when one comes.

A reminder is a schedule of the ``discord`` handler whose metadata say so; its owner is the person. Snoozing makes a new
one-shot that names the one it came from, and leaves a series alone.
"""

from __future__ import annotations

from typing import Any, Final

import discord
from discord import ui

from cogs.answers import add, defer
from cogs.buttons import CardButton, on_press
from cogs.cards import schedule_card
from cogs.front import Interaction, actor_of, core_of, front_of
from cogs.refusals import Refusal
from cogs.texts import CONTENT, title_of, unix
from schedule_zero import instant
from schedule_zero.errors import NotFound
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger

REMINDER: Final = "reminder"
SNOOZES: Final = ((20, "20 min"), (60, "1 h"))


def metadata(now: int, channel_id: int | None, **more: str) -> dict[str, str]:
    """What a reminder remembers of its making: Unix seconds, and the channel (None in a direct message)."""
    made = {"kind": REMINDER, "made": str(now)}
    if channel_id is not None:
        made["origin"] = str(channel_id)
    return {**made, **more}


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
    """Remind again in so many minutes, by a new one-shot with the same text."""
    await defer(interaction)
    reminder = await _own_reminder(interaction, schedule_id)
    if reminder is None:
        raise Refusal("This reminder is no longer kept; set a new one with `/remind me`.")
    minutes = int(detail)
    now = unix(discord.utils.utcnow())
    at = (now + minutes * 60) * instant.SECOND
    message_id = interaction.message.id if interaction.message is not None else interaction.id
    saved = await core_of(interaction).create_schedule(
        _again(interaction, reminder, at), idempotency_key=f"snooze:{message_id}:{minutes}"
    )
    front_of(interaction).undos.remember(interaction.user.id, saved, f"snooze of {title_of(saved)}")
    await _close(interaction, f"-# Snoozed until <t:{at // instant.SECOND}:t>")
    await add(interaction, schedule_card(saved, "Snoozed"))


def _again(interaction: Interaction, reminder: Schedule, at: int) -> ScheduleSpec:
    actor = actor_of(interaction)
    origin = reminder.metadata.get("origin")
    return ScheduleSpec(
        handler=reminder.handler,
        method=reminder.method,
        args=reminder.args,
        guild_id=actor.guild_id,
        owner_id=actor.id,
        trigger=DateTrigger(at=instant.spell(at)),
        timezone=reminder.timezone,
        metadata=metadata(unix(discord.utils.utcnow()), int(origin) if origin else None, snooze_of=reminder.id),
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
        mentioned = message is not None and f"<@{interaction.user.id}>" in message.content
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
