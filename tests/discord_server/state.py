"""Everything the server remembers, put together, and the one act all tests turn on: a bot posts a message."""

from collections import deque
from pathlib import Path

import msgspec

from bot.playground.authorizing import Authority
from tests.discord_server.bodies import Upload
from tests.discord_server.changes import Changes
from tests.discord_server.clock import Clock, Snowflakes
from tests.discord_server.commands import CommandStore
from tests.discord_server.composition import Composer
from tests.discord_server.drafts import Draft, read_draft, require_substance
from tests.discord_server.errors import (
    CANNOT_SEND_TO_USER,
    MISSING_ACCESS,
    MISSING_PERMISSIONS,
    NOT_A_TEXT_CHANNEL,
    UNKNOWN_CHANNEL,
    ApiError,
)
from tests.discord_server.faults import Faults
from tests.discord_server.gateway import Gateway
from tests.discord_server.interactions import InteractionDesk
from tests.discord_server.limits import RateLimit, RateLimits
from tests.discord_server.messages import Journal, MessageStore, Nonces, Stored
from tests.discord_server.oauth import OAuth
from tests.discord_server.permissions import Permission, permissions_in
from tests.discord_server.posts import Posts
from tests.discord_server.records import Channel, ChannelType, JsonObject, RequestEntry, World

REQUESTS_KEPT = 20_000


class Settings(msgspec.Struct, kw_only=True, frozen=True):
    """How a server is set up; times in seconds."""

    token: str = "simulated-token"
    client_secret: str = "simulated-secret"
    nonce_seconds: float = 180.0
    interaction_seconds: float = 3.0
    shards: int = 1
    state_file: Path | None = None
    rate_limits: list[RateLimit] = []


class SimulatedDiscord:
    """The parts of the server and the rules for posting."""

    def __init__(self, world: World, settings: Settings) -> None:
        self.world = world
        self.settings = settings
        self.clock = Clock()
        self.snowflakes = Snowflakes(self.clock)
        self.changes = Changes()
        self.oauth = OAuth(world, Authority(str(world.application_id), settings.client_secret, self.clock.monotonic))
        self.faults = Faults(self.changes)
        self.limits = RateLimits(self.clock, list(settings.rate_limits))
        self.requests: deque[RequestEntry] = deque(maxlen=REQUESTS_KEPT)
        self.gateway = Gateway(world, self.clock, self.changes, settings.token)
        self.commands = CommandStore(world.application_id, self.snowflakes)
        self.messages = MessageStore()
        self.nonces = Nonces(self.clock, settings.nonce_seconds)
        self.journal = Journal(self.clock, self.changes, settings.state_file)
        composer = Composer(world, self.messages, self.clock, self.snowflakes)
        self.posts = Posts(composer, self.gateway, self.changes)
        self.interactions = InteractionDesk(self.posts, self.changes, settings.interaction_seconds)

    def at(self, url: str) -> None:
        """The address this server got."""
        self.posts.composer.url = url
        self.gateway.url = url.replace("http", "ws", 1) + "/websocket"

    # ── posting ──────────────────────────────────────────────────────────────────────────────────────────────

    def post_as_bot(self, channel_id: int, body: JsonObject, uploads: list[Upload]) -> JsonObject:
        """Check the bot's rights, then make the message, or find the one its nonce already made."""
        draft = read_draft(body)
        require_substance(draft, files=len(uploads))
        channel = self.visible_channel(channel_id)
        self._require_posting(channel, draft, uploads)
        return self.post(channel, self.world.bot_id, draft, uploads, body)

    def post(
        self, channel: Channel, author_id: int, draft: Draft, uploads: list[Upload], body: JsonObject
    ) -> JsonObject:
        """One message per author and enforced nonce; every accepted POST goes into the journal."""
        nonce = draft.nonce_text
        message = self._known(author_id, nonce) if draft.enforce_nonce else None
        duplicate = message is not None
        if message is None:
            message = self.posts.composer.compose(channel, author_id, draft, uploads)
            self.posts.publish(message)
            if nonce is not None:
                self.nonces.remember(author_id, nonce, message.id)
        self.journal.record(message, draft, body, duplicate=duplicate)
        return message.payload if nonce is None else message.payload | {"nonce": draft.nonce}

    def _known(self, author_id: int, nonce: str | None) -> Stored | None:
        message_id = None if nonce is None else self.nonces.find(author_id, nonce)
        return None if message_id is None else self.messages.find(message_id)

    def direct_messages(self, user_id: int) -> Channel:
        """The channel between the bot and a user, opened when there is none yet."""
        for channel in self.world.channels.values():
            if channel.recipient_id == user_id:
                return channel
        channel = Channel(id=self.snowflakes.next(), type=ChannelType.DM, recipient_id=user_id)
        self.world.channels[channel.id] = channel
        return channel

    # ── what the bot may do where ────────────────────────────────────────────────────────────────────────────

    def visible_channel(self, channel_id: int) -> Channel:
        """A channel the bot sees; ApiError 10003 when there is none, 50001 when it may not look."""
        channel = self.world.channels.get(channel_id)
        if channel is None:
            raise ApiError(UNKNOWN_CHANNEL)
        if not self.bot_rights(channel) & Permission.VIEW_CHANNEL:
            raise ApiError(MISSING_ACCESS)
        return channel

    def bot_rights(self, channel: Channel) -> int:
        """The bot's permissions in a channel."""
        return permissions_in(self.world, self.world.bot_id, channel)

    def _require_posting(self, channel: Channel, draft: Draft, uploads: list[Upload]) -> None:
        if not channel.type.takes_messages:
            raise ApiError(NOT_A_TEXT_CHANNEL)
        if channel.type is ChannelType.DM:
            recipient = self.world.users[channel.recipient_id or 0]
            if not recipient.accepts_dms:
                raise ApiError(CANNOT_SEND_TO_USER)
            return
        needed = Permission.SEND_MESSAGES_IN_THREADS if channel.type.is_thread else Permission.SEND_MESSAGES
        if draft.tts:
            needed |= Permission.SEND_TTS_MESSAGES
        if uploads:
            needed |= Permission.ATTACH_FILES
        if self.bot_rights(channel) & needed != needed:
            raise ApiError(MISSING_PERMISSIONS)
