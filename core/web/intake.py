"""The body of a request as it comes in: within a time, and with an end to it, whoever reads it or does not.

An application refuses what is too large and reads no more. uvicorn would then go on taking, and throwing away, what the
sender never ceases to send. So a connection whose request is not over by its answer is closed. Closed at once, it would be
reset under whoever still sends, and the answer lost with it: the rest is taken for a moment, and thrown away.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Final

from core.web.door import Message, Receive, Scope, Send

BODY_S: Final = 30.0
"""Within which a body has to be there."""
LINGER_S: Final = 2.0
MOST_DROPPED: Final = 32 << 20
_SMALL: Final = 64 * 1024
"""A body that nobody asked for is no reason to close the connection, up to so many bytes."""
_GONE: Final[Message] = {"type": "http.disconnect"}


def has_body(scope: Scope) -> bool:
    """Whether a request says that it has a body."""
    return any(
        name == b"transfer-encoding" or (name == b"content-length" and value != b"0")
        for name, value in scope["headers"]
    )


class Intake:
    """One request's body on its way in, and its answer on its way out."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        lengths = [value for name, value in scope["headers"] if name == b"content-length"]
        self._is_small = bool(lengths) and lengths[0].isdigit() and int(lengths[0][:20]) <= _SMALL
        self._receive = receive
        self._send = send
        self._until = asyncio.get_running_loop().time() + BODY_S
        self._is_over = False
        self._was_asked_for = False
        self._closes = False

    async def receive(self) -> Message:
        """The next of it. What does not come in time does not come at all, as if the sender had gone."""
        if self._is_over:  # what is waited for now is the end of the connection
            return await self._receive()
        self._was_asked_for = True
        try:
            async with asyncio.timeout_at(self._until):
                return self._noted(await self._receive())
        except TimeoutError:
            return _GONE

    async def send(self, message: Message) -> None:
        """Pass the answer on. Where the request is not over by then, the connection ends with it."""
        if message["type"] == "http.response.start":
            self._closes = not self._is_over and (self._was_asked_for or not self._is_small)
            if self._closes:
                message["headers"] = [*message["headers"], (b"connection", b"close")]
        elif self._closes and not message.get("more_body", False):
            await self._send({**message, "more_body": True})
            await self._drop_the_rest()
            message = {"type": "http.response.body", "body": b"", "more_body": False}
        await self._send(message)

    async def _drop_the_rest(self) -> None:
        left = MOST_DROPPED
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not self._is_over and left > 0:
                    left -= len(self._noted(await self._receive()).get("body", b""))

    def _noted(self, message: Message) -> Message:
        self._is_over = message["type"] != "http.request" or not message.get("more_body", False)
        return message
