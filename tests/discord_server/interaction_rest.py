"""The REST routes that answer interactions: the callback and the webhook behind an interaction's token."""

from aiohttp import web

from tests.discord_server.bodies import json_response, read_object
from tests.discord_server.guard import API
from tests.discord_server.interactions import InteractionDesk

CALLBACK = API + r"/interactions/{interaction_id:\d+}/{token}/callback"
WEBHOOK = API + r"/webhooks/{application_id:\d+}/{token}"
MESSAGE = WEBHOOK + "/messages/{which}"


class InteractionRest:
    """Handlers for the callback, followups, and edits of answers."""

    def __init__(self, desk: InteractionDesk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """Every route with its handler."""
        return [
            web.post(CALLBACK, self.callback),
            web.post(WEBHOOK, self.followup),
            web.get(MESSAGE, self.message),
            web.patch(MESSAGE, self.edit),
            web.delete(MESSAGE, self.delete),
        ]

    async def callback(self, request: web.Request) -> web.Response:
        """POST /interactions/{id}/{token}/callback."""
        body, uploads = await read_object(request)
        interaction_id, token = int(request.match_info["interaction_id"]), request.match_info["token"]
        response = self._desk.acknowledge(interaction_id, token, body, uploads)
        if request.query.get("with_response") in ("1", "true"):
            return json_response(response)
        return web.Response(status=204)

    async def followup(self, request: web.Request) -> web.Response:
        """POST /webhooks/{application}/{token}."""
        body, uploads = await read_object(request)
        return json_response(self._desk.followup(*_webhook(request), body, uploads))

    async def message(self, request: web.Request) -> web.Response:
        """GET /webhooks/{application}/{token}/messages/{@original or id}."""
        return json_response(self._desk.message(*_webhook(request), request.match_info["which"]))

    async def edit(self, request: web.Request) -> web.Response:
        """PATCH /webhooks/{application}/{token}/messages/{@original or id}."""
        body, uploads = await read_object(request)
        return json_response(self._desk.edit(*_webhook(request), request.match_info["which"], body, uploads))

    async def delete(self, request: web.Request) -> web.Response:
        """DELETE /webhooks/{application}/{token}/messages/{@original or id}."""
        self._desk.delete(*_webhook(request), request.match_info["which"])
        return web.Response(status=204)


def _webhook(request: web.Request) -> tuple[int, str]:
    return int(request.match_info["application_id"]), request.match_info["token"]
