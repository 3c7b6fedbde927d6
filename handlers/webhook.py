"""The webhook handler: calls an address that the operator allowed, with JSON, signed, and says what the answer means.

Options: ``docs/handlers/webhook.md``.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Final

import aiohttp
import msgspec
from yarl import URL

from handlers import calling
from handlers.calling import Address, Caller, Everywhere
from schedule_zero import Context, Handler, method
from schedule_zero.errors import Passing, Reject, RetryAfter
from schedule_zero.handler import plain

MOST_CONNECTIONS: Final = 100
LONGEST_RETRY_S: Final = 86_400.0
TOLD_OF_ERROR: Final = 200
PASSING: Final = frozenset({408, 425, 429})
MOVED: Final = frozenset({301, 302, 303, 307, 308})


class Allowed(calling.Allowed, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One entry of the allow-list. ``secret``: signs what is sent there."""

    secret: str | None = None


class Options(Everywhere, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What the operator sets.

    Attributes:
        allow: patterns, or entries with headers and secrets of their own. The first that fits counts.
        secret: signs every call, where an entry has none of its own.
        redirects: how many are followed; each one's target has to be allowed, too.
        timeout: seconds for one call, with all its redirects.
        response_bytes: how much of an answer is read.
        result_chars: how much of it becomes the run's result.
    """

    allow: Annotated[list[str | Allowed], msgspec.Meta(min_length=1)]
    secret: str | None = None
    redirects: Annotated[int, msgspec.Meta(ge=0, le=10)] = 0
    timeout: Annotated[float, msgspec.Meta(gt=0, le=3600)] = 20.0
    response_bytes: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 65_536
    result_chars: Annotated[int, msgspec.Meta(ge=0, le=20_000)] = 2000


class Webhook(Handler):
    """``post`` sends JSON to an address, ``get`` calls one."""

    name = "webhook"
    OPTIONS: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, **options: Any) -> None:
        """Raises ValueError with what is wrong in the options."""
        self._options = msgspec.convert(options, Options)
        allow = self._options.allow
        self._caller = Caller(
            allow, self._options, agent="ScheduleZero-webhook", connections=MOST_CONNECTIONS, keep_open=True
        )
        self._secrets = [_secret(entry, self._options) for entry in allow]

    async def start(self) -> None:
        await self._caller.start()

    async def stop(self) -> None:
        await self._caller.stop()

    def _admit(self, args: Mapping[str, Any]) -> None:
        self._caller.admit(args["url"])

    @method(check=_admit)
    async def post(self, ctx: Context, url: Address, body: Any = None) -> Any:
        """Send ``body`` as JSON. The result is the answer's status and the beginning of its text."""
        return await self._call(ctx, "POST", url, msgspec.json.encode(body))

    @method(check=_admit)
    async def get(self, ctx: Context, url: Address) -> Any:
        """Call an address. The result is the answer's status and the beginning of its text."""
        return await self._call(ctx, "GET", url, b"")

    async def _call(self, ctx: Context, verb: str, text: str, body: bytes) -> Any:
        try:
            async with asyncio.timeout(self._options.timeout):
                return await self._follow(ctx, verb, text, body)
        except TimeoutError:
            raise Passing(f"no answer within {self._options.timeout:g} s") from None

    async def _follow(self, ctx: Context, verb: str, text: str, body: bytes) -> Any:
        """Call, and call again where an answer says it is elsewhere."""
        for left in range(self._options.redirects, -1, -1):
            url, rule = self._caller.rule(text)
            headers = _headers(ctx, self._secrets[rule.place], body)
            async with self._caller.answer(verb, url, rule, body=body, headers=headers) as response:
                if response.status not in MOVED:
                    return await self._result(response)
                text = _target(response, verb, left)
        raise AssertionError("the last answer is a result or a refusal")

    async def _result(self, response: aiohttp.ClientResponse) -> Any:
        """What the answer means: the result, or an error with its cause."""
        content = await calling.read(response, self._options.response_bytes)
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


def _secret(entry: str | Allowed, options: Options) -> bytes | None:
    """What signs the calls of an entry; an empty one of its own signs nothing."""
    own = None if isinstance(entry, str) else entry.secret
    secret = options.secret if own is None else own
    return secret.encode() if secret else None


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
