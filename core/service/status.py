"""Status: whether the core accepts and fires, and how it is doing."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version

from core.ledger.among import Membership
from core.service.desk import Desk
from core.service.upkeep import Keeping
from schedule_zero.actor import Actor
from schedule_zero.instant import SECOND, spell, spell_duration
from schedule_zero.requests import GetStatus
from schedule_zero.views import Part, Status

OPTIONAL = frozenset({"discord", "playground", "dispatch"})
LAG_LIMIT = 30 * SECOND


class Statuses:
    """Puts the parts' words together."""

    def __init__(self, desk: Desk, parts: Callable[[], dict[str, Part]], upkeep: Keeping) -> None:
        self._desk = desk
        self._parts = parts
        self._upkeep = upkeep

    async def status(self, actor: Actor, request: GetStatus) -> Status:
        """The parts that must work decide ``running``; Discord being away does not, nor that operators drained the core."""
        engine, now = self._desk.engine, self._desk.clock.now()
        lag = engine.tick.lag(now)
        parts = dict(self._parts())
        room = await self._desk.ledger.has_room()
        parts["store"] = Part(ok=room, detail="ok" if room else "the disk is nearly full; nothing new is accepted")
        parts["scheduler"] = Part(
            ok=lag < LAG_LIMIT, detail="ok" if lag < LAG_LIMIT else f"{spell_duration(lag)} behind"
        )
        upkeep = self._upkeep.view(actor)
        if upkeep.drained is not None:
            parts["dispatch"] = Part(ok=False, detail=f"drained since {upkeep.drained.at}: nothing new is given out")
        if (membership := self._desk.ledger.membership) is not None:
            parts["cluster"] = Part(ok=True, detail=_who_is_here(membership))
        running = all(part.ok for name, part in parts.items() if name.partition(".")[0] not in OPTIONAL)
        return Status(
            running=running, version=this_version(),
            last_tick=None if engine.tick.last_commit is None else spell(engine.tick.last_commit),
            schedules=await self._desk.reader.schedules.total(), due=engine.tick.overdue(now),
            waiting=len(engine.room), runs_executed=engine.settler.executed, lag=spell_duration(lag), parts=parts,
            due_times_missed=engine.tick.missed + engine.usher.missed, maintenance=upkeep.maintenance,
        )  # fmt: skip


def _who_is_here(membership: Membership) -> str:
    """The cores on this database, and how guilds are shared out among them."""
    members = membership.members
    each = [
        f"{member.id} ({'this one' if member.id == membership.id else member.place}) {member.held}"
        for member in members
    ]
    return f"{len(members)} core{'s' * (len(members) != 1)}; buckets of guilds held: {', '.join(each)}"


def this_version() -> str:
    """Which ScheduleZero this is."""
    try:
        return version("schedule-zero")
    except PackageNotFoundError:
        return "from source"
