"""``/remind``: everybody's own reminders, in servers and in direct messages."""

from __future__ import annotations

from typing import Final, Literal

import discord
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.cards import schedule_card
from cogs.channels import POSTABLE, missing_to_post, named
from cogs.drafts import Draft, begin, end_of, read, require_text
from cogs.front import Interaction, actor_of, core_of, home_of
from cogs.items import resolve_reminder
from cogs.lists import LONGEST_SEARCH, Listing, listing_card
from cogs.options import ReminderText, RepeatText, UntilText, WhenText, ZoneText
from cogs.refusals import Refusal
from cogs.reminders import metadata
from cogs.shown import remember, show_change, show_with_runs
from cogs.texts import unix
from schedule_zero.permitted import why_not_there
from schedule_zero.schedule import ScheduleSpec

Deliver = Literal["dm", "here"]
Filter = Literal["active", "paused", "done", "blocked"]
Scope = Literal["here", "all"]

remind = app_commands.Group(
    name="remind",
    description="Set and keep your own reminders",
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
)
COMMANDS: Final = (remind,)


class ReminderDraft(Draft, frozen=True, kw_only=True):
    """A reminder as somebody asked for it."""

    deliver: Deliver | None = None

    async def save(self, interaction: Interaction) -> ui.LayoutView:
        text = require_text(self.text)
        reading = await read(interaction, self)
        until = await end_of(interaction, self, reading)
        method, args = await _delivery(interaction, self.deliver, text)
        home = home_of(interaction)
        spec = ScheduleSpec(
            handler="discord",
            method=method,
            args=args,
            guild_id=home,
            owner_id=str(interaction.user.id),
            trigger=reading.trigger,
            timezone=reading.timezone,
            start=reading.start,
            until=until,
            count=reading.count,
            policy={"month_end": reading.month_end},
            metadata=metadata(unix(discord.utils.utcnow()), interaction.channel_id if home is not None else None),
        )
        core = core_of(interaction)
        saved = await core.create_schedule(spec, idempotency_key=f"interaction:{interaction.id}")
        remember(interaction, saved, "Reminder set")
        notes = await _zone_notes(interaction, self.tz)
        return schedule_card(saved, "Reminder set", notes=notes)


@remind.command(name="me", description="Remind you of something, once or again and again")
@app_commands.describe(
    when="When: in 2 hours, tomorrow at 5pm, every weekday at 9, a date, a cron line",
    text="What to remind you of; left out, a form asks for it",
    repeat="How it repeats, if when is only the start",
    until="When a series ends",
    tz="Time zone to read the times in; default: yours, then the server's",
    deliver="Where it comes: in this channel, or as a direct message",
    public="Show the confirmation to everybody here",
)
async def me(
    interaction: Interaction,
    when: WhenText,
    text: str | None = None,
    repeat: RepeatText | None = None,
    until: UntilText | None = None,
    tz: ZoneText | None = None,
    deliver: Deliver | None = None,
    public: bool = False,
) -> None:
    """Set a reminder."""
    draft = ReminderDraft(when=when, repeat=repeat, until=until, tz=tz, text=text, deliver=deliver, public=public)
    if text is not None:
        require_text(text)
    await begin(interaction, draft)


@remind.command(name="list", description="List your reminders")
@app_commands.rename(state="filter")
@app_commands.describe(
    state="Only those in this state",
    search="Only those with this in their text",
    scope="Those made here, or all of yours",
    page="Which page",
)
async def list_reminders(
    interaction: Interaction,
    state: Filter | None = None,
    search: app_commands.Range[str, 1, LONGEST_SEARCH] | None = None,
    scope: Scope = "all",
    page: app_commands.Range[int, 1, 100] = 1,
) -> None:
    """List the person's own reminders."""
    await defer(interaction)
    listing = Listing(kind="r", here=scope == "here", state=state, search=search or "", page=page)
    await show(interaction, await listing_card(interaction, listing))


@remind.command(name="show", description="Show one of your reminders")
@app_commands.describe(item="Which reminder")
async def show_reminder(interaction: Interaction, item: ReminderText) -> None:
    """Show a reminder with its last runs."""
    await defer(interaction)
    await show_with_runs(interaction, await resolve_reminder(interaction, item, loosely=True), "Reminder")


@remind.command(name="delete", description="Delete one of your reminders; you can undo it")
@app_commands.describe(item="Which reminder")
async def delete_reminder(interaction: Interaction, item: ReminderText) -> None:
    """Delete a reminder."""
    await defer(interaction)
    reminder = await resolve_reminder(interaction, item)
    deleted = await core_of(interaction).delete_schedule(reminder.id)
    await show_change(interaction, deleted, "Deleted")


async def _delivery(interaction: Interaction, deliver: Deliver | None, text: str) -> tuple[str, dict[str, str]]:
    """Method and arguments: here where both may write, unless a direct message was asked for; else a direct message.

    Raises:
        Refusal: ``here`` was asked for and cannot be; the sentence names the right that is missing.
    """
    direct = ("send_dm", {"user_id": str(interaction.user.id), "content": text})
    if deliver == "dm":
        return direct
    obstacle = await _why_not_here(interaction)
    if obstacle is None:
        return "send_message", {"channel_id": str(interaction.channel_id), "content": text}
    if deliver == "here":
        raise Refusal(obstacle)
    return direct


async def _why_not_here(interaction: Interaction) -> str | None:
    channel, home = interaction.channel, home_of(interaction)
    if home is None or channel is None:
        return "`deliver: here` works in channels of servers the bot is in; leave it out for a direct message."
    if channel.type not in POSTABLE:
        return "`deliver: here` works in channels for messages; leave it out for a direct message."
    missing = missing_to_post(interaction.app_permissions, channel.type)
    if missing:
        return f"The bot lacks {named(missing)} in this channel, so `deliver: here` is not possible."
    missing = missing_to_post(interaction.permissions, channel.type)
    if missing:
        return f"You lack {named(missing)} in this channel, so `deliver: here` is not possible."
    parent = channel.parent_id if isinstance(channel, discord.Thread) else None
    channels = (await core_of(interaction).guild_settings(home)).channels
    why = why_not_there(channels, str(channel.id), None if parent is None else str(parent))
    return None if why is None else f"`deliver: here` is not possible: {why}."


async def _zone_notes(interaction: Interaction, tz: str | None) -> list[str]:
    if tz is not None:
        return []
    own = await core_of(interaction).user_timezone(actor_of(interaction).id)
    if own.timezone is not None:
        return []
    return ["Your own time zone is not set; /timezone set makes times yours."]
