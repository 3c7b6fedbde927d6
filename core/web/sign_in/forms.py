"""Forms: that one was made here, for this browser (its token), and that a page of ours is where it leads. Pure."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qs

FIELD: Final = "csrf"
HEADER: Final = b"x-csrf-token"
LARGEST: Final = 4096
HOME: Final = "/"

_LONGEST_WAY: Final = 500
# A path and a query of this site: no second slash or backslash at its head, which browsers take for another host.
_WAY: Final = re.compile(rf"/(?![/\\])[A-Za-z0-9\-._~!$&'()*+,;=:@%/?]{{0,{_LONGEST_WAY}}}")
_NOT_BACK: Final = re.compile(r"/sign-(in|out)\b")


def token_of(secret: str) -> str:
    """What a form carries for the browser that shows this secret. It tells nothing of the secret."""
    return hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()


def fits(secret: str, given: str) -> bool:
    """Whether a form with this token was made for the browser that shows the secret."""
    return bool(secret) and hmac.compare_digest(token_of(secret).encode(), given.encode(errors="replace"))


def own_way(text: str) -> str:
    """A page of ours that somebody may be led to; the first one where it is none: nobody is led elsewhere from here."""
    return text if _WAY.fullmatch(text) and not _NOT_BACK.match(text) else HOME


def fields(body: bytes) -> Mapping[str, str]:
    """What a form sent, the first value of each field."""
    form = parse_qs(body[:LARGEST].decode("latin-1"))
    return {name: values[0].strip() for name, values in form.items()}
