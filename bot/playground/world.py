"""The world people find in the playground: guilds, channels, members and what they may do.

Every thing carries a number that is its own for ever. Its id is made from the number alone (``seeding``), so ids are
the same at every start, and schedules made yesterday still find their channel after somebody else was added here.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

Rights = Literal["open", "announcements", "read_only", "staff"]
"""Who may do what in a channel: everybody writes; bot, moderators and admins write; nobody but admins writes, the bot
neither; only moderators, admins and the bot see it."""


class Person(msgspec.Struct, frozen=True):
    """Somebody to look through the eyes of.

    Attributes:
        name: the user name; also in the address of the direct messages.
        shown: the display name, which says what the person may do.
    """

    number: int
    name: str
    shown: str


class Channel(msgspec.Struct, frozen=True):
    """A text channel.

    Attributes:
        path: the channel's part of the address; unique in the world.
    """

    number: int
    path: str
    name: str
    topic: str
    rights: Rights = "open"


class Guild(msgspec.Struct, frozen=True, kw_only=True):
    """A guild, its owner (who is an admin too), its moderators and its other members."""

    number: int
    name: str
    owner: Person
    moderators: tuple[Person, ...] = ()
    members: tuple[Person, ...] = ()
    admin_role: int
    moderator_role: int
    channels: tuple[Channel, ...]


class World(msgspec.Struct, frozen=True):
    """All there is. Each person also has direct messages with the bot."""

    guilds: tuple[Guild, ...]
    people: tuple[Person, ...]


ADA: Final = Person(1, "ada", "Ada (admin)")
MAX: Final = Person(2, "max", "Max (moderator)")
KIM: Final = Person(3, "kim", "Kim")

PLAYGROUND: Final = Guild(
    number=100,
    name="Playground",
    owner=ADA,
    moderators=(MAX,),
    members=(KIM,),
    admin_role=101,
    moderator_role=102,
    channels=(
        Channel(110, "general", "general", "Type / to see the commands. Try /remind me"),
        Channel(111, "announcements", "announcements", "The bot and the team write here", "announcements"),
        Channel(112, "rules", "rules", "Read only: the bot may not post here either", "read_only"),
        Channel(113, "staff", "staff", "Only moderators and admins see this", "staff"),
    ),
)
LIGHTHOUSE: Final = Guild(
    number=200,
    name="Lighthouse",
    owner=KIM,
    members=(ADA,),
    admin_role=201,
    moderator_role=202,
    channels=(Channel(210, "lighthouse", "general", "Another server: its schedules and settings are its own"),),
)
WORLD: Final = World(guilds=(PLAYGROUND, LIGHTHOUSE), people=(ADA, MAX, KIM))
OPERATOR: Final = ADA
"""Who runs the service there, in the server ``PLAYGROUND``."""
