"""What the server knows: people, guilds and channels, and what it writes down for the tests."""

from enum import IntEnum
from typing import Any, Literal

import msgspec

JsonObject = dict[str, Any]

EPHEMERAL = 1 << 6
"""Message flag: shown to the user of the interaction only."""


class InteractionKind(IntEnum):
    """What a user did, with Discord's numbers."""

    COMMAND = 2
    COMPONENT = 3
    AUTOCOMPLETE = 4
    MODAL_SUBMIT = 5


class CallbackType(IntEnum):
    """How a bot may answer an interaction first, with Discord's numbers."""

    MESSAGE = 4
    DEFERRED_MESSAGE = 5
    DEFERRED_UPDATE = 6
    UPDATE_MESSAGE = 7
    AUTOCOMPLETE = 8
    MODAL = 9


class ChannelType(IntEnum):
    """Kinds of channel, with Discord's numbers."""

    TEXT = 0
    DM = 1
    VOICE = 2
    CATEGORY = 4
    NEWS = 5
    NEWS_THREAD = 10
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13
    FORUM = 15

    @property
    def is_thread(self) -> bool:
        """Threads borrow the overwrites of the channel they hang from."""
        return self in (ChannelType.NEWS_THREAD, ChannelType.PUBLIC_THREAD, ChannelType.PRIVATE_THREAD)

    @property
    def takes_messages(self) -> bool:
        """Categories and forums hold other channels, never messages of their own."""
        return self not in (ChannelType.CATEGORY, ChannelType.FORUM)


class User(msgspec.Struct, kw_only=True):
    """A Discord account; `accepts_dms` off makes every direct message fail with 50007."""

    id: int
    name: str
    global_name: str | None = None
    bot: bool = False
    accepts_dms: bool = True


class Role(msgspec.Struct, kw_only=True):
    """A role of one guild; the role with the guild's own id is @everyone."""

    id: int
    name: str
    permissions: int = 0
    position: int = 0
    mentionable: bool = False
    bot_id: int | None = None


class Overwrite(msgspec.Struct, kw_only=True):
    """What a channel allows or denies to one role or one member, on top of the roles."""

    target_id: int
    kind: Literal["role", "member"] = "role"
    allow: int = 0
    deny: int = 0


class Channel(msgspec.Struct, kw_only=True):
    """A guild channel, a thread (`parent_id` is its channel) or a direct message (`recipient_id`)."""

    id: int
    type: ChannelType = ChannelType.TEXT
    name: str = ""
    guild_id: int | None = None
    parent_id: int | None = None
    recipient_id: int | None = None
    owner_id: int | None = None
    position: int = 0
    topic: str | None = None
    overwrites: dict[int, Overwrite] = {}
    last_message_id: int | None = None


class Member(msgspec.Struct, kw_only=True):
    """A user in a guild."""

    user_id: int
    roles: list[int] = []
    nick: str | None = None
    joined_at: str = "2023-01-01T00:00:00+00:00"


class Guild(msgspec.Struct, kw_only=True):
    """A guild with its roles and members; its channels stand in `World.channels`."""

    id: int
    name: str
    owner_id: int
    locale: str = "en-US"
    roles: dict[int, Role] = {}
    members: dict[int, Member] = {}


class World(msgspec.Struct, kw_only=True):
    """Everybody and every place this Discord has."""

    bot_id: int
    owner_id: int
    users: dict[int, User] = {}
    guilds: dict[int, Guild] = {}
    channels: dict[int, Channel] = {}

    @property
    def application_id(self) -> int:
        """Applications of recent years share the id of their bot user."""
        return self.bot_id

    def bot_guilds(self) -> list[Guild]:
        """The guilds the bot is a member of."""
        return [guild for guild in self.guilds.values() if self.bot_id in guild.members]

    def channels_of(self, guild_id: int) -> list[Channel]:
        """A guild's channels and threads."""
        return [channel for channel in self.channels.values() if channel.guild_id == guild_id]


class JournalEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One accepted POST of a message; `duplicate` means the nonce was known and nothing new was made."""

    seq: int
    at: str
    channel_id: int
    author_id: int
    message_id: int
    content: str
    nonce: str | None
    duplicate: bool
    body: JsonObject


class RequestEntry(msgspec.Struct, kw_only=True):
    """One REST request of the bot; `status` is None while it hangs or when the connection was cut."""

    seq: int
    at: str
    route: str
    query: str = ""
    status: int | None = None
    outcome: Literal["open", "answered", "dropped", "gone"] = "open"
    fault_id: int | None = None
    body: JsonObject | list[Any] | None = None


class GatewayEntry(msgspec.Struct, kw_only=True, frozen=True):
    """One step in the life of a gateway connection."""

    seq: int
    at: str
    step: Literal["identified", "resumed", "refused", "closed"]
    session_id: str | None = None
    shard: int = 0
    code: int | None = None


AnswerKind = Literal["callback", "edit", "followup", "delete"]


class Answer(msgspec.Struct, kw_only=True, frozen=True):
    """One thing the bot said to an interaction: the callback (with its type), an edit, a followup, a deletion."""

    at: str
    kind: AnswerKind
    type: int | None = None
    body: JsonObject = {}
    message: JsonObject | None = None


class Interaction(msgspec.Struct, kw_only=True):
    """One use of a command, component, autocompletion or modal, and everything the bot answered."""

    id: int
    token: str
    kind: InteractionKind
    name: str
    channel_id: int
    user_id: int
    guild_id: int | None = None
    answers: list[Answer] = []
    message: JsonObject | None = None
    followups: list[JsonObject] = []
    loading: bool = False

    @property
    def callback(self) -> Answer | None:
        """The first answer, which Discord wants within three seconds."""
        return next((answer for answer in self.answers if answer.kind == "callback"), None)

    @property
    def ephemeral(self) -> bool:
        """Whether only the user sees the answer."""
        return bool(self.message and self.message["flags"] & EPHEMERAL)

    @property
    def content(self) -> str:
        """The text of the answer as it stands now."""
        return str(self.message["content"]) if self.message else ""

    @property
    def choices(self) -> list[JsonObject]:
        """What an autocompletion offered: name and value."""
        return list(self.callback.body.get("choices", [])) if self.callback else []

    @property
    def modal(self) -> JsonObject | None:
        """The modal the bot opened, if it did."""
        return self.callback.body if self.callback and self.callback.type == CallbackType.MODAL else None

    @property
    def answered(self) -> bool:
        """Whether the user has an answer: a deferral alone is none."""
        if self.callback is None:
            return False
        if self.callback.type in (CallbackType.DEFERRED_MESSAGE, CallbackType.DEFERRED_UPDATE):
            return len(self.answers) > 1
        return True
