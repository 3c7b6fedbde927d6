"""Whom a message pings. Pure. Source: developer documentation, "Allowed Mentions Object"."""

import re
from typing import NamedTuple

from tests.discord_server.drafts import AllowedMentions
from tests.discord_server.permissions import Permission
from tests.discord_server.records import Guild, World

USER_MENTION = re.compile(r"<@!?(\d+)>")
ROLE_MENTION = re.compile(r"<@&(\d+)>")
EVERYONE_MENTION = re.compile(r"@(everyone|here)\b")


class Mentions(NamedTuple):
    """Users and roles that are pinged, and whether everyone is."""

    users: list[int]
    roles: list[int]
    everyone: bool


def resolve_mentions(
    content: str, allowed: AllowedMentions | None, world: World, guild: Guild | None, permissions: int
) -> Mentions:
    """The mentions of a text that really ping, given what the sender allowed and may."""
    may_ping_all = bool(permissions & Permission.MENTION_EVERYONE)
    roles = {} if guild is None else guild.roles
    users = [int(found) for found in dict.fromkeys(USER_MENTION.findall(content))]
    named = [int(found) for found in dict.fromkeys(ROLE_MENTION.findall(content))]
    return Mentions(
        users=[user for user in users if user in world.users and _allows(allowed, "users", user)],
        roles=[
            role
            for role in named
            if role in roles and (roles[role].mentionable or may_ping_all) and _allows(allowed, "roles", role)
        ],
        everyone=may_ping_all and EVERYONE_MENTION.search(content) is not None and _allows(allowed, "everyone", None),
    )


def _allows(allowed: AllowedMentions | None, kind: str, target: int | None) -> bool:
    if allowed is None or kind in allowed.parse:
        return True
    listed = allowed.users if kind == "users" else allowed.roles
    return target is not None and str(target) in map(str, listed)
