"""Unexpected failures: a short code for the person, the whole story under it in the log."""

from __future__ import annotations

import logging
import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

logger = logging.getLogger(__name__)

_ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_KEPT: Final = 20


class Incidents:
    """Counts and names what went wrong without being foreseen."""

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self.count = 0
        self.recent: deque[tuple[datetime, str]] = deque(maxlen=_KEPT)

    def record(self, error: BaseException, doing: str) -> str:
        """Log an error with what was being done, and return the code it is found by."""
        code = "".join(secrets.choice(_ALPHABET) for _ in range(6))
        self.count += 1
        self.recent.append((self._now(), code))
        logger.error("incident %s while %s", code, doing, exc_info=error)
        return code
