"""The table for a terminal, and the page of the documentation with its picture."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.fairness.figures import SLOTS, Outcome, outcomes
from benchmarks.fairness.loads import FLOODS, GUILDS, SEED, hour
from benchmarks.fairness.picture import picture

DOCS: Final = Path(__file__).resolve().parents[2] / "docs"
PAGE: Final = DOCS / "fairness.md"
PICTURE: Final = DOCS / "fairness.svg"
COLUMNS: Final = (
    "", "half wait less than", "99 of 100", "the longest", "99 of 100, the flood", "99 of 100, three floods",
    "Jain's index", "utilisation", "the flood takes",
)  # fmt: skip
_MADE: Final = re.compile(r"(?<=<!-- made by the benchmark -->\n\n).*?(?=\n\n<!-- end -->)", re.DOTALL)


def rows(found: Mapping[str, Outcome]) -> list[list[str]]:
    """The table, with its head."""
    made = [list(COLUMNS)]
    for name, each in found.items():
        waits = [_seconds(wait) for wait in (each.typical, each.most, each.longest, each.flooded, each.crowded)]
        made.append([name, *waits, f"{each.jain:.2f}", f"{each.utilisation:.0%}", f"{each.flood:.2f} ×"])
    return made


def _seconds(wait: float) -> str:
    if wait < 0.0005:
        return "0"
    return f"{wait * 1000:.0f} ms" if wait < 1 else f"{wait:.1f} s" if wait < 10 else f"{wait:.0f} s"


def table(found: Mapping[str, Outcome]) -> str:
    """The table as Markdown."""
    head, *body = ["| " + " | ".join(row) + " |" for row in rows(found)]
    return "\n".join([head, "|" + " --- |" * len(COLUMNS), *body])


def page(text: str, found: Mapping[str, Outcome]) -> str:
    """The page, with the table as it is now."""
    made, places = _MADE.subn(lambda _: table(found), text)
    if places != 1:
        raise ValueError(f"{PAGE.name} has to have one place for the table, and has {places}")
    return made


def write() -> None:
    """Write the table and the picture into the documentation."""
    found = outcomes()
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    PICTURE.write_text(picture(found), encoding="utf-8")
    print(f"wrote {PAGE.name} and {PICTURE.name}")


def main() -> None:
    floods = ", ".join(f"{flood.runs:,} at once" for flood in FLOODS)
    print(f"\none hour in virtual time   (seed {SEED}: {len(hour()):,} runs of {GUILDS} servers and floods of {floods}; "
          f"{SLOTS} slots; waits of the quieter half)")  # fmt: skip
    made = rows(outcomes())
    widths = [max(len(row[place]) for row in made) for place in range(len(COLUMNS))]
    for row in made:
        print("  " + "   ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]))
