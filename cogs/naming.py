"""What a name written in an option means: exactly that; and the sentence where it means nothing, or several things."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from cogs.refusals import Refusal
from cogs.texts import shorten

_OFFERED: Final = 5

T = TypeVar("T")


def called(text: str, found: Iterable[T], name_of: Callable[[T], str]) -> list[T]:
    """What is called exactly that: letter by letter if anything is, else but for capitals."""
    wanted = text.casefold()
    fitting = [each for each in found if name_of(each).casefold() == wanted]
    return [each for each in fitting if name_of(each) == text] or fitting


def nothing_fits(what: str, text: str, option: str = "item") -> Refusal:
    """Nothing is called that, nor has it in its name."""
    return Refusal(f"No {what} fits {said(text)}. Pick one from the suggestions of `{option}`.")


def several_fit(count: int, what: str, text: str, option: str = "item") -> Refusal:
    """It does not say which one."""
    return Refusal(f"{count} {what}s fit {said(text)}. Pick one from the suggestions of `{option}`.")


def not_called(what: str, text: str, names: Iterable[str], option: str = "item", word: str = "name") -> Refusal:
    """Words that are no name, with the names they are a part of; ``word``: what such a name is called."""
    meant = list(dict.fromkeys(said(name) for name in names if name))
    if not meant:
        return nothing_fits(what, text, option)
    more = f" or one of {len(meant) - _OFFERED} more" if len(meant) > _OFFERED else ""
    return Refusal(
        f"No {what} is called {said(text)}. Did you mean {' or '.join(meant[:_OFFERED])}{more}? Write the whole "
        f"{word}, or pick one from the suggestions of `{option}`."
    )


def said(text: str) -> str:
    """A text as refusals repeat it."""
    return repr(shorten(text, 80))
