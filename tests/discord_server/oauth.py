"""Signing in elsewhere with this Discord: developer documentation, "OAuth2" and "User"."""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.playground.authorizing import AS, Answered, Authority, page
from tests.discord_server.bodies import json_response
from tests.discord_server.errors import UNAUTHORIZED, ApiError
from tests.discord_server.payloads import user_json
from tests.discord_server.permissions import guild_permissions
from tests.discord_server.records import Guild, JsonObject, World

BEARER = "Bearer "
REMEMBERED = "simulated_person"
"""The cookie by which this Discord knows a browser again, and asks nothing where nothing is to be asked."""


class OAuth:
    """The page where people agree, and what a program learns by it."""

    def __init__(self, world: World, authority: Authority) -> None:
        self._world = world
        self.authority = authority

    def routes(self, api: str) -> list[web.RouteDef]:
        """Every route with its handler."""
        ways = [web.get("/oauth2/authorize", self.authorize), web.get("/favicon.ico", self.nothing)]
        for base in (api, "/api"):
            ways += [web.post(f"{base}/oauth2/token", self.token), web.post(f"{base}/oauth2/token/revoke", self.revoke)]
        return [*ways, web.get(api + "/users/@me/guilds", self.guilds)]

    async def authorize(self, request: web.Request) -> web.Response:
        """GET /oauth2/authorize: who agrees is led back with a code. `as` names them where there is no browser."""
        asked = dict(request.query)
        objection = self.authority.objection(asked)
        if objection is not None:
            return web.Response(status=400, text=objection)
        person = asked.pop(AS, None)
        if person is None and asked.get("prompt") == "none":
            person = request.cookies.get(REMEMBERED)
        if person is None:
            people = [(str(user.id), user.name) for user in self._world.users.values() if not user.bot]
            return web.Response(text=page(people, asked), content_type="text/html")
        if not person:
            return web.Response(status=302, headers={"location": self.authority.refused(asked)})
        led = web.Response(status=302, headers={"location": self.authority.agreed(person, asked)})
        led.set_cookie(REMEMBERED, person, httponly=True, samesite="Lax")
        return led

    async def nothing(self, _request: web.Request) -> web.Response:
        """What browsers ask for beside every page."""
        return web.Response(status=204)

    async def token(self, request: web.Request) -> web.Response:
        """POST /oauth2/token."""
        return _said(self.authority.token(await _form(request), request.headers.get("Authorization", "")))

    async def revoke(self, request: web.Request) -> web.Response:
        """POST /oauth2/token/revoke."""
        return _said(self.authority.give_back(await _form(request), request.headers.get("Authorization", "")))

    async def guilds(self, request: web.Request) -> web.Response:
        """GET /users/@me/guilds of a person."""
        person = self.person(request)
        mine = [guild for guild in self._world.guilds.values() if person in guild.members]
        return json_response([_partial_guild(guild, person) for guild in mine])

    def me(self, request: web.Request) -> JsonObject | None:
        """GET /users/@me, where a person's token is shown."""
        if not request.headers.get("Authorization", "").startswith(BEARER):
            return None
        return user_json(self._world.users[self.person(request)])

    def person(self, request: web.Request) -> int:
        """Whose token is shown. Raises ApiError."""
        holder = self.authority.holder(request.headers.get("Authorization", ""))
        if holder is None:
            raise ApiError(UNAUTHORIZED)
        return int(holder)


def _partial_guild(guild: Guild, person: int) -> JsonObject:
    return {
        "id": str(guild.id),
        "name": guild.name,
        "icon": None,
        "banner": None,
        "owner": guild.owner_id == person,
        "permissions": str(guild_permissions(guild, guild.members[person])),
        "features": [],
    }


async def _form(request: web.Request) -> Mapping[str, str]:
    return {name: value for name, value in (await request.post()).items() if isinstance(value, str)}


def _said(answered: Answered) -> web.Response:
    body: dict[str, Any] = answered.body
    return json_response(body, status=answered.status)
