"""Where a handler may call: allow-list patterns for addresses, and which machines are somebody's own. No I/O."""

from __future__ import annotations

import ipaddress
from typing import Final
from urllib.parse import unquote

import msgspec
from yarl import URL

LONGEST_URL: Final = 2048
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Pattern(msgspec.Struct, frozen=True):
    """Addresses that are allowed: scheme, host and port, and a path that ends in ``*`` or is meant exactly.

    Attributes:
        host: in lower case; ``*.example.org`` are all names under it, and not itself.
        path: as far as it has to be the same; ``whole``: to its end.
    """

    scheme: str
    host: str
    port: int
    path: str
    whole: bool

    def fits(self, url: URL) -> bool:
        """Whether an address that ``read_url`` returned is one of these."""
        host = url.raw_host or ""
        at_home = host == self.host or (self.host.startswith("*.") and host.endswith(self.host[1:]))
        there = url.raw_path == self.path if self.whole else url.raw_path.startswith(self.path)
        return at_home and there and (url.scheme, url.port) == (self.scheme, self.port)


def read_pattern(text: str) -> Pattern:
    """A pattern as it stands in the options. Raises ValueError with a sentence."""
    example = "write it as https://hooks.example.org/*"
    bare = text.removesuffix("*")
    if "*" in bare.partition("://*.")[2] or ("*" in bare and "://*." not in bare):
        raise ValueError(f"{text!r} has a * that is neither first in the host nor last in the path; {example}")
    try:
        url = read_url(bare.replace("://*.", "://any.", 1))
    except ValueError as error:
        raise ValueError(f"{text!r} {error}; {example}") from None
    if "/" not in bare.partition("://")[2]:
        raise ValueError(f"{text!r} needs a path after the host, at least /*; {example}")
    host = url.raw_host or ""
    if "://*." in bare:
        host = "*." + host.removeprefix("any.")
    return Pattern(url.scheme, host, url.port or 0, url.raw_path, not text.endswith("*"))


def read_url(text: str) -> URL:
    """An address in its one spelling. Raises ValueError with what is wrong, as the end of a sentence.

    What two programs could read in two ways is refused: dot segments and slashes in disguise, names with a password.
    """
    if len(text) > LONGEST_URL:
        raise ValueError(f"is longer than {LONGEST_URL} characters")
    try:
        url = URL(text)
        port = url.port
    except ValueError:
        raise ValueError("is no address") from None
    if url.scheme not in ("http", "https") or not url.raw_host or not port:
        raise ValueError("is no address that begins with https:// or http://")
    if url.user is not None or url.password is not None:
        raise ValueError("holds a name or password; the operator keeps those in the options of the handler")
    if url.raw_fragment:
        raise ValueError("has a fragment (#…), which is never sent")
    path = unquote(text.partition("://")[2].partition("?")[0]).replace("\\", "/")
    segments = {segment.partition(";")[0] for segment in path.split("/")[1:]}
    if not segments.isdisjoint({".", ".."}) or "%2f" in url.raw_path.lower() or "%5c" in url.raw_path.lower():
        raise ValueError("has . or .. or a written-out slash in its path")
    return url


def literal(url: URL) -> _Address | None:
    """The machine's address, where the host is one and no name."""
    try:
        return ipaddress.ip_address((url.raw_host or "").partition("%")[0])
    except ValueError:
        return None


def is_public(address: _Address) -> bool:
    """Whether it is an address anybody on the internet has: not loopback, private, link-local, shared, multicast or
    reserved, and no such address in the clothes of IPv6."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if int(address) >> 32 == 0:  # the old form of an IPv4 address within IPv6
            return False
    return address.is_global and not address.is_multicast
