"""Versions of handlers, and what a schedule may ask of them: ``>=2.1``, or several such, ``>=2.1,<3``.

A version is numbers with dots between them, compared number by number, and a number that is missing is 0: ``2.1`` is
``2.1.0``, and ``2.10`` is newer than ``2.9``. A ``v`` before it, and whatever stands behind the numbers, is not compared.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import zip_longest
from typing import Final

_MOST_NUMBERS: Final = 8
_NUMBERS: Final = rf"\d{{1,9}}(?:\.\d{{1,9}}){{0,{_MOST_NUMBERS - 1}}}"
_VERSION: Final = re.compile(rf"v?({_NUMBERS})")
_CLAUSE: Final = re.compile(rf"\s*(>=|<=|==|!=|>|<)\s*v?({_NUMBERS})\s*", re.ASCII)
_COMPARE: Final[dict[str, Callable[[int, int], bool]]] = {
    ">=": operator.ge, "<=": operator.le, "==": operator.eq, "!=": operator.ne, ">": operator.gt, "<": operator.lt,
}  # fmt: skip

Numbers = tuple[int, ...]


@lru_cache(maxsize=1024)
def clauses_of(text: str) -> tuple[tuple[str, Numbers], ...]:
    """What is asked of a version.

    Raises:
        ValueError: it cannot be read; one sentence.
    """
    found = [_CLAUSE.fullmatch(part) for part in text.split(",")]
    if not all(found) or len(found) > 8:
        raise ValueError(f"{text!r} asks nothing of a version; write >=2.1, or several such as >=2.1,<3")
    return tuple((match[1], _numbers(match[2])) for match in found if match is not None)


def check_wanted(text: str) -> None:
    """Raises ValueError, with one sentence, for what cannot be read, and for what no version is."""
    clauses = clauses_of(text)
    # If any version does, the first of them does: nothing, or what a clause names, or one that shortly follows these.
    firsts = {numbers + (0,) * (_MOST_NUMBERS - len(numbers)) for _, numbers in clauses} | {(0,) * _MOST_NUMBERS}
    candidates = ((*first[:-1], first[-1] + step) for first in firsts for step in range(len(clauses) + 1))
    if not any(_meets(each, clauses) for each in candidates):
        raise ValueError(f"is met by no version, {text!r}; write such as >=2.1,<3")


@lru_cache(maxsize=4096)
def satisfies(version: str, wanted: str) -> bool:
    """Whether a version is as ``wanted`` asks. One without numbers satisfies nothing."""
    match = _VERSION.match(version.strip())
    return match is not None and _meets(_numbers(match[1]), clauses_of(wanted))


def _meets(numbers: Numbers, clauses: Iterable[tuple[str, Numbers]]) -> bool:
    return all(_COMPARE[word](_order(numbers, other), 0) for word, other in clauses)


def _numbers(text: str) -> Numbers:
    return tuple(map(int, text.split(".")))


def _order(one: Numbers, other: Numbers) -> int:
    """Below 0 where the first is older, above 0 where it is newer."""
    for ours, theirs in zip_longest(one, other, fillvalue=0):
        if ours != theirs:
            return ours - theirs
    return 0
