"""Graph: what is so of links between schedules, whoever they are. Pure. A link is (parent, child)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Pair = tuple[str, str]


def children_by_parent(pairs: Iterable[Pair]) -> dict[str, list[str]]:
    """Who runs after each."""
    found: dict[str, list[str]] = {}
    for parent, child in pairs:
        found.setdefault(parent, []).append(child)
    return found


def cycle_in(pairs: Iterable[Pair]) -> list[str] | None:
    """A way round from a schedule to itself, in the order in which they would run, its beginning named twice."""
    below = children_by_parent(pairs)
    done: set[str] = set()
    for start in below:
        way: list[str] = []
        on_way: set[str] = set()
        steps = [(start, False)]
        while steps:
            id, leaving = steps.pop()
            if leaving:
                on_way.discard(way.pop())
                done.add(id)
            elif id in on_way:
                return [*way[way.index(id) :], id]
            elif id not in done:
                way.append(id)
                on_way.add(id)
                steps.append((id, True))
                steps += [(child, False) for child in reversed(below.get(id, []))]
    return None


def in_order(ids: Iterable[str], pairs: Sequence[Pair]) -> list[str]:
    """Parents before their children; in a circle as they come."""
    above: dict[str, set[str]] = {}
    for parent, child in pairs:
        above.setdefault(child, set()).add(parent)
    left, found, placed = sorted(ids), [], set[str]()
    while left:
        ready = [id for id in left if above.get(id, set()) <= placed] or left[:1]
        found += ready
        placed.update(ready)
        left = [id for id in left if id not in placed]
    return found


def longest_through(id: str, pairs: Sequence[Pair]) -> int:
    """How many schedules the longest way holds that goes through one of them. There must be no circle."""
    down = children_by_parent(pairs)
    up = children_by_parent((child, parent) for parent, child in pairs)
    return _longest(id, down) + _longest(id, up) - 1


def _longest(id: str, following: Mapping[str, Sequence[str]]) -> int:
    known: dict[str, int] = {}
    steps = [(id, False)]
    while steps:
        here, leaving = steps.pop()
        if leaving:
            known[here] = 1 + max((known[each] for each in following.get(here, ())), default=0)
        elif here not in known:
            steps.append((here, True))
            steps += [(each, False) for each in following.get(here, ())]
    return known[id]


def most_from_one(pairs: Sequence[Pair]) -> int:
    """How many runs one run can lead to at most, itself among them, when every link it meets is satisfied: a schedule that
    is reached on several ways runs once for each."""
    ids = {id for pair in pairs for id in pair}
    order = in_order(ids, pairs)
    below = children_by_parent(pairs)
    total: dict[str, int] = {}
    for id in reversed(order):
        total[id] = 1 + sum(total[child] for child in below.get(id, ()))
    return max(total.values(), default=1)


def together(pairs: Sequence[Pair]) -> list[set[str]]:
    """The schedules that hang together, by their smallest id."""
    group: dict[str, set[str]] = {}
    for parent, child in pairs:
        one, other = group.setdefault(parent, {parent}), group.setdefault(child, {child})
        if one is not other:
            small, large = sorted((one, other), key=len)
            large |= small
            group.update(dict.fromkeys(small, large))
    return [some for each, some in sorted(group.items()) if each == min(some)]
