"""Channels a message can be posted to, and the rights that takes. Asked when saving and again when sending."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import discord

POSTABLE: Final = (
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.voice,
    discord.ChannelType.public_thread,
    discord.ChannelType.private_thread,
    discord.ChannelType.news_thread,
)
THREADS: Final = frozenset(
    {discord.ChannelType.public_thread, discord.ChannelType.private_thread, discord.ChannelType.news_thread}
)


def missing_to_post(permissions: discord.Permissions, kind: discord.ChannelType) -> tuple[str, ...]:
    """The rights, by Discord's names, that somebody lacks to post in a channel of that kind; empty when none."""
    send = ("Send Messages in Threads", "send_messages_in_threads") if kind in THREADS else _SEND
    needed = (("View Channel", "view_channel"), send)
    return tuple(name for name, attribute in needed if not getattr(permissions, attribute))


_SEND: Final = ("Send Messages", "send_messages")


def named(rights: Sequence[str]) -> str:
    """``View Channel and Send Messages``."""
    return " and ".join(rights)
