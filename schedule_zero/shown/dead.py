"""Views of dead letters."""

from __future__ import annotations

from typing import Literal

import msgspec

from schedule_zero.run import Run


class DeadLetter(msgspec.Struct, kw_only=True):
    """A run that failed or timed out for good, and since when nobody has run it again or dropped it."""

    at: str
    run: Run


class DeadPage(msgspec.Struct, kw_only=True):
    """A page of dead letters, newest run first."""

    items: tuple[DeadLetter, ...]
    next: str | None = None


class DeadFate(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What became of one dead letter. ``gone``: it is none (any more); ``refused``: it stays one, and why.

    ``run``: the new run of one that was replayed."""

    id: str
    fate: Literal["replayed", "dropped", "gone", "refused"]
    run: str | None = None
    why: str | None = None


class DeadChange(msgspec.Struct, kw_only=True):
    """What became of the dead letters that were named or found; ``next``: the cursor where the filter finds more."""

    items: tuple[DeadFate, ...]
    next: str | None = None
