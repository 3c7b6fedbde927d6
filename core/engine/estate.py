"""Estate: taking up and laying down guilds in the running engine.

A core that works for all takes everything up once, at its start; one of several whenever its territory changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from core.engine.dispatch import RATE, Dispatcher
from core.engine.flights import Flights
from core.engine.handover import Handover
from core.engine.recovery import Recovery
from core.engine.settle import Settler
from core.engine.territory import Territory, busy_buckets
from core.engine.tick import Tick
from core.engine.usher import Usher
from core.engine.waiting import WaitingRoom
from core.governor.own_scopes import schedule_of
from core.governor.sends import guild_of
from core.governor.verdict import scope_of
from core.ledger.buckets import bucket_of
from core.ledger.port import Ledger
from core.ledger.rows import RunRow, ScheduleRow
from schedule_zero.run import RunState

_GUILD: Final = "guild:"
_PERSON: Final = "person:"


class Consequences(Protocol):
    """What the engine does with what others left, and when its territory has changed."""

    def runs_created(self, runs: list[RunRow]) -> None: ...
    def runs_withdrawn(self, run_ids: list[str]) -> None: ...
    def cancel_open(self, run_ids: list[str]) -> None: ...
    async def schedules_changed(self, rows: list[ScheduleRow]) -> None: ...
    def territory_changed(self) -> None: ...


class Estate:
    """The parts of an engine that hold something of a guild."""

    def __init__(
        self, *, ledger: Ledger, territory: Territory, flights: Flights, room: WaitingRoom, tick: Tick,
        dispatcher: Dispatcher, settler: Settler, recovery: Recovery, usher: Usher, consequences: Consequences,
    ) -> None:  # fmt: skip
        self._ledger = ledger
        self._territory = territory
        self._flights = flights
        self._room = room
        self._tick = tick
        self._dispatcher = dispatcher
        self._settler = settler
        self._recovery = recovery
        self._usher = usher
        self._consequences = consequences

    async def take_up_all(self) -> None:
        """What the last end left open; at the start of a core that works for everybody."""
        self._dispatcher.restore_rates(await self._ledger.reader.notes.all(RATE))
        await self._recovery.open_runs()
        await self._settler.drain()
        await self._usher.fill()

    async def take_up(self, buckets: Iterable[int]) -> None:
        """Work for these: as after a start, with what the ledger holds of them.

        What is under way comes first, and nothing is awaited between that and the new territory: else a run could begin
        beside another one of its schedule.
        """
        some = sorted(buckets)
        self._dispatcher.restore_rates(await self._rates_of(some))
        await self._settler.drain()
        await self._recovery.open_runs(some)
        self._territory.add(some)
        await self._settler.drain()
        await self._usher.fill(some)
        self._tick.forget()
        self._consequences.territory_changed()

    async def _rates_of(self, buckets: list[int]) -> dict[str, str]:
        """What is stored of the rates of these. A schedule's scope does not name its guild, so its row is asked."""
        rates = await self._ledger.reader.notes.all(RATE)
        schedules = {scope: id for scope in rates if (id := schedule_of(scope)) is not None}
        rows = await self._ledger.reader.schedules.get_many(list(schedules.values())) if schedules else {}
        theirs = {scope for scope, id in schedules.items() if id in rows and bucket_of(rows[id].guild_id) in buckets}
        return {scope: ahead for scope, ahead in rates.items() if scope in theirs or _is_of(scope, buckets)}

    async def lay_down(self, buckets: Iterable[int]) -> None:
        """Make no more runs in these and give none out; on return none is on its way."""
        self._territory.drop(buckets)
        self._room.clear_out(self._territory.owns)
        await self._dispatcher.settled()
        self._room.clear_out(self._territory.owns)
        await self._tick.idle()
        self._tick.forget()
        await self._settler.drain()
        self._dispatcher.leave_rates(self._territory.owns)

    def under_way(self) -> Mapping[int, int]:
        """How many attempts are under way, in each bucket that has any."""
        return busy_buckets(flight.order.guild_id for flight in self._flights)

    async def take_over(self, handover: Handover) -> None:
        """Look at what another core left: everything is as the ledger has it by now."""
        reader = self._ledger.reader
        if handover.schedules:
            await self._consequences.schedules_changed(
                list((await reader.schedules.get_many(handover.schedules)).values())
            )
        touched = [*handover.runs, *handover.withdrawn]
        rows = await reader.runs.get_many(touched) if touched else {}
        ended = [id for id in handover.withdrawn if id not in rows or rows[id].ended is not None]
        self._consequences.runs_withdrawn(ended)
        self._consequences.runs_created(
            [rows[id] for id in handover.runs if id in rows and rows[id].state is RunState.WAITING]
        )
        self._consequences.cancel_open(handover.cancel)
        if handover.answers:
            self._settler.take(handover.answers)
            await self._settler.drain()


def _is_of(scope: str, buckets: list[int]) -> bool:
    """Whether a rate is that of a guild in one of these buckets."""
    if scope == scope_of(None):
        return bucket_of(None) in buckets
    if scope.startswith(_PERSON):
        return bucket_of(None) in buckets
    guild_id = scope.removeprefix(_GUILD) if scope.startswith(_GUILD) else guild_of(scope)
    return guild_id is not None and bucket_of(guild_id) in buckets
