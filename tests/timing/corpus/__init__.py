"""The corpus: due times written down beside their rules, as text, and how to read them.

``cron.txt`` and ``clock_changes.txt`` were worked out with ``tests.timing.by_definition``; ``rfc5545.txt`` is the RFC's.
``others_cron.txt`` and ``others_recurrences.txt`` are what other engines expect in their own tests, written down after ours
was made.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
_OFFSETS = {"EDT": "-04:00", "EST": "-05:00"}


class Case(NamedTuple):
    """An expression in a zone, asked after an instant under a policy, and what is due."""

    expression: str
    zone: str
    after: datetime
    policy: str
    due: list[datetime]

    def __repr__(self) -> str:
        """Short enough to be the name of a test."""
        return f"{self.expression} in {self.zone} after {self.after:%Y-%m-%d %H:%M} ({self.policy})"


class Example(NamedTuple):
    """A recurrence set of the RFC, with the dates it prints."""

    text: str
    due: list[datetime]
    goes_on: bool


class Expected(NamedTuple):
    """A case from the tests of another engine."""

    engine: str
    case: Case
    about: str
    """What the difference is about, where we answer otherwise."""


class ExpectedDates(NamedTuple):
    """A recurrence from the tests of another engine."""

    engine: str
    text: str
    due: list[datetime]
    ends: bool
    about: str


def cron_cases() -> list[Case]:
    return [
        Case(expression, zone, datetime.fromisoformat(after), "debian", _moments(due))
        for expression, zone, after, due in _rows("cron.txt")
    ]


def clock_changes() -> list[Case]:
    """Each row once for every policy it speaks of."""
    return [
        Case(expression, zone, datetime.fromisoformat(after), policy, _moments(due))
        for zone, expression, after, policies, due in _rows("clock_changes.txt")
        for policy in (("debian", "literal") if policies == "both" else (policies,))
    ]


def rfc_examples() -> list[Example]:
    """Where the RFC gives two rules for the same dates, two examples."""
    found = []
    for block in (HERE / "rfc5545.txt").read_text("utf-8").split("\n\n"):
        lines = [line for line in block.replace("\n ", "").splitlines() if not line.startswith("#")]
        if not lines:
            continue
        rules = [line for line in lines if line.startswith("RRULE")]
        head = [line for line in lines if line.startswith(("DTSTART", "EXDATE"))]
        due = [moment for line in lines if line[0].isdigit() for moment in _printed(line)]
        found += [Example("\n".join([*head, rule]), due, "..." in lines) for rule in rules]
    return found


def others_cron() -> list[Expected]:
    found = []
    for engine, (expression, zone, after, due, *about) in _rows_by_engine("others_cron.txt"):
        case = Case(expression, zone, datetime.fromisoformat(after), "debian", _moments(due))
        found.append(Expected(engine, case, *about or [""]))
    return found


def others_recurrences() -> list[ExpectedDates]:
    found = []
    for engine, (rule, start, dates, *about) in _rows_by_engine("others_recurrences.txt"):
        due = [moment.replace(tzinfo=UTC) for moment in _moments(dates.removesuffix(" end"))]
        text = f"DTSTART:{start}\nRRULE:{rule}"
        found.append(ExpectedDates(engine, text, due, dates.endswith(" end"), *about or [""]))
    return found


def _rows_by_engine(name: str) -> Iterator[tuple[str, list[str]]]:
    """The rows of a file, each with the engine that the last heading names."""
    engine = ""
    for line in (HERE / name).read_text("utf-8").splitlines():
        if line.startswith("# "):
            engine = line.removeprefix("# ")
        elif line:
            yield engine, [cell.strip() for cell in line.split(" | ")]


def _rows(name: str) -> Iterator[list[str]]:
    for line in (HERE / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            yield [cell.strip() for cell in line.split("|")]


def _moments(due: str) -> list[datetime]:
    return [datetime.fromisoformat(text) for text in due.split()]


def _printed(line: str) -> Iterator[datetime]:
    """The dates of a line such as ``1997 EDT Sep 2-30; Oct 1,3 at 09:00,10:00``."""
    line, _, times = line.partition(" at ")
    year, offset, rest = line.split(" ", 2)
    for part in rest.split("; "):
        month, days = part.split()
        for first, last in re.findall(r"(\d+)(?:-(\d+))?", days):
            for day in range(int(first), int(last or first) + 1):
                number = datetime.strptime(f"{month} 2000", "%b %Y").month  # noqa: DTZ007 - a month's name only
                on = date(int(year), number, day)
                for at in times.split(",") if times else ["09:00"]:
                    yield datetime.fromisoformat(f"{on}T{at}:00{_OFFSETS[offset]}")
