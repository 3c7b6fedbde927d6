"""The control endpoints: every method of the Director as `/_control/<name>`, for tests in another process.

POST with a JSON object of the method's arguments; methods that only read or wait answer GET with a query, too
(`GET /_control/wait_messages?count=2&channel_id=…&timeout=30` is a long poll). Errors are `{"error": sentence}`:
400 unreadable, 404 no such thing, 409 not possible for a user, 504 waited in vain.
"""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import msgspec
from aiohttp import web

from tests.discord_server.bodies import json_response
from tests.discord_server.director import Director
from tests.discord_server.invocation import NotPossible

PREFIX = "/_control"
READING = (
    "messages",
    "history",
    "requests",
    "interactions",
    "gateway_log",
    "commands",
    "wait_messages",
    "wait_requests",
    "wait_fault",
    "wait_gateway",
)
ACTING = (
    "invoke",
    "autocomplete",
    "press",
    "submit_modal",
    "say",
    "direct_messages",
    "fault",
    "clear_faults",
    "advance_clock",
    "set_nonce_seconds",
    "forget_nonces",
    "set_interaction_seconds",
    "set_rate_limits",
    "disconnect",
    "set_overwrite",
    "set_role_permissions",
    "delete_channel",
    "accept_dms",
    "withdraw",
)


def control_routes(director: Director) -> list[web.RouteDef]:
    """A route per method."""
    routes: list[web.RouteDef] = []
    for name in READING + ACTING:
        handler = _handler(getattr(director, name))
        routes.append(web.post(f"{PREFIX}/{name}", handler))
        if name in READING:
            routes.append(web.get(f"{PREFIX}/{name}", handler))
    return routes


def _handler(act: Callable[..., Any]) -> Callable[[web.Request], Any]:
    arguments = _arguments_of(act)

    async def handle(request: web.Request) -> web.Response:
        try:
            given = await _given(request, arguments)
            result = act(**given)
            return json_response(await result if inspect.isawaitable(result) else result)
        except msgspec.MsgspecError as error:
            return _failed(400, f"{request.path}: {error}")
        except (KeyError, IndexError) as error:
            return _failed(404, f"{request.path}: there is no {error}")
        except TimeoutError as error:
            return _failed(504, str(error))
        except NotPossible as error:
            return _failed(409, str(error))
        except ValueError as error:
            return _failed(400, str(error))

    return handle


def _arguments_of(act: Callable[..., Any]) -> type[msgspec.Struct]:
    """The arguments of a method as a record, so that both doors read them alike."""
    hints = get_type_hints(act)
    fields: list[Any] = [
        (name, hints[name]) if parameter.default is parameter.empty else (name, hints[name], parameter.default)
        for name, parameter in inspect.signature(act).parameters.items()
    ]
    return msgspec.defstruct(act.__name__, fields, kw_only=True, forbid_unknown_fields=True)


async def _given(request: web.Request, arguments: type[msgspec.Struct]) -> dict[str, Any]:
    raw: Any = dict(request.query) if request.method == "GET" else msgspec.json.decode(await request.read() or b"{}")
    return msgspec.structs.asdict(msgspec.convert(raw, arguments, strict=request.method != "GET"))


def _failed(status: int, sentence: str) -> web.Response:
    return json_response({"error": sentence}, status=status)
