"""The use cases about chains: schedules that run after each other, added to, taken apart, shown and checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from core.ledger.rows import LinkRow, ScheduleRow, links_of
from core.service import access
from core.service.chaining import MOST_TOGETHER, Rows, spelled, surroundings, title_of
from core.service.changing import Changing
from core.service.desk import Desk
from core.service.finding import cursor_in, page_length
from core.service.graph import Pair, cycle_in, in_order, together
from core.service.render import NO_TRIGGER, run_summary
from core.service.schedules import Schedules
from core.timing.zones import zone
from schedule_zero import chain as views
from schedule_zero import requests as ask
from schedule_zero.actor import Actor
from schedule_zero.audit import Action
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.instant import spell
from schedule_zero.schedule import After, Schedule

MOST_LINKS: Final = 20_000
"""So many are looked at for one listing; a guild has far fewer."""
LONGEST_PAGE: Final = 100
GONE: Final = "gone"


class Chains:
    """Chains, for those who may see the schedules in them."""

    def __init__(self, desk: Desk, schedules: Schedules) -> None:
        self._desk = desk
        self._schedules = schedules
        self._changing = Changing(desk)

    async def add(self, actor: Actor, request: ask.AddLink) -> Schedule:
        """Let a schedule run after another, besides what it runs after already."""
        before = await self._changing.existing(actor, request.item, None)
        link = After(schedule=request.after, when=request.when, delay=request.delay)
        others = [each for each in links_of(before) if (each.schedule, each.when) != (link.schedule, link.when)]
        return await self._schedules.edit(actor, request, before, {"after": spelled([*others, link])}, Action.CHAIN_ADD)

    async def remove(self, actor: Actor, request: ask.RemoveLink) -> Schedule:
        """Let it run after that one no more. Raises NotFound, and Conflict where nothing would start it then."""
        before = await self._changing.existing(actor, request.item, None)
        gone = [
            each for each in links_of(before)
            if each.schedule == request.after and request.when in (None, each.when)
        ]  # fmt: skip
        if not gone:
            case = "" if request.when is None else f" on {request.when}"
            raise NotFound(f"{title_of(before, before.id)} does not run after {request.after!r}{case}.")
        left = [each for each in links_of(before) if each not in gone]
        if not left and before.trigger == NO_TRIGGER:
            raise Conflict("Nothing would start this schedule any more; give it a time first, or delete it.")
        return await self._schedules.edit(actor, request, before, {"after": spelled(left)}, Action.CHAIN_REMOVE)

    async def get(self, actor: Actor, request: ask.GetChain) -> views.ChainView:
        """Everything that hangs together with a schedule; alone it is a chain of one."""
        row = await self._desk.reader.schedules.get(request.schedule)
        row = access.require_schedule(actor, row, request.schedule)
        pairs, whole = await surroundings(self._desk.reader.links, [row.id])
        notes = () if whole else (f"only {MOST_TOGETHER} schedules are shown",)
        return await self._view(actor, {row.id, *(id for pair in pairs for id in pair)}, pairs, notes)

    async def page(self, actor: Actor, request: ask.ListChains) -> views.ChainPage:
        """The chains of a guild, each once."""
        limit, after = page_length(request.limit, LONGEST_PAGE), cursor_in(request.cursor, "sch") or ""
        rows, links = await self._links(actor, request.guild_id, any_guild=request.any_guild)
        pairs = [(link.parent, link.child) for link in links if link.child in rows]
        chains = [some for some in together(pairs) if min(some) > after]
        items = [
            await self._view(actor, some, [pair for pair in pairs if pair[1] in some], ()) for some in chains[:limit]
        ]
        return views.ChainPage(items=tuple(items), next=min(chains[limit - 1]) if len(chains) > limit else None)

    async def check(self, actor: Actor, request: ask.CheckChains) -> views.ChainReport:
        """What is wrong with the chains of a guild."""
        rows, links = await self._links(actor, request.guild_id, any_guild=request.any_guild)
        pairs = [(link.parent, link.child) for link in links if link.child in rows]
        known = dict(rows) | await self._desk.reader.schedules.get_many(sorted({parent for parent, _ in pairs}))
        return views.ChainReport(links=len(pairs), items=tuple(troubles(pairs, known)))

    async def _links(self, actor: Actor, guild_id: str | None, *, any_guild: bool) -> tuple[Rows, list[LinkRow]]:
        """The links of a guild, and those of their children that the actor may see."""
        if any_guild and not access.runs_service(actor):
            guild_id, any_guild = actor.guild_id, False
        if guild_id is not None:
            access.require_guild(actor, guild_id, change=False)
        reader = self._desk.reader
        links = await reader.links.of_guild(guild_id, MOST_LINKS, any_guild=any_guild)
        found = await reader.schedules.get_many(sorted({link.child for link in links}))
        return {id: row for id, row in found.items() if access.may_see(actor, row)}, links

    async def _view(
        self, actor: Actor, ids: Iterable[str], pairs: Sequence[Pair], notes: tuple[str, ...]
    ) -> views.ChainView:
        """Some schedules and the links between them. What the actor may not see does not exist; what is gone is shown as gone."""
        wanted = sorted(ids)
        rows = await self._desk.reader.schedules.get_many(wanted)
        hidden = {id for id, row in rows.items() if not access.may_see(actor, row)}
        newest = await self._desk.reader.runs.newest([id for id in wanted if id not in hidden])
        shown = [id for id in in_order(wanted, pairs) if id not in hidden]
        nodes = tuple(_node(id, rows.get(id)) for id in shown)
        for node in nodes:
            run, row = newest.get(node.id), rows.get(node.id)
            if run is not None and row is not None:
                node.last_run = run_summary(run, zone(row.timezone))
        gone = [node.title for node in nodes if node.state == GONE]
        if gone:
            notes = (*notes, f"{', '.join(gone)} {'is' if len(gone) == 1 else 'are'} gone: nothing follows any more")
        return views.ChainView(nodes=nodes, edges=tuple(_edges(shown, rows)), notes=notes)


def troubles(pairs: Sequence[Pair], rows: Mapping[str, ScheduleRow]) -> Iterable[views.ChainTrouble]:
    """What is wrong with some links. ``rows``: the schedules there are at their ends."""
    way = cycle_in(pairs)
    if way is not None:
        words = f"runs go round in a circle: {' → '.join(title_of(rows.get(id), id) for id in way)}"
        yield views.ChainTrouble(kind="cycle", schedules=tuple(way[:-1]), words=words)
    alive: dict[str, bool] = {}
    for parent, child in pairs:
        above, below = rows.get(parent), rows[child]
        title = title_of(below, child)
        there = above is not None and above.state != "deleted"
        alive[child] = alive.get(child, False) or there
        if not there:
            words = f"{title} runs after {title_of(above, parent)}, which is gone; take the link away"
            yield views.ChainTrouble(kind="gone", schedules=(child, parent), words=words)
        elif above is not None and above.guild_id != below.guild_id:
            words = f"{title} runs after a schedule of another server; take the link away"
            yield views.ChainTrouble(kind="foreign", schedules=(child, parent), words=words)
    for child, lives in sorted(alive.items()):
        if not lives and rows[child].trigger == NO_TRIGGER:
            words = f"nothing starts {title_of(rows[child], child)}: it has no times of its own, and what it ran after is gone"
            yield views.ChainTrouble(kind="never", schedules=(child,), words=words)


def _node(id: str, row: ScheduleRow | None) -> views.ChainNode:
    if row is None:
        return views.ChainNode(id=id, name=None, state=GONE)
    state = GONE if row.state == "deleted" else row.state
    due = None if row.next_due is None else spell(row.next_due, zone(row.timezone))
    return views.ChainNode(
        id=id, name=row.name, state=state, what=f"{row.handler}.{row.method}", words=row.words, next_fire_time=due
    )


def _edges(shown: Sequence[str], rows: Mapping[str, ScheduleRow]) -> Iterable[views.ChainEdge]:
    among = set(shown)
    for id in shown:
        row = rows.get(id)
        for link in links_of(row) if row is not None and row.state != "deleted" else ():
            if link.schedule in among:
                yield views.ChainEdge(parent=link.schedule, child=id, when=link.when, delay=link.delay)
