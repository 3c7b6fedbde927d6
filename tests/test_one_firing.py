"""One firing, from "in 1 second" to everybody knowing: the whole path in five minutes' reading.

Nothing is mocked: a real SQLite file, the real scheduler, governor, dispatcher and journal, in one process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from core.app import App
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from schedule_zero import Context, Handler, method
from schedule_zero.event import Event
from schedule_zero.run import RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger


class Kitchen(Handler):
    """A handler: a program that does work. This one remembers what it was asked to do."""

    def __init__(self) -> None:
        self.done: list[tuple[str, str, int]] = []

    @method(timeout=5)
    async def brew(self, ctx: Context, what: str) -> dict[str, str]:
        self.done.append((ctx.run_id, what, ctx.attempt))
        return {"served": what}


async def test_a_schedule_fires_once_and_everybody_hears_of_it(tmp_path: Path) -> None:
    kitchen, heard, finished = Kitchen(), list[Event](), asyncio.Event()

    async def listen(events: Sequence[Event]) -> None:
        heard.extend(events)
        if any(event.kind == "schedule.completed" for event in heard) and any(
            event.kind == "run.succeeded" for event in heard
        ):
            finished.set()

    app = App(store=StoreSettings(), data_dir=tmp_path, governor=GovernorSettings())
    app.serve(kitchen)
    app.subscribe("story", listen)

    async with app.running():
        # Somebody says what and when. The words become a trigger, and are said back with the time they mean.
        schedule = await app.client.create_schedule(
            ScheduleSpec(
                handler="kitchen",
                method="brew",
                args={"what": "tea"},
                trigger=TextTrigger(text="in 1 second"),
                timezone="Europe/Berlin",
            )
        )
        assert schedule.state == "active"
        assert len(schedule.next_fire_times) == 1

        # A second later it is due. Nobody does anything here; the test only waits to hear of it.
        async with asyncio.timeout(10):
            await finished.wait()

        # The work was done once, with what was asked for.
        assert [(what, attempt) for _, what, attempt in kitchen.done] == [("tea", 1)]

        # The ledger has one run, with one attempt, and what came out of it.
        page = await app.client.list_runs(schedule_id=schedule.id)
        assert [run.state for run in page.items] == [RunState.SUCCEEDED]
        run = page.items[0]
        assert run.id == kitchen.done[0][0]
        assert run.result == {"served": "tea"}
        assert [attempt.outcome for attempt in run.attempts] == ["succeeded"]

        # Everything that happened was told, in order, each event written with the change it tells of.
        told = [event.kind for event in heard if event.schedule_id == schedule.id]
        assert told == ["schedule.created", "run.created", "schedule.completed", "run.dispatched", "run.succeeded"]

    # After the end, a new start finds nothing left to do: it fired once, for good.
    kitchen.done.clear()
    again = App(store=StoreSettings(), data_dir=tmp_path, governor=GovernorSettings())
    again.serve(kitchen)
    async with again.running():
        after = await again.client.get_schedule(schedule.id)
        assert (after.state, after.next_fire_times) == ("done", ())
    assert kitchen.done == []
