"""The playground's pages as an ASGI application.

Whoever may use them could post as anybody there, so a browser has to be on this machine and know the token. The token
stands behind the ``#`` of the address, where it is sent to no server and written to no log; the pages send it in a
header of their own, which pages of other sites cannot. The name in ``Host`` must be the machine's own: otherwise a
stranger's page could call this server its own by giving its name our address (DNS rebinding).
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl, unquote

import msgspec

from bot.playground import page
from bot.playground.exchange import Answer, Asked, Directory, PageFiles, Stage
from bot.playground.programs import AUTHORIZE, Programs

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

FILES: Final = "_files"
TOKEN_HEADER: Final = "x-simcord-capability"  # noqa: S105  # a header's name
LARGEST_BODY: Final = 26 * 2**20
"""Bytes of the largest request: SimCord takes 25 MiB of uploads and the words around them."""
_CHUNK: Final = 256 * 1024
_FORWARDED: Final = frozenset({"forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"})
_SAFE: Final = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_PAGE: Final = {
    **_SAFE,
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": (
        "default-src 'self'; connect-src 'self' blob:; img-src 'self' blob: data:; media-src 'self' blob:; "
        "object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
}
_TEXT: Final = {**_SAFE, "content-type": "text/plain; charset=utf-8"}


class _Open(msgspec.Struct, frozen=True):
    """What there is to show."""

    stage: Stage
    directory: Directory
    token: str
    files: PageFiles
    edition: str


class Site:
    """Lobby, one page per channel, and what the pages ask for. Shows nothing before ``open`` and after ``close``.

    Attributes:
        programs: what programs find here.
    """

    def __init__(self, prefix: str) -> None:
        self.programs = Programs()
        self._prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self._open: _Open | None = None

    def open(self, stage: Stage, directory: Directory, token: str, files: PageFiles) -> None:
        """Show a stage from now on."""
        self._open = _Open(stage, directory, token, files, page.edition(files.version))

    def close(self) -> None:
        """Show it no longer."""
        self._open = None

    def address(self, base_url: str) -> str:
        """The address of the first channel's page, with the token once there is one."""
        shown = self._open
        base = base_url.rstrip("/") + self._prefix
        return f"{base}/" if shown is None else f"{base}/{next(iter(shown.stage.places))}/#{shown.token}"

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        answer = await self._answer(scope, headers, receive)
        await _send(send, answer, head_only=scope["method"] == "HEAD")

    async def _answer(self, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive) -> Answer:
        if not is_loopback(headers.get("host", "")):
            return _refusal(403, "The playground opens only under this machine's own name: use localhost or 127.0.0.1.")
        shown = self._open
        if shown is None:
            return Answer(
                503,
                {**_PAGE, "refresh": "1"},
                b"<!doctype html><title>Playground</title>The playground is not open yet.",
            )
        # A mount may hand the path over with its prefix or without, and with a slash at the end that nobody sent.
        path = scope["path"].removeprefix(self._prefix).strip("/")
        name, _, rest = path.partition("/")
        if name == FILES:
            return await self._file(shown, rest)
        if name in shown.stage.places:
            if not rest:
                return await self._page(shown, name)
            return await self._asked(shown, name, rest, scope, headers, receive)
        if path == AUTHORIZE:
            return self._authorize(shown, scope, headers)
        answer = await self._told(shown, path, scope, headers, receive) if path.startswith("api/") else None
        if answer is not None:
            return answer
        if path:
            return _refusal(404, f"There is no {path[:100]!r} in the playground.")
        return self._lobby(shown, scope, headers)

    def _lobby(self, shown: _Open, scope: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """The way in without a token, for whoever sits at this machine."""
        if not _is_here(scope, headers):
            return _refusal(403, "From another machine, open the address that was printed at the start.")
        return Answer(302, {**_SAFE, "location": self.address("")}, b"")

    def _authorize(self, shown: _Open, scope: Mapping[str, Any], headers: Mapping[str, str]) -> Answer:
        """Where the people here sign in elsewhere. Whoever sits at this machine may be any of them, as everywhere here."""
        if not _is_here(scope, headers):
            return _refusal(403, "Only whoever sits at this machine can sign in as somebody of the playground.")
        answer = self.programs.authorize(shown.directory, _query(scope))
        return Answer(answer.status, {**_SAFE, **answer.headers}, answer.body)

    async def _told(
        self, shown: _Open, path: str, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive
    ) -> Answer | None:
        body = await _body(receive)
        asked = Asked(method=scope["method"], path=path, query=_query(scope), headers=headers, body=body or b"")
        answer = self.programs.answer(shown.directory, asked)
        return None if answer is None else Answer(answer.status, {**_SAFE, **answer.headers}, answer.body)

    async def _page(self, shown: _Open, name: str) -> Answer:
        places = shown.stage.places
        files = f"{self._prefix}/{FILES}/{shown.edition}"
        content = await asyncio.to_thread(
            page.index, shown.files.folder, self._prefix, files, places[name], places.values()
        )
        return Answer(200, _PAGE, content)

    async def _file(self, shown: _Open, rest: str) -> Answer:
        edition, _, name = rest.partition("/")
        if edition != shown.edition or name not in shown.files.names | page.OUR_FILES:
            return _refusal(404, "There is no such file; load the page again.")
        kind, content = await asyncio.to_thread(page.load, name, shown.files.folder)
        # The address names the edition, so what it leads to never changes; the fonts alone are 30 MB.
        headers = {**_SAFE, "content-type": kind, "cache-control": "private, max-age=31536000, immutable"}
        return Answer(200, headers, content)

    async def _asked(
        self, shown: _Open, name: str, rest: str, scope: Mapping[str, Any], headers: Mapping[str, str], receive: Receive
    ) -> Answer:
        if not hmac.compare_digest(headers.get(TOKEN_HEADER, "").encode(), shown.token.encode()):
            return _refusal(401, "This is not the token of the playground; open it anew from its start.")
        body = await _body(receive)
        if body is None:
            return _refusal(413, f"A request may have {LARGEST_BODY} bytes at most.")
        asked = Asked(method=scope["method"], path=f"/{unquote(rest)}", query=_query(scope), headers=headers, body=body)
        answer = await shown.stage.answer(name, asked)
        return Answer(answer.status, {**_SAFE, **answer.headers}, answer.body)


def is_loopback(host: str) -> bool:
    """Whether a Host header, or a client's address, names this machine by one of its loopback names."""
    name = host.strip().lower()
    if name.startswith("["):
        name = name[1:].partition("]")[0]
    elif name.count(":") == 1:
        name = name.partition(":")[0]
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def _is_here(scope: Mapping[str, Any], headers: Mapping[str, str]) -> bool:
    """Whether somebody sits at this machine who asks."""
    client = scope.get("client")
    return client is not None and is_loopback(client[0]) and not _FORWARDED & headers.keys()


def _query(scope: Mapping[str, Any]) -> dict[str, str]:
    return dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))


def _refusal(status: int, sentence: str) -> Answer:
    return Answer(status, _TEXT, sentence.encode())


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None when it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > LARGEST_BODY:
            return None
        parts.append(part)
        if message["type"] != "http.request" or not message.get("more_body", False):
            return b"".join(parts)


async def _send(send: Send, answer: Answer, *, head_only: bool) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers.items()]
    headers = [pair for pair in headers if pair[0] != b"content-length"]
    headers.append((b"content-length", str(len(answer.body)).encode()))
    await send({"type": "http.response.start", "status": HTTPStatus(answer.status).value, "headers": headers})
    if head_only:
        await send({"type": "http.response.body", "body": b""})
        return
    for at in range(0, max(1, len(answer.body)), _CHUNK):
        more = at + _CHUNK < len(answer.body)
        await send({"type": "http.response.body", "body": answer.body[at : at + _CHUNK], "more_body": more})
