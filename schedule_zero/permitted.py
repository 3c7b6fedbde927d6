"""What a guild's settings permit: where scheduled messages are posted, whom they mention, and what roles may do.

Asked when a schedule is made and again when its message is sent. Discord's own rights are another matter: both must
allow it, but for the roles a guild lists, which may be mentioned by everybody who may schedule there.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from schedule_zero.actor import Standing
from schedule_zero.discord_ids import canonical
from schedule_zero.shown.guilds import GuildChannels, GuildMentions, GuildSettings

EVERYONE: Final = ("@everyone", "@here")
_ROLE: Final = "<@&"
_NAMED: Final = 3
"""Channels or roles that a refusal names."""


class Mentioned(NamedTuple):
    """Whom a message mentions: everyone, which roles, and how many in all."""

    everyone: bool
    roles: tuple[str, ...]
    number: int


def mentioned(tokens: Collection[str]) -> Mentioned:
    """Whom mentions stand for, as Discord writes them (``<@1>``, ``<@&2>``, ``@everyone``)."""
    named = dict.fromkeys(token for token in tokens if token not in EVERYONE)
    roles = tuple(token[len(_ROLE) : -1] for token in named if token.startswith(_ROLE))
    everyone = any(token in EVERYONE for token in tokens)
    return Mentioned(everyone, roles, len(named) + everyone)


def standing_of(roles: Collection[str], settings: GuildSettings) -> Standing:
    """What a guild makes of somebody with these roles. Everybody in it has the role that goes by its own id."""
    held = {*roles, settings.guild_id}
    if held & set(settings.roles.manager):
        return "manager"
    return "member" if held & set(settings.roles.member) else ""


def why_not_there(channels: GuildChannels, channel_id: str, parent_id: str | None = None) -> str | None:
    """Why schedules may not post in a channel, to go on from a colon; None where they may.

    Args:
        parent_id: the channel that a thread belongs to, as far as it is known.
    """
    denied = {_one_spelling(id) for id in channels.deny}
    if _one_spelling(channel_id) in denied:
        return f"this server's settings let no schedule post in <#{channel_id}>"
    if parent_id is not None and _one_spelling(parent_id) in denied:
        return f"this server's settings let no schedule post in the threads of <#{parent_id}>"
    if channels.allow and _one_spelling(channel_id) not in {_one_spelling(id) for id in channels.allow}:
        return f"this server's settings let schedules post in {_some(channels.allow, '<#')} only"
    return None


def why_not_mentioned(mentions: GuildMentions, asked: Mentioned, *, manages: bool) -> str | None:
    """Why a message may not mention these, to go on from a colon; None where it may.

    Args:
        manages: whether its author manages here.
    """
    if asked.number > mentions.max:
        most = f"at most {mentions.max}" if mentions.max else "none"
        return f"{asked.number} mentions are too many; this server's settings allow {most} in a message"
    if asked.everyone and mentions.everyone == "off":
        return "this server's settings let no schedule mention everyone"
    if asked.everyone and not manages:
        return "this server's settings let only those who manage here mention everyone"
    return None if not asked.roles else _why_not_roles(mentions, asked.roles, manages=manages)


def lists_all(mentions: GuildMentions, asked: Mentioned) -> bool:
    """Whether all that needs a right of its own is roles the guild lists: then whoever may schedule may mention them."""
    return mentions.roles == "listed" and not asked.everyone and set(asked.roles) <= set(mentions.listed)


def _why_not_roles(mentions: GuildMentions, roles: Sequence[str], *, manages: bool) -> str | None:
    if mentions.roles == "off":
        return "this server's settings let no schedule mention a role"
    if mentions.roles == "managers":
        return None if manages else "this server's settings let only those who manage here mention roles"
    if set(roles) <= set(mentions.listed):
        return None
    listed = f"only {_some(mentions.listed, _ROLE)}" if mentions.listed else "no role, for none is listed"
    return f"this server's settings let schedules mention {listed}"


def _one_spelling(id: str) -> str:
    return canonical(id) or id


def _some(ids: Sequence[str], opening: str) -> str:
    """The first few, as Discord shows them, and how many more there are."""
    more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
    return ", ".join(f"{opening}{id}>" for id in ids[:_NAMED]) + more
