"""The ``discord`` handler: posts what schedules say, each run's message once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final

import discord
from msgspec import Meta

from bot import destination, letters
from bot.destination import Destination
from bot.faults import NO_CONNECTION, closed_is_no_connection, judge
from bot.link import Link
from bot.nonce import nonce_of
from bot.rights import AuthorRights, person, snowflake
from bot.sender import Letter, Sender
from cogs.mentions import MOST, Mentions, UnreadableMention, parse
from cogs.reminders import REMINDER, buttons_for
from schedule_zero.bounds import TO_THE_END
from schedule_zero.discord_ids import PATTERN
from schedule_zero.errors import Reject, RetryAfter, ScheduleZeroError
from schedule_zero.handler import Context, Handler, method
from schedule_zero.permitted import why_not_there
from schedule_zero.views import GuildSettings

_LINK_PAUSE: Final = 5.0
_TIMEOUT: Final = 60.0
"""Seconds: discord.py itself repeats a failing request for up to 25 s and waits for rate limits up to 30 s."""

SettingsOf = Callable[[str], Awaitable[GuildSettings]]
"""What a guild has set, by its id."""

Id = Annotated[
    str,
    Meta(
        pattern=PATTERN, max_length=20, description="a Discord id, which is 1 to 20 digits without a zero before them"
    ),
]
Text = Annotated[
    str,
    Meta(min_length=1, max_length=letters.CONTENT, pattern=r"\S",
         description=f"text of 1 to {letters.CONTENT:,} characters, not spaces alone"),
]  # fmt: skip
Mention = Annotated[
    str,
    Meta(pattern=rf"^(<@!?[0-9]{{15,20}}>|<@&[0-9]{{15,20}}>|@everyone|@here){TO_THE_END}", max_length=24,
         description="a mention such as <@123456789012345678>, <@&123456789012345678>, @everyone or @here"),
]  # fmt: skip
MentionList = Annotated[tuple[Mention, ...], Meta(max_length=MOST, description=f"a list of at most {MOST} mentions")]
"""What the arguments must be: checked when a schedule is saved, and shown as its JSON Schema."""


class DiscordHandler(Handler):
    """Sends messages to channels and people. While Discord is away its runs wait and no attempt is used up."""

    name = "discord"

    def __init__(
        self, link: Link, sender: Sender, rights: AuthorRights | None = None, *, settings: SettingsOf | None = None
    ) -> None:
        """``settings``: asks the core what a guild has set, for every message anew."""
        self._settings_of = settings or _nothing_set
        self._link = link
        self._sender = sender
        self._rights = rights or AuthorRights()
        link.on_change(self.set_available)

    @method(timeout=_TIMEOUT)
    async def send_message(
        self, context: Context, channel_id: Id, content: Text, mentions: MentionList = ()
    ) -> dict[str, str]:
        """Post a text in a channel of the schedule's guild.

        Args:
            context: the run.
            channel_id: a text, announcement or voice channel, or a thread, of the run's own guild.
            content: at most 2,000 characters, not only space.
            mentions: who may be mentioned by the text: ``<@id>``, ``<@&id>``, ``@everyone``, ``@here``.
        """
        key = nonce_of(context.run_id, "message", [channel_id, content, list(mentions)])
        asked = _read_mentions(mentions)
        return await self._deliver(key, context, content, asked, channel_id=int(channel_id))

    @method(timeout=_TIMEOUT)
    async def send_dm(self, context: Context, user_id: Id, content: Text) -> dict[str, str]:
        """Send a text to a person: to the one who asked for it, or, for the operator's schedules, to anybody.

        Args:
            context: the run.
            user_id: the person.
            content: at most 2,000 characters.
        """
        key = nonce_of(context.run_id, "dm", [user_id, content])
        author = person(context.owner_id)
        recipient = int(user_id)
        if author is not None and author != recipient:
            raise Reject("a direct message goes only to the person who asked for it")
        return await self._deliver(key, context, content, Mentions(), user_id=recipient)

    async def _deliver(
        self,
        key: str,
        context: Context,
        content: str,
        mentions: Mentions,
        *,
        channel_id: int | None = None,
        user_id: int | None = None,
    ) -> dict[str, str]:
        sent = self._sender.already_sent(key)
        if sent is not None:
            return {"message_id": str(sent)}
        bot = self._link.bot
        if bot is None:
            raise RetryAfter(_LINK_PAUSE, "Discord is not connected")
        try:
            with closed_is_no_connection():
                if user_id is not None:
                    to = await destination.direct(bot, user_id)
                else:
                    to = await destination.in_guild(bot, channel_id or 0, _home(context))
                    await self._require_permitted(context, to, mentions)
        except (discord.DiscordException, *NO_CONNECTION) as error:
            if isinstance(error, NO_CONNECTION):
                self._link.broke()
            raise judge(error) from error
        letter = _letter(context, content, mentions, to)
        message_id = await self._sender.send(key, to, letter, retried=context.attempt > 1)
        return {"message_id": str(message_id), "channel_id": str(to.channel.id)}

    async def _require_permitted(self, context: Context, to: Destination, mentions: Mentions) -> None:
        """What was permitted when it was made may be so no longer: by the server's settings, or to its author."""
        settings = await self._settings(context.guild_id)
        parent = to.channel.parent_id if isinstance(to.channel, discord.Thread) else None
        why = why_not_there(settings.channels, str(to.channel.id), None if parent is None else str(parent))
        if why is not None:
            raise Reject(f"no_rights: {why}")
        await self._rights.require(context.owner_id, to, mentions, settings, personal=_is_reminder(context))

    async def _settings(self, guild_id: str | None) -> GuildSettings:
        """What a guild has set; the operator's own schedules belong to none.

        Raises:
            RetryAfter: the core does not say at the moment.
        """
        if guild_id is None:
            return await _nothing_set("")
        try:
            return await self._settings_of(guild_id)
        except ScheduleZeroError as error:
            raise RetryAfter(_LINK_PAUSE, f"what the server permits is not known: {error.sentence}") from error


async def _nothing_set(guild_id: str) -> GuildSettings:
    return GuildSettings(guild_id=guild_id)


def _letter(context: Context, content: str, mentions: Mentions, to: Destination) -> Letter:
    notes: list[str] = []
    opening, view = "", None
    if _is_reminder(context):
        notes.append(letters.set_note(context.metadata.get("made"), context.metadata.get("origin")))
        view = buttons_for(context.schedule_id)
        author = person(context.owner_id)
        if to.guild is not None and author is not None:
            opening = f"<@{author}>"
            mentions = Mentions((*mentions.users, author), mentions.roles, mentions.everyone)
    late = letters.due_note(context.due, context.late_by)
    if late is not None:
        notes.append(late)
    text, embed = letters.compose(content, opening, notes, embeds=to.embeds)
    return Letter(content=text, embed=embed, view=view, mentions=mentions.allowed())


def _is_reminder(context: Context) -> bool:
    return bool(context.metadata.get("kind") == REMINDER)


def _home(context: Context) -> int | None:
    """The guild whose channels a run may use; a person's schedule without a guild may use none."""
    if context.guild_id is not None:
        guild_id = snowflake(context.guild_id)
        if guild_id is None:
            raise Reject(f"{context.guild_id[:40]!r} is no server of Discord's")
        return guild_id
    if person(context.owner_id) is not None:
        raise Reject("a schedule made in a direct message cannot post in a server's channel")
    return None


def _read_mentions(tokens: Any) -> Mentions:
    try:
        return parse(tokens)
    except UnreadableMention as error:
        raise Reject(str(error)) from None
