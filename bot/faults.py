"""What Discord's refusals mean for a run: lasting or passing, and in which words.

Codes: Discord documentation, "Opcodes and Status Codes" (JSON error codes).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import aiohttp
import discord

from schedule_zero.errors import Reject, RetryAfter

LASTING: Final[dict[int, str]] = {
    10003: "the channel no longer exists",
    10004: "the bot is no longer in this server",
    10008: "the message no longer exists",
    10013: "this person no longer exists",
    50001: "the bot may not see the channel (it needs View Channel)",
    50007: "this person takes no direct messages from the bot",
    50013: "the bot may not write there (it needs Send Messages)",
    50083: "the thread is archived and the bot may not open it",
    50278: "this person shares no server with the bot",
    160005: "the thread is locked",
    200000: "the server's AutoMod blocked the text",
    200001: "the server's AutoMod blocked the title",
    240000: "Discord blocked a harmful link in the text",
}
PASSING: Final[frozenset[int]] = frozenset({20016, 20022, 20028, 40333, 130000})
"""Slow mode, write limits, an inner network error of Discord's edge, a busy search."""

_SERVER_PAUSE: Final = 5.0
_EDGE_PAUSE: Final = 60.0

NO_CONNECTION: Final = (OSError, aiohttp.ClientError, TimeoutError)

_CLOSED: Final = "Session is closed"
"""What aiohttp says, as a bare RuntimeError, of a request on a session that was closed meanwhile."""


class FateUnknown(Reject):
    """Whether the message is out cannot be found out; sending it again could double it. Ends the run as unknown."""

    def __init__(self, why: str) -> None:
        super().__init__(f"unknown: {why}")


@contextmanager
def closed_is_no_connection() -> Iterator[None]:
    """Let a request on a closed session fail like any other that has no connection: with an OSError.

    A bot that is being replaced closes its session while somebody may still be about to send through it.
    """
    try:
        yield
    except RuntimeError as error:
        if str(error) != _CLOSED:
            raise
        raise ConnectionError(_CLOSED) from error


def is_refusal(error: BaseException) -> bool:
    """Whether this error proves that Discord did not take the message."""
    if isinstance(error, discord.RateLimited):
        return True
    return isinstance(error, discord.HTTPException) and error.status < 500


def judge(error: Exception) -> Reject | RetryAfter:
    """The answer a run gets for what Discord (or the way to it) said."""
    if isinstance(error, discord.RateLimited):
        return RetryAfter(error.retry_after, "Discord asks to wait (rate limit)")
    if isinstance(error, discord.HTTPException):
        return _judge_answer(error)
    if isinstance(error, NO_CONNECTION):
        return RetryAfter(_SERVER_PAUSE, "Discord cannot be reached")
    raise error


def _judge_answer(error: discord.HTTPException) -> Reject | RetryAfter:
    if error.status >= 500:
        return RetryAfter(_SERVER_PAUSE, f"Discord answered {error.status}")
    if error.status == 429 or error.code in PASSING:
        return RetryAfter(_EDGE_PAUSE, "Discord asks to wait")
    if error.status == 401:
        return RetryAfter(_EDGE_PAUSE, "Discord no longer accepts the bot's token")
    if error.code == 0 and error.text.lstrip().startswith("<"):
        # An HTML page comes from the edge in front of Discord, which knows nothing of channels and rights.
        return RetryAfter(_EDGE_PAUSE, f"Discord's edge answered {error.status}")
    words = LASTING.get(error.code)
    return Reject(words or f"Discord refused the message ({error.status}, code {error.code}): {error.text[:300]}")
