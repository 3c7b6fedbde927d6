"""Mentions a schedule may make: written as Discord writes them, allowed only when listed and permitted.

``<@1>`` is a person, ``<@&2>`` a role; ``@everyone`` and ``@here`` are themselves. People may always be mentioned;
roles that are not open to everybody, and everyone, need the right Mention Everyone, which is asked for when saving and
again when sending.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

import discord

from schedule_zero.permitted import Mentioned
from schedule_zero.shown.guilds import MOST_MENTIONS

MOST: Final = MOST_MENTIONS
_TOKEN: Final = re.compile(r"<@!?(?P<user>\d{15,20})>|<@&(?P<role>\d{15,20})>|(?P<all>@everyone|@here)")
_BETWEEN: Final = re.compile(r"[\s,;]*")


class UnreadableMention(ValueError):
    """Something in the list is no mention; the sentence names it."""


class Mentions:
    """Who is to be mentioned: ids of people and roles, and whether everyone (or everyone who is here)."""

    __slots__ = ("everyone", "roles", "users")

    def __init__(self, users: Iterable[int] = (), roles: Iterable[int] = (), everyone: bool = False) -> None:
        self.users = tuple(dict.fromkeys(users))
        self.roles = tuple(dict.fromkeys(roles))
        self.everyone = everyone

    @property
    def needs_rights(self) -> bool:
        """Whether more than the right to write is needed."""
        return self.everyone or bool(self.roles)

    @property
    def asked(self) -> Mentioned:
        """The same, as a guild's settings judge it."""
        number = len(self.users) + len(self.roles) + self.everyone
        return Mentioned(self.everyone, tuple(map(str, self.roles)), number)

    def allowed(self) -> discord.AllowedMentions:
        """Exactly these, for one message."""
        return discord.AllowedMentions(
            everyone=self.everyone,
            users=[discord.Object(user) for user in self.users],
            roles=[discord.Object(role) for role in self.roles],
            replied_user=False,
        )


def split(text: str) -> tuple[str, ...]:
    """The mentions in what somebody typed, each in Discord's own spelling, in order and once.

    Raises:
        UnreadableMention: something else stands among them, or they are more than 20.
    """
    found: list[str] = []
    place = 0
    while place < len(text):
        place = _skip(text, place)
        if place == len(text):
            break
        match = _TOKEN.match(text, place)
        if match is None:
            raise UnreadableMention(
                f"`mentions` holds {text[place : place + 40]!r}; pick people and roles with @, "
                "or write @everyone or @here."
            )
        found.append(_spell(match))
        place = match.end()
    tokens = tuple(dict.fromkeys(found))
    if len(tokens) > MOST:
        raise UnreadableMention(f"`mentions` names {len(tokens)}; at most {MOST} can be mentioned.")
    return tokens


def parse(tokens: Sequence[str]) -> Mentions:
    """What a schedule's ``mentions`` argument says.

    Raises:
        UnreadableMention: one of them is no mention.
    """
    users: list[int] = []
    roles: list[int] = []
    everyone = False
    for token in tokens:
        match = _TOKEN.fullmatch(token)
        if match is None:
            raise UnreadableMention(f"{token[:40]!r} is no mention such as <@id>, <@&id> or @everyone")
        if match["user"]:
            users.append(int(match["user"]))
        elif match["role"]:
            roles.append(int(match["role"]))
        else:
            everyone = True
    return Mentions(users, roles, everyone)


def may_make(
    mentions: Mentions, permissions: discord.Permissions, guild: discord.Guild | None
) -> tuple[bool, str | None]:
    """Whether somebody with these permissions may make the mentions; if not, what they would need.

    A role that its guild opened to everybody needs no right; a role that is gone cannot be mentioned and is ignored.
    """
    if permissions.mention_everyone or permissions.administrator or not mentions.needs_rights:
        return True, None
    if mentions.everyone:
        return False, "mentioning everyone needs the right Mention Everyone"
    for role_id in mentions.roles:
        role = guild.get_role(role_id) if guild is not None else None
        if guild is None or (role is not None and not role.mentionable):
            name = f"<@&{role_id}>" if role is None else f"@{role.name}"
            return False, f"mentioning {name} needs the right Mention Everyone, because the role is not open to all"
    return True, None


def _skip(text: str, place: int) -> int:
    match = _BETWEEN.match(text, place)
    return place if match is None else match.end()


def _spell(match: re.Match[str]) -> str:
    if match["user"]:
        return f"<@{match['user']}>"
    if match["role"]:
        return f"<@&{match['role']}>"
    return match["all"]
