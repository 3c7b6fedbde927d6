"""``/schedule message``: a text, posted in a channel when its time comes."""

from __future__ import annotations

import asyncio

from discord import app_commands, ui

from cogs.cards import schedule_card
from cogs.channels import missing_to_post, named
from cogs.drafts import CHECK_BUDGET, Draft, begin, end_of, read, require_text
from cogs.front import Interaction, core_of, home_of
from cogs.mentions import Mentions, UnreadableMention, may_make, parse, split
from cogs.options import ChannelPlace, Place, RepeatText, UntilText, WhenText, ZoneText
from cogs.places import require_home, require_open
from cogs.refusals import Refusal
from cogs.shown import remember
from schedule_zero.permitted import lists_all
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.views import ReadingView


class MessageDraft(Draft, frozen=True, kw_only=True):
    """A scheduled message as somebody asked for it."""

    channel_id: int
    name: str | None = None
    count: int | None = None
    mentions: tuple[str, ...] = ()

    async def save(self, interaction: Interaction) -> ui.LayoutView:
        text = require_text(self.text)
        await require_open(interaction, self.channel_id, "channel")
        reading = await read(interaction, self)
        until = await end_of(interaction, self, reading)
        saved = await core_of(interaction).create_schedule(
            self._spec(interaction, text, reading, until), idempotency_key=f"interaction:{interaction.id}"
        )
        remember(interaction, saved, "Scheduled")
        return schedule_card(saved, "Scheduled")

    def _spec(self, interaction: Interaction, text: str, reading: ReadingView, until: str | None) -> ScheduleSpec:
        args: dict[str, object] = {"channel_id": str(self.channel_id), "content": text}
        if self.mentions:
            args["mentions"] = list(self.mentions)
        return ScheduleSpec(
            handler="discord",
            method="send_message",
            args=args,
            guild_id=home_of(interaction),
            name=self.name,
            owner_id=str(interaction.user.id),
            trigger=reading.trigger,
            timezone=reading.timezone,
            start=reading.start,
            until=until,
            count=self.count if self.count is not None else reading.count,
            policy={"month_end": reading.month_end},
        )


@app_commands.command(name="message", description="Post a text in a channel, once or again and again")
@app_commands.describe(
    when="When: tomorrow at 9, every weekday at 9, every 2nd friday at 18:00, a date, a cron line",
    channel="Where it is posted",
    text="What it says; left out, a form asks for it",
    name="What the schedule is called here",
    repeat="How it repeats, if when is only the start",
    until="When the series ends",
    count="After how many times the series ends",
    tz="Time zone to read the times in; default: yours, then the server's",
    mentions="People and roles the text may mention",
)
async def message(
    interaction: Interaction,
    when: WhenText,
    channel: ChannelPlace,
    text: str | None = None,
    name: app_commands.Range[str, 1, 80] | None = None,
    repeat: RepeatText | None = None,
    until: UntilText | None = None,
    count: app_commands.Range[int, 1, 10_000] | None = None,
    tz: ZoneText | None = None,
    mentions: str | None = None,
) -> None:
    """Schedule a message."""
    _require_caller_rights(interaction, channel)
    draft = MessageDraft(
        when=when,
        repeat=repeat,
        until=until,
        tz=tz,
        text=text if text is None else require_text(text),
        channel_id=channel.id,
        name=name,
        count=count,
        mentions=await _read_mentions(interaction, channel, mentions),
    )
    await begin(interaction, draft)


def _require_caller_rights(interaction: Interaction, channel: Place) -> None:
    """The caller must be able to write there, too: nobody gains a channel by scheduling.

    Raises:
        Refusal: the channel is not of this guild, or a right is missing.
    """
    if home_of(interaction) is None:
        raise Refusal("`/schedule` works in servers the bot is in.")
    if channel.guild_id != interaction.guild_id:
        raise Refusal("`channel` belongs to another server; pick one of this server.")
    missing = missing_to_post(channel.permissions, channel.type)
    if missing:
        raise Refusal(f"You lack {named(missing)} in <#{channel.id}>; pick a channel you may write in.")


async def _read_mentions(interaction: Interaction, channel: Place, text: str | None) -> tuple[str, ...]:
    """The mentions the caller may make by Discord's rights, or because the server lists the roles for everybody. What else
    its settings say, the core judges.

    Raises:
        Refusal: one is unreadable, or needs a right the caller lacks.
    """
    if not text:
        return ()
    try:
        tokens = split(text)
    except UnreadableMention as error:
        raise Refusal(str(error)) from None
    mentions = parse(tokens)
    guild = interaction.client.get_guild(interaction.guild_id or 0)
    allowed, why = may_make(mentions, channel.permissions, guild)
    if not allowed and not await _are_listed(interaction, mentions):
        raise Refusal(f"`mentions`: {why}, which you lack in <#{channel.id}>.")
    return tokens


async def _are_listed(interaction: Interaction, mentions: Mentions) -> bool:
    """Whether the server lets everybody who may schedule mention these; asked at once, for a form may come next."""
    try:
        async with asyncio.timeout(CHECK_BUDGET):
            settings = await core_of(interaction).guild_settings(require_home(interaction, "/schedule"))
    except TimeoutError:
        return False
    return lists_all(settings.mentions, mentions.asked)
