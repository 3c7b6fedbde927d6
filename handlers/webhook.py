"""The webhook handler: calls an address that the operator allowed, with JSON, signed, and says what the answer means.

Options: ``docs/handlers/webhook.md``. What an address resolves to is looked at when it is connected to, not before, so
that a name which answers differently the second time gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import ipaddress
import os
import re
import socket
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Final

import aiohttp
import msgspec
from yarl import URL

from handlers.destinations import Pattern, is_public, literal, read_pattern, read_url
from schedule_zero import Context, Handler, method
from schedule_zero.errors import Invalid, Passing, Reject, RetryAfter
from schedule_zero.handler import plain

MOST_CONNECTIONS: Final = 100
KEPT_OPEN_S: Final = 30.0
LONGEST_RETRY_S: Final = 86_400.0
TOLD_OF_ERROR: Final = 200
PASSING: Final = frozenset({408, 425, 429})
MOVED: Final = frozenset({301, 302, 303, 307, 308})
OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "idempotency-key",
     "schedule-zero-attempt", "schedule-zero-run", "schedule-zero-signature", "transfer-encoding"}
)  # fmt: skip
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Allowed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One entry of the allow-list.

    Attributes:
        url: the pattern.
        headers: sent to these addresses only; the place for credentials.
        secret: signs what is sent there.
        private: whether these may be addresses of one's own network.
    """

    url: str
    headers: dict[str, str] = {}
    secret: str | None = None
    private: bool | None = None


class Options(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What the operator sets.

    Attributes:
        allow: patterns, or entries with headers and secrets of their own. The first that fits counts.
        private: whether addresses of one's own network may be called, where an entry does not say.
        redirects: how many are followed; each one's target has to be allowed, too.
        timeout: seconds for one call, with all its redirects.
        response_bytes: how much of an answer is read.
        result_chars: how much of it becomes the run's result.
    """

    allow: Annotated[list[str | Allowed], msgspec.Meta(min_length=1)]
    headers: dict[str, str] = {}
    secret: str | None = None
    private: bool = False
    redirects: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 20.0
    response_bytes: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 65_536
    result_chars: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 2000


class Rule(msgspec.Struct, frozen=True):
    """An entry of the allow-list, ready to use."""

    pattern: Pattern
    headers: dict[str, str]
    secret: bytes | None
    private: bool


Address = Annotated[str, msgspec.Meta(description="the address, one that the operator has allowed", max_length=2048)]


class Webhook(Handler):
    """``post`` sends JSON to an address, ``get`` calls one."""

    name = "webhook"
    OPTIONS: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, **options: Any) -> None:
        """Raises ValueError with what is wrong in the options."""
        self._options = msgspec.convert(options, Options)
        self._rules = [_rule(entry, self._options, f"allow[{at}]") for at, entry in enumerate(self._options.allow)]
        # By whether they may reach into one's own network: a connection made for one is never used for the other.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def start(self) -> None:
        self._sessions = {private: _session(private) for private in (False, True)}

    async def stop(self) -> None:
        for session in self._sessions.values():
            await session.close()

    def _admit(self, args: Mapping[str, Any]) -> None:
        try:
            self._rule(args["url"])
        except Reject as error:
            raise Invalid.at("args.url", error.reason) from None

    @method(check=_admit)
    async def post(self, ctx: Context, url: Address, body: Any = None) -> Any:
        """Send ``body`` as JSON. The result is the answer's status and the beginning of its text."""
        return await self._call(ctx, "POST", url, msgspec.json.encode(body))

    @method(check=_admit)
    async def get(self, ctx: Context, url: Address) -> Any:
        """Call an address. The result is the answer's status and the beginning of its text."""
        return await self._call(ctx, "GET", url, b"")

    def _rule(self, text: str) -> tuple[URL, Rule]:
        """The address and what is allowed there. Raises Reject: nothing is."""
        try:
            url = read_url(text)
        except ValueError as error:
            raise Reject(f"the address {error}") from None
        for rule in self._rules:
            if rule.pattern.fits(url):
                address = literal(url)
                if address is not None and not (rule.private or is_public(address)):
                    raise Reject(f"{address} is an address of a private network; the operator has not allowed those")
                return url, rule
        raise Reject(f"{url.scheme}://{url.host} with this path is not among the addresses the operator has allowed")

    async def _call(self, ctx: Context, verb: str, text: str, body: bytes) -> Any:
        try:
            async with asyncio.timeout(self._options.timeout):
                return await self._follow(ctx, verb, text, body)
        except TimeoutError:
            raise Passing(f"no answer within {self._options.timeout:g} s") from None

    async def _follow(self, ctx: Context, verb: str, text: str, body: bytes) -> Any:
        """Call, and call again where an answer says it is elsewhere."""
        for left in range(self._options.redirects, -1, -1):
            url, rule = self._rule(text)
            headers = rule.headers | _headers(ctx, rule.secret, body)
            with _judged(url):
                async with self._sessions[rule.private].request(
                    verb, url, data=body or None, headers=headers, allow_redirects=False
                ) as response:
                    if response.status not in MOVED:
                        return await self._result(response)
                    text = _target(response, verb, left)
        raise AssertionError("the last answer is a result or a refusal")

    async def _result(self, response: aiohttp.ClientResponse) -> Any:
        """What the answer means: the result, or an error with its cause."""
        content = await _read(response, self._options.response_bytes)
        text = plain(content.decode("utf-8", "replace"))
        status = response.status
        if 200 <= status < 300:
            return {"status": status, "body": text[: self._options.result_chars]}
        told = " ".join(text[:TOLD_OF_ERROR].split())
        said = f"{response.url.host} answered {status}" + (f": {told}" if told else "")
        if status >= 500 or status in PASSING:
            asked = _retry_after(response.headers.get("Retry-After"))
            raise Passing(said) if asked is None else RetryAfter(asked, said)
        raise Reject(said)


def _rule(entry: str | Allowed, options: Options, where: str) -> Rule:
    """An entry of the allow-list, which stands there in the options. Raises ValueError."""
    if isinstance(entry, str):
        entry = Allowed(url=entry)
    headers = options.headers | entry.headers
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in OURS or any(character in value for character in "\r\n\0"):
            place = f"{where}.headers" if name in entry.headers else "headers"
            raise ValueError(f"{place}: {name!r} cannot be set")
    secret = options.secret if entry.secret is None else entry.secret
    try:
        pattern = read_pattern(entry.url)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    private = options.private if entry.private is None else entry.private
    return Rule(pattern, headers, secret.encode() if secret else None, private)


def _session(private: bool) -> aiohttp.ClientSession:
    outward = None if private else _outward_socket
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS, keepalive_timeout=KEPT_OPEN_S, socket_factory=outward),
        timeout=aiohttp.ClientTimeout(total=None),  # of the whole call, with all its redirects: ``_call``
        auto_decompress=False,  # a bound on what is read is one on what it becomes
        cookie_jar=aiohttp.DummyCookieJar(),
        headers={"User-Agent": "ScheduleZero-webhook", "Accept-Encoding": "identity"},
    )


def _headers(ctx: Context, secret: bytes | None, body: bytes) -> dict[str, str]:
    """What the other side needs to know it was us, and that it has seen this already."""
    headers = {
        "Idempotency-Key": ctx.run_id, "Schedule-Zero-Run": ctx.run_id, "Schedule-Zero-Attempt": str(ctx.attempt)
    }  # fmt: skip
    if body:
        headers["Content-Type"] = "application/json"
    if secret is not None:
        headers["Schedule-Zero-Signature"] = sign(secret, int(time.time()), body)
    return headers


def sign(secret: bytes, at: int, body: bytes) -> str:
    """The signature header: HMAC-SHA256 of the time in seconds, a dot and the body."""
    return f"t={at},v1={hmac.new(secret, f'{at}.'.encode() + body, hashlib.sha256).hexdigest()}"


class _Inward(OSError):
    """The name leads into one's own network. One text for all, so that several of them are raised as one."""

    def __init__(self) -> None:
        super().__init__("an address of a private network")


def _outward_socket(found: tuple[Any, ...]) -> socket.socket:
    """A socket for a connection that is about to be made: here it is certain which address it will be."""
    family, kind, protocol, _, address = found
    if not is_public(ipaddress.ip_address(str(address[0]).partition("%")[0])):
        raise _Inward
    return socket.socket(family, kind, protocol)


@contextlib.contextmanager
def _judged(url: URL) -> Iterator[None]:
    """What goes wrong on the way there, by its cause."""
    try:
        yield
    except (aiohttp.InvalidURL, UnicodeError):  # a part of the name that is empty, or longer than 63 characters
        raise Reject(f"{url.host} is no address") from None
    except aiohttp.ClientConnectorError as error:
        if isinstance(error.os_error, _Inward):
            raise Reject(
                f"{url.host} leads to an address of a private network; the operator has not allowed those"
            ) from None
        raise Passing(f"{url.host} cannot be reached: {_plainly(error.os_error)}") from None
    except aiohttp.ClientError as error:
        raise Passing(f"{url.host} broke off ({type(error).__name__})") from None


def _plainly(error: OSError) -> str:
    """Without the addresses that asyncio puts into it."""
    known = error.errno is not None and error.errno > 0
    return (os.strerror(error.errno or 0) if known else error.strerror or str(error)).lower()


def _target(response: aiohttp.ClientResponse, verb: str, left: int) -> str:
    """Where an answer sends us. Raises Reject: we do not go there."""
    host, status = response.url.host, response.status
    if not left:
        raise Reject(f"{host} answered {status}, a redirect, and no more of them are followed")
    if verb == "POST" and status not in (307, 308):
        raise Reject(f"{host} answered {status}, a redirect that would drop what was sent")
    try:
        return str(response.url.join(URL(response.headers["Location"])))
    except (KeyError, ValueError):
        raise Reject(f"{host} answered {status}, a redirect to nowhere") from None


async def _read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The first bytes of an answer. What follows them is not waited for."""
    content = bytearray()
    while len(content) < most and (part := await response.content.read(most - len(content))):
        content += part
    if not response.content.at_eof():
        response.close()
    return bytes(content)


def _retry_after(header: str | None) -> float | None:
    """Seconds from now that an answer asks to wait; None where it does not say so in a way that can be read."""
    if header is None:
        return None
    try:
        seconds = float(header) if header.strip().isdigit() else _until(parsedate_to_datetime(header))
    except (ValueError, TypeError, OverflowError):
        return None
    return min(LONGEST_RETRY_S, max(0.0, seconds))


def _until(moment: datetime) -> float:
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
