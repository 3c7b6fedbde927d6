"""The picture: how long runs of quiet guilds waited, minute by minute, under each policy. SVG, for light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from benchmarks.fairness.figures import Outcome
from benchmarks.fairness.loads import BEGINS, FLOODS, MINUTE, MINUTES

WIDTH: Final = 860
HEIGHT: Final = 420
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 52, 366
LEAST_S, MOST_S = 0.01, 1000.0
MARKS: Final = ((0.01, "10 ms"), (0.1, "0.1 s"), (1.0, "1 s"), (10.0, "10 s"), (100.0, "100 s"), (1000.0, "1000 s"))
DASHES: Final = ("1.5 4", "7 4", "10 3 2 3", "none")  # told apart without colours, too
LABEL_HEIGHT: Final = 16
STYLE: Final = """\
text { font: 13px system-ui, sans-serif; fill: #24292f; }
.title { font-weight: 600; font-size: 15px; }
.small { font-size: 12px; fill: #57606a; }
.grid { stroke: #d0d7de; }
.mark { stroke: #8c959f; stroke-dasharray: 2 3; }
.line { fill: none; stroke-width: 2; stroke-linejoin: round; }
.p0 { stroke: #8250df; } .p1 { stroke: #bc4c00; } .p2 { stroke: #0969da; } .p3 { stroke: #1a7f37; stroke-width: 3.5; }
.ground { fill: #ffffff; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .small { fill: #9198a1; } .grid { stroke: #30363d; } .mark { stroke: #6e7681; }
  .p0 { stroke: #ab7df8; } .p1 { stroke: #f0883e; } .p2 { stroke: #58a6ff; } .p3 { stroke: #3fb950; }
  .ground { fill: #0d1117; }
}"""


def picture(found: Mapping[str, Outcome]) -> str:
    """The whole drawing."""
    about = "How long runs of quiet servers waited, minute by minute, under " + ", ".join(found)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{about}">',
            f"<style>\n{STYLE}\n</style>",
            f'<rect class="ground" width="{WIDTH}" height="{HEIGHT}"/>',
            f'<text class="title" x="{LEFT}" y="22">How long runs of quiet servers wait</text>',
            f'<text class="small" x="{LEFT}" y="40">99 of 100 wait less; by the minute in which they are due</text>',
            *_grid(),
            *_moments(),
            *_lines(found),
            "</svg>",
            "",
        ]
    )


def _grid() -> Iterator[str]:
    for seconds, label in MARKS:
        y = _y(seconds)
        yield f'<path class="grid" d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}"/>'
        yield f'<text class="small" x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    for minute in range(0, MINUTES, 10):
        hours, minutes = divmod(BEGINS + minute, 60)
        clock = f"{hours:02}:{minutes:02}"
        yield f'<text class="small" x="{_x(minute):.1f}" y="{BOTTOM + 20}" text-anchor="middle">{clock}</text>'


def _moments() -> Iterator[str]:
    """What happens when."""
    floods = {flood.at // MINUTE: 0 for flood in FLOODS}
    for flood in FLOODS:
        floods[flood.at // MINUTE] += 1
    moments = {minute: "a flood" if number == 1 else f"{number} floods" for minute, number in floods.items()}
    moments |= {minute: "the full hour" for minute in range(MINUTES) if (BEGINS + minute) % 60 == 0}
    for minute, label in sorted(moments.items()):
        x = _x(minute)
        yield f'<path class="mark" d="M{x:.1f} {TOP}V{BOTTOM}"/>'
        yield f'<text class="small" x="{x:.1f}" y="{BOTTOM + 38}" text-anchor="middle">{label}</text>'


def _lines(found: Mapping[str, Outcome]) -> Iterator[str]:
    labels = _apart([_y(_last(outcome.by_minute)) for outcome in found.values()])
    for place, (name, outcome) in enumerate(found.items()):
        points = [(_x(minute), _y(wait)) for minute, wait in enumerate(outcome.by_minute) if wait is not None]
        drawn = "L".join(f"{x:.1f} {y:.1f}" for x, y in points)
        yield f'<path class="line p{place}" stroke-dasharray="{DASHES[place]}" d="M{drawn}"/>'
        x, y = WIDTH - RIGHT + 6, labels[place]
        yield f'<path class="line p{place}" stroke-dasharray="{DASHES[place]}" d="M{x} {y:.1f}h18"/>'
        yield f'<text x="{x + 23}" y="{y + 4:.1f}">{name}</text>'


def _last(waits: Sequence[float | None]) -> float:
    return next((wait for wait in reversed(waits) if wait is not None), 0.0)


def _apart(heights: Sequence[float]) -> list[float]:
    """The same heights, moved so that no label lies on another."""
    placed = list(heights)
    free = float(BOTTOM)
    for place in sorted(range(len(placed)), key=lambda each: -placed[each]):
        placed[place] = min(placed[place], free)
        free = placed[place] - LABEL_HEIGHT
    return placed


def _x(minute: int) -> float:
    return LEFT + (WIDTH - RIGHT - LEFT) * minute / (MINUTES - 1)


def _y(seconds: float) -> float:
    """By the logarithm; whatever is below the least stands there."""
    part = math.log(min(MOST_S, max(LEAST_S, seconds)) / LEAST_S) / math.log(MOST_S / LEAST_S)
    return BOTTOM - (BOTTOM - TOP) * part
