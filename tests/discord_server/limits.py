"""Rate limits as Discord tells and enforces them. Source: developer documentation, "Rate Limits"."""

import math
from hashlib import sha256
from typing import NamedTuple

import msgspec

from tests.discord_server.clock import Clock
from tests.discord_server.faults import matches
from tests.discord_server.records import JsonObject

VIA = {"Via": "1.1 simulated"}
"""discord.py takes a 429 without this header for a ban and gives up."""


class RateLimit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """At most `limit` requests per `seconds` on a route, counted per channel, guild or webhook."""

    route: str
    limit: int
    seconds: float


class Allowance(NamedTuple):
    """Where a request stands in its window."""

    bucket: str
    limit: int
    remaining: int
    reset_after: float
    reset_at: float
    refused: bool

    def headers(self) -> dict[str, str]:
        """The headers that tell the client."""
        return {
            "X-RateLimit-Bucket": self.bucket,
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(self.remaining),
            "X-RateLimit-Reset": f"{self.reset_at:.3f}",
            "X-RateLimit-Reset-After": f"{self.reset_after:.3f}",
        }


class RateLimits:
    """Fixed windows, one per rule and major parameter."""

    def __init__(self, clock: Clock, rules: list[RateLimit]) -> None:
        self.rules = rules
        self._clock = clock
        self._windows: dict[tuple[str, str], tuple[float, int]] = {}

    def take(self, route: str) -> Allowance | None:
        """Count a request; None when no rule speaks of its route."""
        rule = next((rule for rule in self.rules if matches(rule.route, route)), None)
        if rule is None:
            return None
        key = (rule.route, _major_parameter(route))
        now = self._clock.monotonic()
        ends, used = self._windows.get(key, (0.0, 0))
        if now >= ends:
            ends, used = now + rule.seconds, 0
        refused = used >= rule.limit
        self._windows[key] = (ends, used if refused else used + 1)
        return Allowance(
            bucket=sha256(rule.route.encode()).hexdigest()[:16],
            limit=rule.limit,
            remaining=0 if refused else rule.limit - used - 1,
            reset_after=ends - now,
            reset_at=self._clock.now().timestamp() + ends - now,
            refused=refused,
        )


def refusal(retry_after: float, *, is_global: bool = False) -> tuple[JsonObject, dict[str, str]]:
    """Body and headers of a 429."""
    body = {"message": "You are being rate limited.", "retry_after": round(retry_after, 3), "global": is_global}
    headers = VIA | {"Retry-After": str(math.ceil(retry_after))}
    return body, headers | {"X-RateLimit-Global": "true"} if is_global else headers


def _major_parameter(route: str) -> str:
    parts = route.split("/")
    return parts[2] if len(parts) > 2 else ""
