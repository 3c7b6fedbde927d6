"""Sending one message once: nonce for minutes, outbox for longer (semantics, section 5).

An intent is on disk before its POST. An intent whose fate is open is repeated with the same nonce while Discord still
knows it, and looked for among the bot's own messages afterwards; where that is not possible, nothing is repeated.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from datetime import UTC, datetime, timedelta
from typing import Final
from weakref import WeakValueDictionary

import discord
import msgspec

from bot.destination import Destination
from bot.faults import NO_CONNECTION, FateUnknown, closed_is_no_connection, is_refusal, judge
from bot.link import Link
from bot.outbox import Entry, Outbox, OutboxError
from bot.wire import watched
from schedule_zero.errors import RetryAfter

logger = logging.getLogger(__name__)

NONCE_LIVES: Final = 120.0
"""Seconds for which Discord surely still knows a nonce."""
_CLOCKS_DIFFER: Final = timedelta(seconds=60)
"""How far Discord's clock may stand from ours, when looking for a message by its time."""
_POSTED_WITHIN: Final = timedelta(seconds=NONCE_LIVES + 600)
"""A message was posted this long after its intent at the latest: repeats end, and a request times out."""
_LOOKED_THROUGH: Final = 2_000
_OUTBOX_PAUSE: Final = 30.0


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent: text, perhaps an embed and buttons, and who may be mentioned (nobody unless said)."""

    content: str
    embed: discord.Embed | None = None
    view: discord.ui.View | None = None
    mentions: discord.AllowedMentions = msgspec.field(default_factory=discord.AllowedMentions.none)

    @property
    def digest(self) -> str:
        """What the message is known by later."""
        return digest_of(self.content, None if self.embed is None else self.embed.description)


def digest_of(content: str, described: str | None) -> str:
    """Of a message's words, as Discord keeps them (without space at their ends)."""
    words = f"{content.strip()}\0{(described or '').strip()}"
    return hashlib.sha256(words.encode()).hexdigest()[:32]


class Sender:
    """Sends letters through the link, each key once."""

    def __init__(self, link: Link, outbox: Outbox) -> None:
        self._link = link
        self._outbox = outbox
        self._sending = 0
        self._idle = asyncio.Event()
        self._idle.set()
        # Two attempts of one run may overlap (a lost lease): the second waits and finds the first one's message.
        self._busy: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def already_sent(self, key: str) -> int | None:
        """The id of the message that went out under this key, if the outbox knows of one."""
        entry = self._outbox.get(key)
        return None if entry is None else entry.message_id

    def covering(self, event: str) -> Entry | None:
        """The notice that tells of an event, sent or begun."""
        return self._outbox.covering(event)

    def withdraw(self, key: str) -> None:
        """Give up a letter that was begun in a place that now refuses it."""
        self._outbox.withdraw(key)

    async def send(
        self, key: str, to: Destination, letter: Letter, *, covers: tuple[str, ...] = (), retried: bool = False
    ) -> int:
        """Make sure that the letter is out exactly once; the message's id.

        Args:
            key: the nonce; the same key is the same message, whoever asks, however often.
            covers: the events a notice tells of.
            retried: somebody may have begun it before, perhaps another process beside this one.

        Raises:
            FateUnknown: an earlier attempt may have posted it, and that cannot be found out.
            Reject, RetryAfter: Discord refused for good, or for now.
        """
        self._sending += 1
        self._idle.clear()
        try:
            async with self._busy.setdefault(key, asyncio.Lock()):
                return await self._send_once(key, to, letter, covers, retried)
        finally:
            self._sending -= 1
            if not self._sending:
                self._idle.set()

    async def drain(self, seconds: float) -> None:
        """Wait until nothing is being sent, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("%d messages were still being sent; the next start finds out about them", self._sending)

    async def _send_once(
        self, key: str, to: Destination, letter: Letter, covers: tuple[str, ...], retried: bool
    ) -> int:
        known = self._outbox.get(key)
        if known is None and retried:
            known = await self._adopt(key)
        if known is not None and known.message_id is not None:
            return known.message_id
        if known is not None and not self._nonce_lives(known):
            found = await self._look_for(known, to)
            if found is not None:
                await self._remember(key, found)
                return found
            self._outbox.withdraw(key)
            known = None
        if known is None:
            await self._intend(Entry(key, to.channel.id, self._outbox.clock(), letter.digest, covers))
        message_id = await self._post(key, to, letter, repeated=known is not None)
        await self._remember(key, message_id)
        return message_id

    def _nonce_lives(self, entry: Entry) -> bool:
        # A clock that was set back makes the age negative; then nothing is known about it.
        return 0 <= self._outbox.clock() - entry.at < NONCE_LIVES

    async def _adopt(self, key: str) -> Entry | None:
        try:
            return await self._outbox.adopt(key)
        except (OSError, OutboxError) as error:
            logger.error("nothing is sent again while the outboxes cannot be read: %s", error)
            raise RetryAfter(_OUTBOX_PAUSE, str(error)) from error

    async def _intend(self, entry: Entry) -> None:
        try:
            await self._outbox.intend(entry)
        except OutboxError as error:
            logger.error("nothing is sent while the outbox cannot be written: %s", error)
            raise RetryAfter(_OUTBOX_PAUSE, str(error)) from error

    async def _remember(self, key: str, message_id: int) -> None:
        try:
            await self._outbox.settle(key, message_id)
        except OutboxError as error:
            # The message is out, which is what the run asked for; a crash now would leave its intent to be looked for.
            logger.error("message %s was sent but not recorded: %s", message_id, error)

    async def _post(self, key: str, to: Destination, letter: Letter, *, repeated: bool) -> int:
        logger.debug("posting to channel %d with nonce %s", to.channel.id, key)
        with watched() as wire:
            try:
                with closed_is_no_connection():
                    message = await _send(to.channel, letter, key)
            except (discord.HTTPException, discord.RateLimited, *NO_CONNECTION) as error:
                if not repeated and (is_refusal(error) or (isinstance(error, NO_CONNECTION) and not wire.touched)):
                    self._outbox.withdraw(key)
                if isinstance(error, NO_CONNECTION):
                    self._link.broke()
                raise judge(error) from error
        logger.debug("posted to channel %d: message %d", to.channel.id, message.id)
        return message.id

    async def _look_for(self, entry: Entry, to: Destination) -> int | None:
        """The message an earlier attempt posted, or None when it surely did not.

        Raises:
            FateUnknown: the channel's history cannot be read (far enough).
            RetryAfter: Discord does not answer at the moment.
        """
        if not to.readable:
            raise FateUnknown("an earlier attempt may have posted this, and the bot cannot read the channel's history")
        intended = datetime.fromtimestamp(entry.at, UTC)
        last = intended + _POSTED_WITHIN + _CLOCKS_DIFFER
        seen = 0
        try:
            history = to.channel.history(after=intended - _CLOCKS_DIFFER, oldest_first=True, limit=_LOOKED_THROUGH)
            with closed_is_no_connection():
                async for message in history:
                    seen += 1
                    if message.created_at > last:
                        return None
                    if self._is_it(message, entry, to):
                        return message.id
        except discord.Forbidden as error:
            raise FateUnknown(
                "an earlier attempt may have posted this, and the history is closed to the bot"
            ) from error
        except (discord.HTTPException, discord.RateLimited, *NO_CONNECTION) as error:
            raise judge(error) from error
        if seen >= _LOOKED_THROUGH:
            raise FateUnknown(f"an earlier attempt may have posted this, and {seen} messages followed")
        return None

    def _is_it(self, message: discord.Message, entry: Entry, to: Destination) -> bool:
        if message.author.id != to.me:
            return False
        if message.nonce is not None:
            return str(message.nonce) == entry.key
        if self._outbox.owner_of(message.id) not in {None, entry.key}:
            return False
        # Discord adds embeds of its own where a text has links, so the letter's is any of them, or none.
        described = [None, *(embed.description for embed in message.embeds)]
        return any(digest_of(message.content, words) == entry.digest for words in described)


async def _send(channel: discord.abc.Messageable, letter: Letter, nonce: str) -> discord.Message:
    return await channel.send(
        letter.content,
        nonce=nonce,
        allowed_mentions=letter.mentions,
        embed=letter.embed,  # type: ignore[arg-type]  # the overloads hide that both may be None
        view=letter.view,  # type: ignore[arg-type]
    )
