"""A call over HTTP with nothing but the standard library: which answers are worth another try, and when.

``schedule-zero handler handlers.examples.site:Site``
"""

from __future__ import annotations

import time
from typing import Annotated, Any
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from msgspec import Meta

from schedule_zero import Context, Handler, Passing, Reject, RetryAfter, method

Url = Annotated[str, Meta(pattern=r"^https?://[^\s/]+(/\S*)?$", max_length=2000)]
TIMEOUT_S = 10
WORTH_A_TRY = {408, 425, 429}


class Site(Handler):
    """Looks whether a site answers."""

    @method(timeout=30)
    def check(self, ctx: Context, url: Url) -> dict[str, Any]:
        """Call it, and tell the status and how long it took."""
        request = Request(url, headers={"User-Agent": "site-check", "X-Run": ctx.run_id})  # noqa: S310 - checked by Url
        began = time.monotonic()
        try:
            with urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310 - checked by Url
                return {"status": answer.status, "seconds": round(time.monotonic() - began, 3)}
        except HTTPError as error:
            with error:
                if error.code < 500 and error.code not in WORTH_A_TRY:
                    raise Reject(f"it answered {error.code}, which no other try changes") from error
                asked = error.headers.get("Retry-After", "")
            if asked.isdigit():
                raise RetryAfter(int(asked), f"it answered {error.code} and asked to wait") from error
            raise Passing(f"it answered {error.code}") from error
        except (URLError, TimeoutError) as error:
            raise Passing(f"it cannot be reached: {getattr(error, 'reason', error)}") from error
