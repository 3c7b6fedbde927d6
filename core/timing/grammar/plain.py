"""Characters as people's keyboards and telephones make them, turned into the plain ones that the grammar knows."""

from __future__ import annotations

import unicodedata
from typing import Final

_SAME: Final = {
    ord(character): plain
    for plain, characters in {
        "'": "‘’‚‛′ʼ´`",
        '"': "“”„‟″«»",
        "-": "‐‑‒–—―−﹣",
        ":": "∶ː",
        "x": "×",
        "...": "…",
    }.items()
    for character in characters
}
_FRACTIONS: Final = {"½": "5", "¼": "25", "¾": "75"}
_WIDE: Final = range(0xFF01, 0xFF5F)
"""The forms of ASCII that are as wide as a Chinese character."""


def plain(text: str) -> str:
    """The text with plain digits, dashes, quotes and spaces, and without characters that nobody sees.

    Only what stands for one plain character is replaced: a raised ² is no 2.
    """
    if text.isascii():
        return text
    return "".join(_plain(character, text[place - 1] if place else "") for place, character in enumerate(text))


def _plain(character: str, before: str) -> str:
    if character.isascii():
        return character
    if character in _FRACTIONS:
        return f".{_FRACTIONS[character]}" if before.isdecimal() else f"0.{_FRACTIONS[character]}"
    if ord(character) in _WIDE:
        return chr(ord(character) - _WIDE.start + ord("!"))
    number = unicodedata.decimal(character, None)
    if number is not None:
        return str(number)
    category = unicodedata.category(character)
    if category == "Cf":
        return ""
    return " " if category in ("Zs", "Zl", "Zp") else _SAME.get(ord(character), character)
