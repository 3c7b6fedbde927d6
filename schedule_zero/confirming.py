"""Confirming: words that somebody types before something is done that cannot be undone."""

from __future__ import annotations


def confirms(typed: str, words: str) -> bool:
    """Whether what was typed is these words; case and how much stands between them do not count."""
    return _plain(typed) == _plain(words)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()
