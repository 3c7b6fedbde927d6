"""What the bot sends to the simulated Discord: REST calls and answers to interactions, without sockets."""

from __future__ import annotations

import asyncio
import copy
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import discord
from simcord.backend import Backend
from simcord.http import FakeHTTPClient, FakeWebhookAdapter, RouteNotImplemented, UnsupportedField
from simcord.http.router import parse_form

from bot.playground.nonces import Nonces

_CREATE_MESSAGE: Final = ("POST", "/channels/{channel_id}/messages")

logger = logging.getLogger(__name__)


class _Head(NamedTuple):
    """What discord.py's exceptions read of a response."""

    status: int
    reason: str


@contextmanager
def as_discord_says_it() -> Iterator[None]:
    """Every refusal of the simulation becomes one of Discord's, so that the bot meets only errors it can meet there."""
    try:
        yield
    except discord.HTTPException:
        raise
    except RouteNotImplemented as error:
        data = {"code": 0, "message": f"404: Not Found (the playground has no {error.method} {error.path})"}
        raise discord.NotFound(_Head(404, "Not Found"), data) from error  # type: ignore[arg-type]  # reads no more of it
    except UnsupportedField as error:
        data = {"code": 50035, "message": f"Invalid Form Body (the playground does not know {', '.join(error.fields)})"}
        raise discord.HTTPException(_Head(400, "Bad Request"), data) from error  # type: ignore[arg-type]
    except Exception as error:  # a defect of the simulation, logged whole; Discord would answer 500 to its own
        logger.exception("the playground's Discord failed")
        data = {"code": 0, "message": f"the playground's Discord failed ({type(error).__name__}: {error})"}
        raise discord.DiscordServerError(_Head(500, "Internal Server Error"), data) from error  # type: ignore[arg-type]


class LiveHttp(FakeHTTPClient):
    """The bot's REST client.

    Args:
        nonces: as Discord keeps them, which SimCord does not.
        changed: called after every call that may have changed the world.
        kept: returns when what was said by now outlives the process. A post that is to come once is answered after
            that, as Discord's are: who has the answer never posts it again.
    """

    def __init__(
        self, backend: Backend, loop: asyncio.AbstractEventLoop, nonces: Nonces, changed: Callable[[], None],
        kept: Callable[[], Awaitable[None]],
    ) -> None:  # fmt: skip
        super().__init__(backend, loop)
        self._nonces = nonces
        self._changed = changed
        self._kept = kept

    async def request(self, route: Any, *, files: Any = None, form: Any = None, **kwargs: Any) -> Any:
        nonce = _nonce_of(route, form, kwargs)
        if nonce is None:
            return await self._passed_on(route, files=files, form=form, **kwargs)
        message = self._nonces.find(str(route.channel_id), nonce)
        if message is None:
            answer = await self._passed_on(route, files=files, form=form, **kwargs)
            message = {**answer, "nonce": nonce}
            self._nonces.note(str(route.channel_id), nonce, message)
        await self._kept()
        return copy.deepcopy(message)

    async def _passed_on(self, route: Any, **kwargs: Any) -> Any:
        try:
            with as_discord_says_it():
                return await super().request(route, **kwargs)
        finally:
            if route.method != "GET":
                self._changed()


class LiveWebhooks(FakeWebhookAdapter):
    """Answers to interactions, and webhooks. An ephemeral answer causes no gateway event, so ``changed`` tells of it."""

    def __init__(self, backend: Backend, changed: Callable[[], None]) -> None:
        super().__init__(backend)
        self._changed = changed

    async def request(self, route: Any, session: Any = None, **kwargs: Any) -> Any:
        try:
            with as_discord_says_it():
                return await super().request(route, session, **kwargs)
        finally:
            self._changed()


def _nonce_of(route: Any, form: Any, kwargs: dict[str, Any]) -> str | None:
    """The nonce of a message that must not come twice; None for every other call."""
    if (route.method, route.path) != _CREATE_MESSAGE:
        return None
    body = kwargs.get("json") if form is None else parse_form(list(form), [])[0]
    if not body or not body.get("enforce_nonce") or body.get("nonce") is None:
        return None
    return str(body["nonce"])
