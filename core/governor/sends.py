"""Sends: where a guild's messages go, as far as it is limited how fast: each of its channels, and its direct messages.

Each is one more scope on the way of a start (``core.governor.own_scopes``). Which one is told by the arguments, where the run
enters the queue: runs to different channels must not wait for each other.
"""

from __future__ import annotations

from typing import Final

import msgspec

from core.governor.measures import Measured
from schedule_zero.discord_ids import canonical

SENDS: Final = "sends_per_channel"
DMS: Final = "dms_per_hour"
SENDING: Final = frozenset({("discord", "send_message"), ("discord", "send_dm")})
"""The methods that send messages, by handler and method."""
OTHERS: Final = "others"
"""The channel of what says only later which one it goes to."""
UNKNOWN_GUILD: Final = "-"
"""Its measure, which is that of a server nobody set anything for, is that of a person outside servers, too."""
_CHANNEL: Final = "channel:"
_DMS: Final = "dms:"
_PERSON: Final = "person:"


class _To(msgspec.Struct, gc=False):
    channel_id: object = None


_to: Final = msgspec.json.Decoder(_To).decode


def destination_of(method: str, args: str, guild: str | None, owner: str) -> str:
    """Which scope a run that sends a message counts in.

    ``channel:GUILD/CHANNEL`` or ``dms:GUILD``; ``person:ID`` for the direct messages that a person set for themselves
    outside servers.

    Args:
        method: one of the handler that sends.
        args: the run's arguments, JSON.
        owner: whose schedule it is.

    Returns:
        The scope's name; empty for the operator's own work, which is not counted.
    """
    if method == "send_dm":
        if guild is not None:
            return dms_of(guild)
        return f"{_PERSON}{owner}" if canonical(owner) is not None else ""
    if guild is None:
        return ""
    named = _to(args).channel_id
    channel = canonical(named) if isinstance(named, str) else None
    return f"{_CHANNEL}{guild}/{channel or OTHERS}"


def limited(measures: Measured, guild: str | None, method: str) -> bool:
    """Whether there may be a limit for what this method sends for a guild."""
    quota = measures.quota_of(UNKNOWN_GUILD if guild is None else guild)
    return (quota.dms_per_hour if method == "send_dm" else quota.sends_per_channel) is not None


def is_channel(scope: str) -> bool:
    """Whether a scope is a channel's."""
    return scope.startswith(_CHANNEL)


def is_destination(scope: str) -> bool:
    """Whether a scope is one of sends."""
    return scope.startswith((_CHANNEL, _DMS, _PERSON))


def dms_of(guild: str) -> str:
    """The scope of a guild's direct messages."""
    return f"{_DMS}{guild}"


def guild_of(scope: str) -> str | None:
    """The guild that a scope of sends belongs to; None: it is a person's own, or no such scope."""
    if is_channel(scope):
        return scope.removeprefix(_CHANNEL).rpartition("/")[0]
    return scope.removeprefix(_DMS) if scope.startswith(_DMS) else None


def is_of(scope: str, id: str, *, person: bool = False) -> bool:
    """Whether a scope of sends is a guild's, or a person's own."""
    return scope == f"{_PERSON}{id}" if person else guild_of(scope) == id
