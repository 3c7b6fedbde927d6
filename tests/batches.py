"""Rows of data by the dozen: a test for each would spend longer on being a test than on its row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

R = TypeVar("R")

SIZE = 25


def batches(rows: Sequence[R]) -> list[Sequence[R]]:
    """The rows in order, so many to a test, which then names every one that is wrong."""
    return [rows[place : place + SIZE] for place in range(0, len(rows), SIZE)]
