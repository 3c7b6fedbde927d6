"""A chain as one thing: schedules that run after each other, and how it looks drawn as a tree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from schedule_zero.instant import say_duration
from schedule_zero.schedule import AfterWhen, RunSummary

Trouble = Literal["cycle", "gone", "foreign", "never"]

_WHEN: Final[Mapping[AfterWhen, str]] = {
    "success": "on success", "failure": "on failure", "any": "in any case", "all": "when all have succeeded",
}  # fmt: skip


class ChainNode(msgspec.Struct, kw_only=True):
    """One schedule of a chain.

    Attributes:
        state: a schedule's state, or ``gone``: there is no such schedule any more.
        words: when it runs.
        last_run: its newest run.
    """

    id: str
    name: str | None
    state: str
    what: str = ""
    words: str = ""
    next_fire_time: str | None = None
    last_run: RunSummary | None = None

    @property
    def title(self) -> str:
        """Its name, else its id."""
        return self.name or self.id


class ChainEdge(msgspec.Struct, kw_only=True):
    """A link: ``child`` runs after ``parent``."""

    parent: str
    child: str
    when: AfterWhen
    delay: str


class ChainView(msgspec.Struct, kw_only=True):
    """Schedules that hang together: parents before their children."""

    nodes: tuple[ChainNode, ...]
    edges: tuple[ChainEdge, ...]
    notes: tuple[str, ...] = ()


class ChainPage(msgspec.Struct, kw_only=True):
    """A page of chains."""

    items: tuple[ChainView, ...]
    next: str | None = None


class ChainTrouble(msgspec.Struct, kw_only=True):
    """Something wrong with a chain, and the schedules it concerns."""

    kind: Trouble
    schedules: tuple[str, ...]
    words: str


class ChainReport(msgspec.Struct, kw_only=True):
    """What is wrong with the chains that were looked at; ``links``: how many links that were."""

    links: int
    items: tuple[ChainTrouble, ...]


def drawn(chain: ChainView) -> str:
    """A chain as a tree in text, one line for a schedule. One that runs after several is drawn below the first of them; where
    it comes again, a line refers to that."""
    nodes = {node.id: node for node in chain.nodes}
    below: dict[str, list[ChainEdge]] = {}
    for edge in chain.edges:
        below.setdefault(edge.parent, []).append(edge)
    children = {edge.child for edge in chain.edges}
    roots = [node.id for node in chain.nodes if node.id not in children]
    lines: list[str] = []
    seen: set[str] = set()

    def draw(id: str, before: str, below_it: str, how: str) -> None:
        node = nodes[id]
        if id in seen:
            lines.append(f"{before}{how}{node.title} (see above)")
            return
        seen.add(id)
        lines.append(f"{before}{how}{_said(node)}")
        edges = below.get(id, [])
        for place, edge in enumerate(edges, 1):
            last = place == len(edges)
            draw(edge.child, below_it + ("└─ " if last else "├─ "), below_it + ("   " if last else "│  "), _how(edge))

    for id in roots:
        draw(id, "", "", "")
    for node in chain.nodes:  # in a circle nothing is a root
        if node.id not in seen:
            draw(node.id, "", "", "")
    return "\n".join(lines)


def _how(edge: ChainEdge) -> str:
    later = "" if edge.delay == "PT0S" else f", {say_duration(edge.delay)} later"
    return f"{_WHEN[edge.when]}{later}: "


def _said(node: ChainNode) -> str:
    state = "" if node.state == "active" else f" [{node.state}]"
    run = node.last_run
    last = "" if run is None else f" · last run {run.state.replace('_', ' ')}"
    return f"{node.title}{state}{last}"
