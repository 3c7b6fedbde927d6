"""What every REST request passes: the log, faults before and after, the token, rate limits, Discord's error shape."""

import asyncio
import logging

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tests.discord_server.bodies import json_response
from tests.discord_server.errors import NO_SUCH_ROUTE, UNAUTHORIZED, ApiError
from tests.discord_server.faults import Fault
from tests.discord_server.limits import VIA, refusal
from tests.discord_server.records import RequestEntry
from tests.discord_server.state import SimulatedDiscord

API = "/api/v10"
GATEWAY = "/websocket"
WITHOUT_TOKEN = ("/interactions/", "/webhooks/", "/oauth2/token")
"""Below these the token of the interaction stands in the path, or a program shows who it is."""
OF_PEOPLE = ("/users/@me", "/users/@me/guilds")
"""What a person's token is good for; who answers there judges it."""

_log = logging.getLogger(__name__)


class Guard:
    """The middleware around REST and gateway; control and attachments pass untouched."""

    def __init__(self, discord: SimulatedDiscord) -> None:
        self._discord = discord

    def middleware(self) -> Middleware:
        """This guard as aiohttp wants it."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if request.path == GATEWAY:
                return await self._before(request, f"GET {GATEWAY}", None) or await handler(request)
            if not request.path.startswith(API + "/"):
                return await handler(request)
            return await self._logged(request, handler)

        return guard

    async def _logged(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        entry = await self._open_entry(request)
        try:
            response = await self._with_faults(request, handler, entry)
        except asyncio.CancelledError:  # the client went away, most often because it was killed
            entry.outcome = "gone"
            raise
        finally:
            self._discord.changes.notify()
        if entry.outcome == "open":
            entry.outcome, entry.status = "answered", response.status
        return response

    async def _open_entry(self, request: web.Request) -> RequestEntry:
        requests = self._discord.requests
        entry = RequestEntry(
            seq=requests[-1].seq + 1 if requests else 1,
            at=self._discord.clock.stamp(),
            route=f"{request.method} {request.path.removeprefix(API)}",
            query=request.query_string,
        )
        requests.append(entry)
        if request.content_type == "application/json":
            try:
                entry.body = msgspec.json.decode(await request.read())
            except (msgspec.DecodeError, web.HTTPRequestEntityTooLarge):
                entry.body = None  # the handler refuses it with the right code
        return entry

    async def _with_faults(self, request: web.Request, handler: Handler, entry: RequestEntry) -> web.StreamResponse:
        struck = await self._before(request, entry.route, entry)
        if struck is not None:
            return struck
        response = await self._serve(request, handler, entry.route)
        fault = self._discord.faults.take(entry.route, "after")
        if fault is None:
            return response
        return await self._strike(fault, request, entry) or response

    async def _before(self, request: web.Request, route: str, entry: RequestEntry | None) -> web.StreamResponse | None:
        fault = self._discord.faults.take(route, "before")
        return None if fault is None else await self._strike(fault, request, entry)

    async def _strike(self, fault: Fault, request: web.Request, entry: RequestEntry | None) -> web.Response | None:
        """Let a fault happen; None when the request goes on after it."""
        if entry is not None:
            entry.fault_id = fault.id
        if fault.action == "hang":
            await self._discord.faults.hang()
            return None
        if fault.action == "delay":
            await asyncio.sleep(fault.seconds)
            return None
        if fault.action == "drop":
            if request.transport is not None:
                request.transport.abort()
            if entry is not None:
                entry.outcome = "dropped"
            return web.Response(status=500)
        if fault.action == "rate_limit":
            body, headers = refusal(fault.retry_after, is_global=fault.is_global)
            return json_response(body, status=429, headers=headers)
        return json_response({"message": f"{fault.status}: simulated", "code": 0}, status=fault.status)

    async def _serve(self, request: web.Request, handler: Handler, route: str) -> web.StreamResponse:
        try:
            self._require_token(request)
            allowance = self._discord.limits.take(route)
            if allowance is not None and allowance.refused:
                body, headers = refusal(allowance.reset_after)
                return json_response(body, status=429, headers=headers | allowance.headers())
            response = await handler(request)
            if allowance is not None:
                response.headers.update(allowance.headers() | VIA)
            return response
        except ApiError as error:
            return json_response(error.body(), status=error.refusal.status)
        except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
            _log.warning("the simulated Discord has no route %s", route)
            return json_response(ApiError(NO_SUCH_ROUTE).body(), status=404)

    def _require_token(self, request: web.Request) -> None:
        path = request.path.removeprefix(API)
        of_a_person = request.headers.get("Authorization", "").startswith("Bearer ") and path in OF_PEOPLE
        if of_a_person or path.startswith(WITHOUT_TOKEN):
            return
        if request.headers.get("Authorization") != f"Bot {self._discord.settings.token}":
            raise ApiError(UNAUTHORIZED)
