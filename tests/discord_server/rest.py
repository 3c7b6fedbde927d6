"""The REST routes a bot uses: itself, places and people, messages, commands.

Routes and their rules: developer documentation, "Resources" and "Application Commands".
"""

from collections.abc import Mapping

from aiohttp import web

from tests.discord_server.bodies import json_response, read_json, read_object
from tests.discord_server.drafts import read_draft
from tests.discord_server.errors import (
    INVALID_JSON,
    INVALID_RECIPIENT,
    MISSING_PERMISSIONS,
    NOT_YOUR_MESSAGE,
    UNKNOWN_APPLICATION,
    UNKNOWN_GUILD,
    UNKNOWN_MEMBER,
    UNKNOWN_USER,
    ApiError,
    FormErrors,
)
from tests.discord_server.guard import API
from tests.discord_server.messages import Page
from tests.discord_server.payloads import application_json, channel_json, guild_json, member_json, role_json, user_json
from tests.discord_server.permissions import Permission
from tests.discord_server.records import Channel, Guild
from tests.discord_server.state import SimulatedDiscord

CHANNEL = API + r"/channels/{channel_id:\d+}"
MESSAGE = CHANNEL + r"/messages/{message_id:\d+}"
GUILD = API + r"/guilds/{guild_id:\d+}"
APPLICATION = API + r"/applications/{application_id:\d+}"


class Rest:
    """Handlers that read a request, ask the state, and answer in Discord's JSON."""

    def __init__(self, discord: SimulatedDiscord) -> None:
        self._discord = discord
        self._world = discord.world

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.get(API + "/gateway", self.gateway),
            web.get(API + "/gateway/bot", self.gateway_bot),
            web.get(API + "/oauth2/applications/@me", self.application),
            web.get(API + "/applications/@me", self.application),
            web.get(API + "/users/@me", self.me),
            web.post(API + "/users/@me/channels", self.open_direct_messages),
            web.get(API + r"/users/{user_id:\d+}", self.user),
            web.get(GUILD, self.guild),
            web.get(GUILD + "/channels", self.guild_channels),
            web.get(GUILD + "/roles", self.guild_roles),
            web.get(GUILD + r"/members/{user_id:\d+}", self.member),
            web.get(CHANNEL, self.channel),
            web.get(CHANNEL + "/messages", self.history),
            web.post(CHANNEL + "/messages", self.create_message),
            web.get(MESSAGE, self.message),
            web.patch(MESSAGE, self.edit_message),
            web.delete(MESSAGE, self.delete_message),
            web.get(APPLICATION + "/commands", self.commands),
            web.put(APPLICATION + "/commands", self.overwrite_commands),
            web.get(APPLICATION + r"/guilds/{guild_id:\d+}/commands", self.commands),
            web.put(APPLICATION + r"/guilds/{guild_id:\d+}/commands", self.overwrite_commands),
        ]

    # ── the bot itself ───────────────────────────────────────────────────────────────────────────────────────

    async def gateway(self, request: web.Request) -> web.Response:
        """GET /gateway."""
        return json_response({"url": self._discord.gateway.url})

    async def gateway_bot(self, request: web.Request) -> web.Response:
        """GET /gateway/bot."""
        limit = {"total": 1000, "remaining": 1000, "reset_after": 14_400_000, "max_concurrency": 1}
        shards = self._discord.settings.shards
        return json_response({"url": self._discord.gateway.url, "shards": shards, "session_start_limit": limit})

    async def application(self, request: web.Request) -> web.Response:
        """GET /oauth2/applications/@me."""
        return json_response(application_json(self._world))

    async def me(self, request: web.Request) -> web.Response:
        """GET /users/@me: the bot, or the person whose token is shown."""
        person = self._discord.oauth.me(request)
        if person is not None:
            return json_response(person)
        return json_response(user_json(self._world.users[self._world.bot_id]) | {"verified": True, "mfa_enabled": True})

    # ── people and places ────────────────────────────────────────────────────────────────────────────────────

    async def user(self, request: web.Request) -> web.Response:
        """GET /users/{id}."""
        user = self._world.users.get(_id(request, "user_id"))
        if user is None:
            raise ApiError(UNKNOWN_USER)
        return json_response(user_json(user))

    async def open_direct_messages(self, request: web.Request) -> web.Response:
        """POST /users/@me/channels: the one channel with that user."""
        body, _ = await read_object(request)
        recipient = str(body.get("recipient_id", ""))
        user_id = int(recipient) if recipient.isdecimal() else 0
        if user_id not in self._world.users or user_id == self._world.bot_id:
            raise ApiError(INVALID_RECIPIENT)
        return json_response(channel_json(self._discord.direct_messages(user_id), self._world))

    async def guild(self, request: web.Request) -> web.Response:
        """GET /guilds/{id}."""
        return json_response(guild_json(self._guild(request)))

    async def guild_channels(self, request: web.Request) -> web.Response:
        """GET /guilds/{id}/channels: threads are not among them."""
        channels = self._world.channels_of(self._guild(request).id)
        return json_response([channel_json(place, self._world) for place in channels if not place.type.is_thread])

    async def guild_roles(self, request: web.Request) -> web.Response:
        """GET /guilds/{id}/roles."""
        return json_response([role_json(role) for role in self._guild(request).roles.values()])

    async def member(self, request: web.Request) -> web.Response:
        """GET /guilds/{id}/members/{id}."""
        member = self._guild(request).members.get(_id(request, "user_id"))
        if member is None:
            raise ApiError(UNKNOWN_MEMBER)
        return json_response(member_json(member, self._world.users[member.user_id]))

    async def channel(self, request: web.Request) -> web.Response:
        """GET /channels/{id}."""
        return json_response(channel_json(self._channel(request), self._world))

    # ── messages ─────────────────────────────────────────────────────────────────────────────────────────────

    async def create_message(self, request: web.Request) -> web.Response:
        """POST /channels/{id}/messages."""
        body, uploads = await read_object(request)
        return json_response(self._discord.post_as_bot(_id(request, "channel_id"), body, uploads))

    async def history(self, request: web.Request) -> web.Response:
        """GET /channels/{id}/messages: nothing at all without the right to read the history."""
        channel = self._channel(request)
        page = _page(request.query)
        if not self._discord.bot_rights(channel) & Permission.READ_MESSAGE_HISTORY:
            return json_response([])
        return json_response([message.payload for message in self._discord.messages.page(channel.id, page)])

    async def message(self, request: web.Request) -> web.Response:
        """GET /channels/{id}/messages/{id}."""
        channel = self._channel(request)
        if not self._discord.bot_rights(channel) & Permission.READ_MESSAGE_HISTORY:
            raise ApiError(MISSING_PERMISSIONS)
        return json_response(self._discord.messages.get(channel.id, _id(request, "message_id")).payload)

    async def edit_message(self, request: web.Request) -> web.Response:
        """PATCH /channels/{id}/messages/{id}: the bot's own only."""
        body, uploads = await read_object(request)
        message = self._discord.messages.get(self._channel(request).id, _id(request, "message_id"))
        if message.author_id != self._world.bot_id:
            raise ApiError(NOT_YOUR_MESSAGE)
        self._discord.posts.change(message, read_draft(body), uploads)
        return json_response(message.payload)

    async def delete_message(self, request: web.Request) -> web.Response:
        """DELETE /channels/{id}/messages/{id}: the bot's own, or anybody's with Manage Messages."""
        channel = self._channel(request)
        message = self._discord.messages.get(channel.id, _id(request, "message_id"))
        if message.author_id != self._world.bot_id and not (
            self._discord.bot_rights(channel) & Permission.MANAGE_MESSAGES
        ):
            raise ApiError(MISSING_PERMISSIONS)
        self._discord.posts.remove(message)
        return web.Response(status=204)

    # ── commands ─────────────────────────────────────────────────────────────────────────────────────────────

    async def commands(self, request: web.Request) -> web.Response:
        """GET /applications/{id}/commands, and the same below /guilds/{id}."""
        return json_response(self._discord.commands.listed(self._scope(request)))

    async def overwrite_commands(self, request: web.Request) -> web.Response:
        """PUT /applications/{id}/commands, and the same below /guilds/{id}: the whole list."""
        scope = self._scope(request)
        bodies = await read_json(request)
        if not isinstance(bodies, list):
            raise ApiError(INVALID_JSON)
        return json_response(self._discord.commands.overwrite(scope, bodies))

    def _scope(self, request: web.Request) -> int | None:
        if _id(request, "application_id") != self._world.application_id:
            raise ApiError(UNKNOWN_APPLICATION)
        return self._guild(request).id if "guild_id" in request.match_info else None

    def _guild(self, request: web.Request) -> Guild:
        guild = self._world.guilds.get(_id(request, "guild_id"))
        if guild is None or self._world.bot_id not in guild.members:
            raise ApiError(UNKNOWN_GUILD)
        return guild

    def _channel(self, request: web.Request) -> Channel:
        return self._discord.visible_channel(_id(request, "channel_id"))


def _id(request: web.Request, name: str) -> int:
    return int(request.match_info[name])


def _page(query: Mapping[str, str]) -> Page:
    """The page a query asks for; ApiError 50035 for a limit beyond 1–100 or an id that is none."""
    errors = FormErrors()
    given = {name: text for name, text in query.items() if name in Page._fields}
    for name, text in given.items():
        if not text.isdecimal():
            errors.add((name,), "NUMBER_TYPE_COERCE", f'Value "{text}" is not int.')
        elif name == "limit" and not 1 <= int(text) <= 100:
            errors.add((name,), "NUMBER_TYPE_MAX", "int value should be between 1 and 100.")
    errors.raise_any()
    return Page(**{name: int(text) for name, text in given.items()})
