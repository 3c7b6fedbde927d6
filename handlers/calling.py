"""Calling: what handlers share that call addresses over HTTP, and only those the operator allowed.

What an address resolves to is looked at when it is connected to, not before, so that a name which answers differently the
second time gains nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import os
import re
import socket
import ssl
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, Final

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from handlers.destinations import Pattern, is_public, literal, read_pattern, read_url
from schedule_zero.errors import Invalid, Passing, Reject

KEPT_OPEN_S: Final = 30.0
NAMES_AT_ONCE: Final = 64
OURS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "content-type", "host", "idempotency-key",
     "schedule-zero-attempt", "schedule-zero-run", "schedule-zero-signature", "transfer-encoding"}
)  # fmt: skip
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")

Address = Annotated[str, msgspec.Meta(description="the address, one that the operator has allowed", max_length=2048)]


class Allowed(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """One entry of the allow-list.

    Attributes:
        url: the pattern.
        headers: sent to these addresses only; the place for credentials.
        private: whether these may be addresses of one's own network.
    """

    url: str
    headers: dict[str, str] = {}
    private: bool | None = None


class Everywhere(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, frozen=True):
    """The options that hold for every address, beside what its entry says.

    Attributes:
        headers: sent with every call.
        private: whether addresses of one's own network may be called, where an entry does not say.
    """

    headers: dict[str, str] = {}
    private: bool = False


class Rule(msgspec.Struct, frozen=True):
    """An entry of the allow-list, ready to use. ``place``: where it stands there, from 0."""

    place: int
    pattern: Pattern
    headers: dict[str, str]
    private: bool


class Caller:
    """Calls what an allow-list holds; the first entry that fits counts."""

    def __init__(
        self, allow: Sequence[str | Allowed], everywhere: Everywhere, *, agent: str, connections: int, keep_open: bool
    ) -> None:
        """Raises ValueError with what is wrong in the list.

        Args:
            agent: what it calls itself.
            connections: how many there are at once; 0: as many as are asked for.
            keep_open: whether a connection is used again, while it is young.
        """
        self._rules = [_rule(place, entry, everywhere) for place, entry in enumerate(allow)]
        self._agent, self._connections, self._keep_open = agent, connections, keep_open
        self._names: _Names | None = None
        # By whether they may reach into one's own network: a connection made for one is never used for the other.
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def start(self) -> None:
        self._names = _Names()
        self._sessions = {private: self._session(private, self._names) for private in (False, True)}

    async def stop(self) -> None:
        for session in self._sessions.values():
            await session.close()
        if self._names is not None:
            await self._names.close()

    def admit(self, text: str) -> None:
        """Judge the argument ``url``. Raises Invalid: nobody may call that."""
        try:
            self.rule(text)
        except Reject as error:
            raise Invalid.at("args.url", error.reason) from None

    def rule(self, text: str) -> tuple[URL, Rule]:
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

    @contextlib.asynccontextmanager
    async def answer(
        self, verb: str, url: URL, rule: Rule, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to one call, with its beginning only; ``read`` reads on. No redirect is followed, no time kept.

        Raises:
            Passing: it could not be reached, or broke off.
            Reject: it leads into a private network, or is no address.
        """
        with _judged(url):
            async with self._sessions[rule.private].request(
                verb, url, data=body or None, headers=rule.headers | dict(headers or {}), allow_redirects=False
            ) as response:
                yield response

    def _session(self, private: bool, names: _Names) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, resolver=names, socket_factory=None if private else _outward_socket,
                **({"keepalive_timeout": KEPT_OPEN_S} if self._keep_open else {"force_close": True}),
            ),
            timeout=aiohttp.ClientTimeout(total=None),  # who calls keeps the time, of all that belongs to one call
            auto_decompress=False,  # a bound on what is read is one on what it becomes
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": self._agent, "Accept-Encoding": "identity"},
        )  # fmt: skip


async def read(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The first bytes of an answer. What follows them is not waited for."""
    content = bytearray()
    while len(content) < most and (part := await response.content.read(most - len(content))):
        content += part
    if not response.content.at_eof():
        response.close()
    return bytes(content)


def _rule(place: int, entry: str | Allowed, everywhere: Everywhere) -> Rule:
    """An entry of the allow-list. Raises ValueError."""
    if isinstance(entry, str):
        entry = Allowed(url=entry)
    headers = everywhere.headers | entry.headers
    for name, value in headers.items():
        if not _NAME.fullmatch(name) or name.lower() in OURS or any(character in value for character in "\r\n\0"):
            where = f"allow[{place}].headers" if name in entry.headers else "headers"
            raise ValueError(f"{where}: {name!r} cannot be set")
    try:
        pattern = read_pattern(entry.url)
    except ValueError as error:
        raise ValueError(f"allow[{place}]: {error}") from None
    return Rule(place, pattern, headers, everywhere.private if entry.private is None else entry.private)


class _Names(AbstractResolver):
    """Looks names up as the system does, in threads of its own: the loop's are few, and who asks a name server that is
    silent holds one for half a minute."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(NAMES_AT_ONCE, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await asyncio.get_running_loop().run_in_executor(
            self._pool, socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG
        )
        return [
            ResolveResult(
                hostname=host, host=_with_zone(address), port=int(address[1]), family=kind, proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for kind, _, protocol, _, address in found
        ]  # fmt: skip

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _with_zone(address: tuple[Any, ...]) -> str:
    """The machine's address; of one that is good in one network only, with that network."""
    zone = address[3] if len(address) == 4 else 0
    return f"{address[0]}%{zone}" if zone else str(address[0])


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
    except aiohttp.ClientResponseError:  # its words hold what the other side sent
        raise Passing(f"{url.host} gave an answer that cannot be read as HTTP") from None
    except aiohttp.ClientError as error:
        raise Passing(f"{url.host} broke off ({type(error).__name__})") from None


def _plainly(error: OSError) -> str:
    """Without the addresses that asyncio puts into it. What TLS says of itself has numbers that are no system's."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not valid ({error.verify_message})"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed ({(error.reason or 'no reason given').replace('_', ' ').lower()})"
    known = error.errno is not None and error.errno > 0
    return (os.strerror(error.errno or 0) if known else error.strerror or str(error)).lower()
