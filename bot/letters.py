"""The words of a message that a schedule posts: the text, who it is for, and what must be said beside it."""

from __future__ import annotations

from typing import Final

import discord

from schedule_zero import instant

CONTENT: Final = 2_000
"""The most characters Discord takes as a message's text."""
EMBED: Final = 4_096
"""The most characters of an embed's description."""
LATE_AFTER: Final = 60 * instant.SECOND


def due_note(due: int, late_by: int) -> str | None:
    """What a message that comes more than 60 s late says of its due time (both in microseconds)."""
    if late_by <= LATE_AFTER:
        return None
    return f"-# Was due <t:{due // instant.SECOND}:F> (<t:{due // instant.SECOND}:R>)"


def set_note(made: str | None, origin: str | None) -> str:
    """Why a reminder comes: who set it, when (Unix seconds), and in which channel."""
    text = "-# Set by you"
    if made is not None and made.isdecimal():
        text += f" <t:{made}:R>"
    if origin is not None and origin.isdecimal():
        text += f" in <#{origin}>"
    return text


def compose(text: str, mention: str, notes: list[str], *, embeds: bool) -> tuple[str, discord.Embed | None]:
    """Text, mention and notes as one message: in its content if they fit, what does not fit in an embed.

    Where embeds are not allowed the notes give way first, then the mention; the text is always whole.
    """
    opening = f"{mention} {text}" if mention else text
    small = "\n".join(notes)
    whole = f"{opening}\n{small}" if small else opening
    if len(whole) <= CONTENT:
        return whole, None
    if not embeds:
        return (opening if len(opening) <= CONTENT else text), None
    if len(opening) <= CONTENT:
        return opening, discord.Embed(description=small)
    described = f"{text}\n{small}" if small else text
    return mention, discord.Embed(description=described[:EMBED])
