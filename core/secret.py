"""Secrets of the configuration: they can be used, but not shown by accident."""

from __future__ import annotations

from typing import Any


class Secret:
    """A text that every form of printing hides; ``reveal`` is the only way to it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the place that has to send it."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


def read_secret(kind: type, value: Any) -> Any:
    """msgspec's ``dec_hook`` for records that hold secrets.

    Raises:
        ValueError: the value is no text. The sentence does not repeat it.
    """
    if kind is not Secret:
        raise NotImplementedError(f"nothing reads a {kind.__name__}")
    if not isinstance(value, str) or not value.strip():
        raise ValueError("has to be text that is not empty (the value is not shown)")
    return Secret(value.strip())
