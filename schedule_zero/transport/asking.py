"""What a core and its clients say to each other on ``zmq.clients``, byte for byte; ``docs/protocol.md`` in prose.

Bodies and messages have the form of ``schedule_zero.transport.wire``. Requests, views, events and problems travel as the maps
they are over HTTP, in MessagePack.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from schedule_zero.bounds import Id, Word
from schedule_zero.event import BUCKETS, Event
from schedule_zero.transport.wire import Message, Name, Note, Seconds, reader
from schedule_zero.views import Problem

LARGEST_REQUESTS: Final = 1024 * 1024
"""Bytes of a body towards the core."""
LARGEST_ANSWERS: Final = 64 * 1024 * 1024
"""Bytes of a body towards a client."""
BEAT_S: Final = 2.0
SILENT_AFTER_S: Final = 3 * BEAT_S
"""Who said nothing for so long is gone."""

MOST_ROLES: Final = 1_000
"""Roles of one member; Discord has at most 250 in a server."""

Role = Literal["operator", "bot"]
Number = Annotated[int, Meta(ge=0, le=2**53)]
Window = Annotated[int, Meta(ge=1, le=10_000)]


class Member(Message):
    """Somebody in whose name the bot asks: a Discord user, where they speak, their permissions and their roles there, and
    whether that place is theirs."""

    id: Id
    guild_id: Id | None
    permissions: Annotated[int, Meta(ge=0, le=2**63 - 1)]
    roles: Annotated[tuple[Id, ...], Meta(max_length=MOST_ROLES)] = ()
    owner: bool = False


# ── to the core ────────────────────────────────────────────────────────────────────────────────────────────────


class Login(Message, tag="LOGIN"):
    """Who I am; the first message of a connection, and the answer to WHO.

    Attributes:
        instance: this process, by a name nobody else has; the same after a reconnect.
        versions: the lowest and the highest version of this protocol it speaks.
        software: what it is, for people.
        token: what opens the core, where the connection itself does not say who it is.
    """

    instance: Name
    versions: tuple[int, int]
    software: Annotated[str, Meta(max_length=100)]
    token: Annotated[str, Meta(max_length=200)] | None


class Ask(Message, tag="ASK"):
    """One request. ``number``: what its answer names it by, used once per instance. ``member``: in whose name."""

    number: Number
    request: msgspec.Raw
    member: Member | None = None


class Follow(Message, tag="FOLLOW"):
    """Send me events.

    Attributes:
        number: as of a request; the two share their numbers.
        after: a place in the journal, ``epoch-seq``; None: from now on. Not heeded for a durable subscriber.
        kinds: only these; all where there are none.
        guild_id: only this guild's.
        subscriber: the name under which the core remembers how far I have read.
        buckets: only guilds of these buckets (``schedule_zero.event.bucket_of``); all where there are none.
        window: how many events may be under way to me, not yet TAKEN.
        member: in whose name.
    """

    number: Number
    after: Word | None
    kinds: Annotated[tuple[Word, ...], Meta(max_length=50)]
    guild_id: Id | None
    subscriber: Name | None
    buckets: Annotated[tuple[Annotated[int, Meta(ge=0, lt=BUCKETS)], ...], Meta(max_length=BUCKETS)]
    window: Window
    member: Member | None = None


class Taken(Message, tag="TAKEN"):
    """I have dealt with everything up to this place."""

    number: Number
    epoch: Number
    seq: Number


class Leave(Message, tag="LEAVE"):
    """I no longer wait for this answer, or these events."""

    number: Number


class Report(Message, tag="REPORT"):
    """How a part of the service in this process is doing. Forgotten when the connection is."""

    part: Name
    ok: bool
    detail: Note


class Beat(Message, tag="BEAT"):
    """I am there."""


class Bye(Message, tag="BYE"):
    """I am leaving."""


# ── to the client ──────────────────────────────────────────────────────────────────────────────────────────────


class Welcome(Message, tag="WELCOME"):
    """You are known.

    Attributes:
        version: of this protocol, from now on.
        name: by what name the core knows you; ``role``: what you may do.
        beat: say something every so many seconds; after three times that in silence you are gone.
        at_once: how many requests may wait for their answers.
        now: the core's clock, microseconds since the epoch.
    """

    version: int
    name: str
    role: str
    beat: Seconds
    at_once: int
    largest_body: int
    now: int


class Refuse(Message, tag="REFUSE"):
    """You are not admitted. Where ``again`` is false, asking again in the same way is of no use."""

    problem: Problem
    again: bool


class Who(Message, tag="WHO"):
    """I do not know this connection: say LOGIN, then all that still waits."""


class Answer(Message, tag="ANSWER"):
    """The view a request is answered with; what was asked tells which one it is."""

    number: Number
    view: msgspec.Raw


class Failed(Message, tag="PROBLEM"):
    """Why a request cannot be carried out, or why no more events come."""

    number: Number
    problem: Problem


class Following(Message, tag="FOLLOWING"):
    """From this place on events will come. ``new``: the core did not know the subscriber."""

    number: Number
    epoch: Number
    seq: Number
    new: bool


class Events(Message, tag="EVENTS"):
    """Events in order, and the place up to which there are no others for you. There may be none."""

    number: Number
    events: list[Event]
    epoch: Number
    seq: Number


class Missed(Message, tag="MISSED"):
    """Events of these numbers are not kept any more, and will not come. Said once, in its place among the others."""

    number: Number
    epoch: Number
    first: Number
    last: Number


ToCore = Login | Ask | Follow | Taken | Leave | Report | Beat | Bye
ToClient = Welcome | Refuse | Who | Answer | Failed | Following | Events | Missed | Beat | Bye


read_from_client: Final = reader(ToCore)
"""The messages of a body that a client sent. Raises WireError."""
read_from_core: Final = reader(ToClient)
"""The messages of a body that a core sent. Raises WireError."""
