"""Views of what half-typed text could become."""

from __future__ import annotations

import msgspec


class Suggestion(msgspec.Struct, kw_only=True, frozen=True):
    """One row of an autocompletion, at most 100 characters each."""

    name: str
    value: str


class Suggestions(msgspec.Struct, kw_only=True):
    """At most 25 rows, best first."""

    items: tuple[Suggestion, ...]
