"""Languages, as far as they say in which order the figures of a date stand. The names are Discord's.

English alone is spoken; but ``03/04`` is the third of April to some and the fourth of March to others, and people are
told dates in the order they write them in. Where figures begin with the year, the month stands before the day.
"""

from __future__ import annotations

from typing import Final, Literal

DateOrder = Literal["day", "month"]
"""What stands first of the day and the month."""

_DAY_FIRST: Final = (
    "bg", "cs", "da", "de", "el", "en-GB", "es-419", "es-ES", "fi", "fr", "hi", "hr", "id", "it", "nl", "no", "pl",
    "pt-BR", "ro", "ru", "sv-SE", "th", "tr", "uk", "vi",
)  # fmt: skip
_MONTH_FIRST: Final = ("en-US", "hu", "ja", "ko", "lt", "zh-CN", "zh-TW")
ORDERS: Final[dict[str, DateOrder]] = {
    **dict.fromkeys(_DAY_FIRST, "day"),
    **dict.fromkeys(_MONTH_FIRST, "month"),
}
_BY_PLAIN_NAME: Final = {name.casefold(): name for name in ORDERS}


def known_locale(name: str) -> str | None:
    """A language as it is called here, however its letters are written; None where it is not known."""
    return _BY_PLAIN_NAME.get(name.strip().casefold().replace("_", "-"))


def order_of(locale: str | None) -> DateOrder | None:
    """The order of a date's figures in a language; None: nobody said which language."""
    return None if locale is None else ORDERS.get(locale)
