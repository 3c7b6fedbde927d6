"""Cookies: what a browser keeps for us and shows again. Pure."""

from __future__ import annotations

from typing import Final

SESSION: Final = "schedule_zero_session"
VISIT: Final = "schedule_zero_visit"
"""Of who has not signed in yet: what the forms they are shown are bound to."""
ATTEMPT: Final = "schedule_zero_attempt"
"""While somebody is at Discord to sign in."""

_HOST_ALONE: Final = "__Host-"

Header = tuple[str, str]


class Cookies:
    """Our cookies, as they are set and read.

    Args:
        secure: browsers reach us over https. Then they send the cookies over nothing else, and by the name's prefix
            take them from no other site of the same domain (RFC 6265bis, 4.1.3.2).
    """

    def __init__(self, *, secure: bool) -> None:
        self._prefix = _HOST_ALONE if secure else ""
        self._kept = f"Path=/; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"

    def baked(self, name: str, value: str, lasts_s: int) -> Header:
        """The header that sets a cookie for so many seconds; 0 removes it."""
        return "set-cookie", f"{self._prefix}{name}={value}; Max-Age={lasts_s}; {self._kept}"

    def gone(self, name: str) -> Header:
        """The header that removes a cookie."""
        return self.baked(name, "", 0)

    def value(self, header: bytes, name: str) -> str:
        """What a Cookie header holds under a name; empty where it holds nothing.

        Whatever else stands there was set by other programs of this host, and is none of our business.
        """
        wanted = f"{self._prefix}{name}"
        for pair in header.decode("latin-1").split(";"):
            found, _, value = pair.strip().partition("=")
            if found == wanted:
                return value
        return ""
