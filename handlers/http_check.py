"""The handler ``http_check``: asks an address, and says whether the answer is as it should be.

Options: ``docs/handlers/http_check.md``. That a site is down is what a check is there to find, and no illness of this
handler, nor a mistake of the schedule. So it has no passing cause, for then the breaker would hold back the checks of other
sites, and no lasting one, for that would block the schedule. It is an exception of its own: another try by the schedule's
retry rules, then the run has failed, and whoever wants to hear of it does.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar, Final

import aiohttp
import msgspec

from handlers import calling
from handlers.calling import Address, Allowed, Caller, Everywhere
from schedule_zero import Context, Handler, method
from schedule_zero.errors import Passing
from schedule_zero.handler import plain
from schedule_zero.instant import SECOND

LONGEST_S: Final = 60.0
# Before an attempt times out, which would count as this handler's failure; of short ones half of what is left.
SPARE_S: Final = 2.0
SHOWN: Final = 200


class Options(Everywhere, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """What the operator sets.

    Attributes:
        allow: patterns, or entries with headers of their own. The first that fits counts.
        timeout: the most seconds one call may take.
        response_bytes: how much of an answer is read.
    """

    allow: Annotated[list[str | Allowed], msgspec.Meta(min_length=1)]
    timeout: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_S)] = 20.0
    response_bytes: Annotated[int, msgspec.Meta(ge=0, le=10_000_000)] = 262_144


class CheckFailed(Exception):
    """The answer is not as it should be, or there is none."""


class Expected(msgspec.Struct, frozen=True):
    """What an answer should be. No statuses: 200 to 299. Empty texts: any body."""

    statuses: Collection[int] = ()
    contains: str = ""
    lacks: str = ""


class Seen(msgspec.Struct, kw_only=True, frozen=True):
    """An answer. ``whole``: ``body`` is all of it. ``encoding``: how it is packed, although that was not asked for."""

    host: str
    status: int
    body: bytes
    whole: bool = True
    location: str = ""
    encoding: str = ""


Statuses = Annotated[
    tuple[Annotated[int, msgspec.Meta(ge=200, le=599)], ...],
    msgspec.Meta(description="which statuses are well; none named: 200 to 299", max_length=20),
]
Contained = Annotated[str, msgspec.Meta(description="what has to be in the body", max_length=500)]
Lacking = Annotated[str, msgspec.Meta(description="what must not be in the body", max_length=500)]
Within = Annotated[
    float, msgspec.Meta(description="seconds for the whole answer; the operator may allow less", gt=0, le=LONGEST_S)
]


class HttpCheck(Handler):
    """``get`` and ``head`` ask an address."""

    name = "http_check"
    OPTIONS: ClassVar[type[msgspec.Struct]] = Options

    def __init__(self, **options: Any) -> None:
        """Raises ValueError with what is wrong in the options."""
        self._options = msgspec.convert(options, Options)
        # Each check connects anew, as a visitor does, and none waits for the connections of others.
        self._caller = Caller(
            self._options.allow, self._options, agent="ScheduleZero-http_check", connections=0, keep_open=False
        )

    async def start(self) -> None:
        await self._caller.start()

    async def stop(self) -> None:
        await self._caller.stop()

    def _admit(self, args: Mapping[str, Any]) -> None:
        self._caller.admit(args["url"])

    @method(check=_admit, timeout=LONGEST_S + SPARE_S)
    async def get(
        self, ctx: Context, url: Address, status: Statuses = (), contains: Contained = "", lacks: Lacking = "",
        within: Within = LONGEST_S,
    ) -> Any:  # fmt: skip
        """Get an address. Fails where its answer is not as it should be, or does not come."""
        return await self._check(ctx, "GET", url, Expected(status, contains, lacks), within)

    @method(check=_admit, timeout=LONGEST_S + SPARE_S)
    async def head(self, ctx: Context, url: Address, status: Statuses = (), within: Within = LONGEST_S) -> Any:
        """Ask an address for the head of its answer alone."""
        return await self._check(ctx, "HEAD", url, Expected(status), within)

    async def _check(self, ctx: Context, verb: str, text: str, expected: Expected, within: float) -> Any:
        url, rule = self._caller.rule(text)
        limit = min(within, self._options.timeout, seconds_for((ctx.deadline - time.time_ns() // 1000) / SECOND))
        began = time.monotonic()
        try:
            async with asyncio.timeout(limit), self._caller.answer(verb, url, rule) as response:
                seen = await _seen(response, self._options.response_bytes)
        except TimeoutError:
            raise CheckFailed(f"{url.host} gave no whole answer within {limit:.3g} s") from None
        except Passing as error:
            raise CheckFailed(error.reason) from None
        took_s = time.monotonic() - began
        wrong = what_is_wrong(seen, expected)
        if wrong is not None:
            raise CheckFailed(f"{seen.host} answered {wrong}")
        return {"status": seen.status, "took_ms": round(1000 * took_s), "bytes": len(seen.body)}


def seconds_for(left_s: float) -> float:
    """How long a call may take, of an attempt that has so many seconds left."""
    return max(left_s - SPARE_S, left_s / 2)


def what_is_wrong(seen: Seen, expected: Expected) -> str | None:
    """What is not as expected, as the end of a sentence; None: nothing."""
    if not (seen.status in expected.statuses if expected.statuses else 200 <= seen.status < 300):
        wanted = " or ".join(str(status) for status in expected.statuses) or "200 to 299"
        leads = f", a redirect to {plain(seen.location.partition('?')[0][:SHOWN])}," if seen.location else ","
        return f"{seen.status}{leads} not {wanted}"
    packed = f"{seen.status} in the encoding {plain(seen.encoding[:SHOWN])!r}, in which no text can be looked for"
    only = "" if seen.whole else f" in its first {len(seen.body):,} bytes"
    if expected.contains and expected.contains.encode("utf-8", "replace") not in seen.body:
        return packed if seen.encoding else f"{seen.status} without {expected.contains!r}{only}"
    if not expected.lacks:
        return None
    if expected.lacks.encode("utf-8", "replace") in seen.body:
        return f"{seen.status} with {expected.lacks!r}, which must not be in it"
    if seen.encoding:
        return packed
    return None if seen.whole else f"{seen.status} with more than is read, so {expected.lacks!r} may be in it"


async def _seen(response: aiohttp.ClientResponse, most: int) -> Seen:
    body = await calling.read(response, most + 1)  # one more tells whether that was all
    encoding = response.headers.get("Content-Encoding", "")
    return Seen(
        host=response.url.host or "", status=response.status, body=body[:most], whole=len(body) <= most,
        location=response.headers.get("Location", ""), encoding="" if encoding.lower() == "identity" else encoding,
    )  # fmt: skip
