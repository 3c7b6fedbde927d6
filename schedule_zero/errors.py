"""One tree of errors, each with a sentence for people and the data a program needs.

The sentence names the place and the remedy. Every door turns the same error into its own form: a problem document
(RFC 9457), an ephemeral answer, a line on stderr.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec


class FieldError(msgspec.Struct, frozen=True):
    """What is wrong in one field: its path (``trigger.text``) and a sentence."""

    field: str
    message: str


class ReadingOffer(msgspec.Struct, frozen=True):
    """One way to read an unclear time: what to write, the trigger, the words and the next due instant."""

    text: str
    trigger: Any
    words: str
    next: str | None


class ScheduleZeroError(Exception):
    """Base of every error this package raises on purpose.

    Attributes:
        code: stable name of the kind, the last part of the problem document's ``type``.
        status: the HTTP status that says the same.
    """

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500

    def __init__(self, sentence: str, **details: Any) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.details = details


class Malformed(ScheduleZeroError):
    """The request could not be parsed at all."""

    code, status = "malformed", 400


class Unauthorized(ScheduleZeroError):
    """Nobody we know sent this."""

    code, status = "unauthorized", 401


class Forbidden(ScheduleZeroError):
    """The actor may not do this here."""

    code, status = "forbidden", 403


class NotFound(ScheduleZeroError):
    """No such thing, or it belongs to a guild the actor may not see."""

    code, status = "not-found", 404


class Conflict(ScheduleZeroError):
    """The thing's present state, or another thing's name, does not allow this."""

    code, status = "conflict", 409


class Gone(ScheduleZeroError):
    """It was possible once; it is too late now."""

    code, status = "gone", 410


class RevisionMismatch(ScheduleZeroError):
    """The schedule changed since the client read it."""

    code, status = "revision-mismatch", 412


class TooLarge(ScheduleZeroError):
    """The body is larger than the door lets in."""

    code, status = "too-large", 413


class Invalid(ScheduleZeroError):
    """Fields are wrong. ``errors`` names each; ``readings`` offers what an unclear time could have meant."""

    code, status = "invalid", 422

    def __init__(
        self, sentence: str, errors: tuple[FieldError, ...] = (), readings: tuple[ReadingOffer, ...] = ()
    ) -> None:
        super().__init__(sentence)
        self.errors = errors
        self.readings = readings

    @classmethod
    def at(cls, field: str, message: str) -> Invalid:
        """The refusal of one field."""
        return cls(f"{field}: {message}", (FieldError(field, message),))


class QuotaExceeded(ScheduleZeroError):
    """A limit refused. ``details``: scope, limit, used, allowed; ``retry_after`` in seconds or None."""

    code, status = "quota-exceeded", 429

    def __init__(self, sentence: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(sentence, **details)
        self.retry_after = retry_after


class Unavailable(ScheduleZeroError):
    """The core cannot do this at the moment; the same request may succeed later: ``retry_after`` so many seconds, if that
    is known."""

    code, status = "unavailable", 503

    def __init__(self, sentence: str, *, retry_after: float | None = None, **details: Any) -> None:
        super().__init__(sentence, **details)
        self.retry_after = retry_after


class StorageFull(ScheduleZeroError):
    """The disk has no room for new work; work already accepted goes on."""

    code, status = "storage-full", 507


ERRORS: dict[str, type[ScheduleZeroError]] = {
    kind.code: kind
    for kind in (
        Malformed, Unauthorized, Forbidden, NotFound, Conflict, Gone, RevisionMismatch,
        TooLarge, Invalid, QuotaExceeded, Unavailable, StorageFull,
    )
}  # fmt: skip


class RetryAfter(Exception):
    """Raised by a handler: not now, the same call may succeed after so many seconds."""

    def __init__(self, seconds: float, reason: str = "asked to come back later") -> None:
        super().__init__(reason)
        self.seconds = seconds


class Passing(Exception):
    """Raised by a handler: it did not work, and may work later. Another try follows by the schedule's retry rules."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Reject(Exception):
    """Raised by a handler: this will never succeed. The reason travels to the guild."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Cancelled(Exception):
    """Raised by ``Context.raise_if_cancelled``: the core has asked to stop, and the method does."""
