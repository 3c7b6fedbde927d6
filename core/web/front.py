"""What every request passes first: the mounted applications, the check of its origin, the headers of its answer."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from time import perf_counter
from typing import Final
from urllib.parse import urlsplit

import msgspec

from core.web.answering import PROBLEM_JSON
from core.web.door import AsgiApp, Message, Receive, Scope, Send
from core.web.intake import Intake, has_body
from core.web.metrics import RequestMetrics
from core.web.settings import HttpSettings
from schedule_zero.errors import Forbidden
from schedule_zero.routes import HEALTH_PATHS, READY_PATHS
from schedule_zero.views import problem_details

_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_PROBES: Final = frozenset({*HEALTH_PATHS, *READY_PATHS})
_HARMLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})

_EVERYWHERE: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-frame-options", b"DENY"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
_FOR_DATA: Final = (
    *_EVERYWHERE,
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)


class Front:
    """The outermost ASGI application.

    A loopback bind has no other guard against web pages than this: a page of a stranger can make a browser on this
    machine send requests here, under a name of its own (DNS rebinding) or from its own origin. So the Host has to be
    ours, and a request that changes something must not come from a page elsewhere.
    """

    def __init__(self, api: AsgiApp, settings: HttpSettings, metrics: RequestMetrics) -> None:
        self._api = api
        self._mounts: dict[str, AsgiApp] = {}
        self._metrics = metrics
        self._public = settings.public_host
        named = {settings.host, *([self._public] if self._public else [])}
        self._hosts = _LOOPBACK | named if settings.is_loopback else None

    def mount(self, prefix: str, app: AsgiApp) -> None:
        """Give everything under a prefix to another application."""
        self._mounts[prefix.rstrip("/")] = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # uvicorn runs us without lifespan and without WebSockets
        if has_body(scope):
            intake = Intake(scope, receive, send)
            receive, send = intake.receive, intake.send
        refusal = self._refusal(scope)
        if refusal is not None:
            await _refuse(send, refusal)
            return
        app, headers = self._route(scope)
        begun = perf_counter()

        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_missing(message["headers"], headers)]
                template = scope.get("path_template") or scope.get("root_path") or "unknown"
                self._metrics.note(scope["method"], template, message["status"], perf_counter() - begun)
            await send(message)

        await app(scope, receive, dressed)

    def _route(self, scope: Scope) -> tuple[AsgiApp, tuple[tuple[bytes, bytes], ...]]:
        path: str = scope["path"]
        for prefix, app in self._mounts.items():
            if path == prefix or path.startswith(prefix + "/"):
                scope["root_path"] = scope.get("root_path", "") + prefix
                return app, _EVERYWHERE
        return self._api, _FOR_DATA

    def _refusal(self, scope: Scope) -> Forbidden | None:
        """Why a request is not let in, if it is not."""
        if scope["path"] in _PROBES:
            return None
        headers = dict(scope["headers"])
        if sum(name == b"host" for name, _ in scope["headers"]) > 1:  # RFC 9112, 3.2: nobody can tell which is meant
            return Forbidden("A request has one Host header; this one has several.")
        host = headers.get(b"host", b"").decode("latin-1")
        if self._hosts is not None and _name_of(host) not in self._hosts:
            return Forbidden(
                f"{host[:100]!r} is not a name of this server; open it by 127.0.0.1, or set http.public_url."
            )
        if scope["method"] not in _HARMLESS and not self._is_own_page(host, headers):
            return Forbidden("A page of another site may not change anything here.")
        return None

    def _is_own_page(self, host: str, headers: Mapping[bytes, bytes]) -> bool:
        origin = headers.get(b"origin")
        if origin is None:
            return headers.get(b"sec-fetch-site", b"none") in (b"none", b"same-origin")
        page = urlsplit(origin.decode("latin-1"))
        return page.netloc.lower() == host.lower() or (self._public is not None and page.hostname == self._public)


def _name_of(host: str) -> str:
    """The host name of a Host header, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


def _missing(present: list[tuple[bytes, bytes]], wanted: tuple[tuple[bytes, bytes], ...]) -> list[tuple[bytes, bytes]]:
    """The headers a response does not set itself; a mounted page has a policy of its own."""
    names = {name for name, _ in present}
    return [pair for pair in wanted if pair[0] not in names]


async def _refuse(send: Send, error: Forbidden) -> None:
    body = msgspec.json.encode(problem_details(error))
    headers = [
        (b"content-type", PROBLEM_JSON.encode()),
        (b"content-length", str(len(body)).encode()),
        *_FOR_DATA,
    ]
    await send({"type": "http.response.start", "status": HTTPStatus.FORBIDDEN.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
