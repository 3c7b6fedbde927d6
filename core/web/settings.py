"""What can be configured about the HTTP door."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from core.fields import NEARLY
from core.listening import is_loopback
from core.secret import Secret

_PORT: Final = r"(?:\d{1,4}|[1-5]\d{4}|6[0-4]\d{3}|65[0-4]\d{2}|655[0-2]\d|6553[0-5])"
# A host of digits alone is no host but a time of day (12:30) that was meant for another key.
_ADDRESS: Final = r"^(?:\[[0-9a-fA-F:.]+\]|(?=[^:]*[A-Za-z.])[^\[\]:/\s]+):PORT$"
_EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # compared with, never bound to


def with_port(pattern: str, description: str) -> msgspec.Meta:
    """What an address has to be like: ``PORT`` in the pattern stands for 0, which takes a free one, to 65535."""
    too_large = (pattern.replace("PORT", r"\d+"), "an address with a port of at most 65535")
    return msgspec.Meta(pattern=pattern.replace("PORT", _PORT), description=description, extra={NEARLY: too_large})


Bind = Annotated[str, with_port(_ADDRESS, "host:port such as 127.0.0.1:8080 or [::1]:8080")]
PublicUrl = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^https?://[^/\s?#]+(/[^\s?#]*)?$", description="an address such as https://schedule.example.org"
    ),
]


class OAuthSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The Discord application people sign in with on the dashboard."""

    client_id: str | None = None
    client_secret: Secret | None = None


class HttpSettings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """Where the HTTP door listens, and the name it is reached by from outside.

    Attributes:
        bind: ``host:port``; IPv6 in brackets; port 0 takes a free one.
        public_url: the address in front of a reverse proxy, if there is one.
        oauth: sign-in for the dashboard.
    """

    bind: Bind = "127.0.0.1:8080"
    public_url: PublicUrl | None = None
    oauth: OAuthSettings = OAuthSettings()

    @property
    def host(self) -> str:
        """The host part of ``bind``, without brackets."""
        return self.bind.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of ``bind``."""
        return int(self.bind.rpartition(":")[2])

    @property
    def is_loopback(self) -> bool:
        """Whether only programs of this machine can reach the door."""
        return is_loopback(self.host)

    @property
    def is_secure(self) -> bool:
        """Whether browsers reach the door over https."""
        return (self.public_url or "").startswith("https:")

    @property
    def is_private(self) -> bool:
        """Whether nobody on the way can read what a browser sends."""
        return self.is_secure or (self.is_loopback and self.public_url is None)

    @property
    def public_host(self) -> str | None:
        """The host name in ``public_url``."""
        return urlsplit(self.public_url).hostname if self.public_url else None


def address_of(host: str, port: int) -> str:
    """The URL to open for a bound address; a bind to every interface is reached through loopback."""
    reached = _EVERYWHERE.get(host, host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"
