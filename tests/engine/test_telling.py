"""The publisher and the janitor: who is told, from where on, and what time alone makes necessary."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from core.app import App
from core.engine.janitor import Retention
from core.engine.ports import Pace
from core.governor.settings import GovernorSettings
from core.ledger.settings import StoreSettings
from schedule_zero.event import Event
from schedule_zero.instant import DAY, HOUR, SECOND
from schedule_zero.run import RunState
from schedule_zero.schedule import Schedule
from schedule_zero.trigger import DateTrigger, IntervalTrigger
from tests.engine.house import PACE, House

Build = Callable[..., Awaitable[House]]


class Ear:
    """Listens; drops the pages it is told to drop."""

    def __init__(self, failures: int = 0) -> None:
        self.heard: list[Event] = []
        self.pages = 0
        self._failures = failures
        self._more = asyncio.Event()

    async def deliver(self, events: Sequence[Event]) -> None:
        self.pages += 1
        if self._failures:
            self._failures -= 1
            raise RuntimeError("I did not hear that")
        self.heard.extend(events)
        self._more.set()

    async def wait_for(self, kind: str, count: int = 1) -> None:
        async with asyncio.timeout(10):
            while [event.kind for event in self.heard].count(kind) < count:
                self._more.clear()
                await self._more.wait()


class Listening:
    """A durable subscriber that is told until it leaves."""

    def __init__(self, house: House, ear: Ear, name: str = "ear") -> None:
        self._house, self._ear, self._name = house, ear, name

    async def __aenter__(self) -> Ear:
        self._task = asyncio.create_task(self._house.engine.publisher.serve(self._name, self._ear))
        async with asyncio.timeout(10):
            while await self._house.ledger.reader.journal.cursor(self._name) is None:
                await asyncio.sleep(0.001)
        return self._ear

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


async def test_a_new_subscriber_hears_what_happens_from_now_on(house: House) -> None:
    await house.schedule()
    async with Listening(house, Ear()) as ear:
        await house.schedule()
        await ear.wait_for("schedule.created")
        assert len(ear.heard) == 1


async def test_a_subscriber_that_was_away_hears_what_it_missed_in_order_and_once(build: Build) -> None:
    house = await build()
    async with Listening(house, Ear()) as ear:
        await house.schedule()
        await ear.wait_for("schedule.created")
    places = [await house.schedule() for _ in range(5)]
    await house.kill()
    await house.open()
    later = Ear()
    async with Listening(house, later):
        await later.wait_for("schedule.created", 5)
        assert [event.schedule_id for event in later.heard] == [schedule.id for schedule in places]
        assert [event.seq for event in later.heard] == sorted(event.seq for event in later.heard)


async def test_a_page_is_repeated_until_it_was_taken(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.publisher.RETRY_S", 0.001)
    async with Listening(house, Ear(failures=3)) as ear:
        await house.schedule()
        await ear.wait_for("schedule.created")
        await house.schedule()
        await ear.wait_for("schedule.created", 2)
        assert [event.kind for event in ear.heard] == ["schedule.created"] * 2
        assert ear.pages >= 5


async def test_a_subscriber_that_fails_does_not_hold_up_another(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.publisher.RETRY_S", 0.001)
    async with Listening(house, Ear(failures=1_000_000), "deaf"), Listening(house, Ear(), "good") as good:
        await house.schedule()
        await good.wait_for("schedule.created")


async def test_a_crash_between_telling_and_acknowledging_repeats_and_loses_nothing(build: Build) -> None:
    house = await build()
    blocked = asyncio.Event()

    class Stuck(Ear):
        async def deliver(self, events: Sequence[Event]) -> None:
            await super().deliver(events)
            blocked.set()
            await asyncio.Event().wait()

    async with Listening(house, Stuck()) as first:
        await house.schedule()
        await blocked.wait()
    await house.kill()
    await house.open()
    async with Listening(house, Ear()) as second:
        await second.wait_for("schedule.created")
    assert [event.seq for event in first.heard] == [event.seq for event in second.heard]


async def test_following_goes_on_from_a_place_or_from_now_and_keeps_no_cursor(house: House) -> None:
    await house.schedule()
    after = (await house.told())[-1].seq
    follow = house.engine.publisher.follow(None, lambda event: event.kind == "schedule.created")
    coming = asyncio.ensure_future(anext(follow))
    await house.until(lambda: len(house.engine.publisher._nudges) == 1)
    await asyncio.sleep(0)
    second = await house.schedule()
    async with asyncio.timeout(10):
        assert (await coming).schedule_id == second.id
    await follow.aclose()  # type: ignore[attr-defined]
    again = house.engine.publisher.follow(after, lambda event: True)
    async with asyncio.timeout(10):
        assert (await anext(again)).schedule_id == second.id
    await again.aclose()  # type: ignore[attr-defined]
    assert house.engine.publisher._nudges == set()


async def test_following_hears_every_event_exactly_once_while_much_happens(house: House) -> None:
    follow = house.engine.publisher.follow(0, lambda event: event.kind == "schedule.created")
    wanted = 60

    async def make() -> None:
        await asyncio.gather(*(house.schedule() for _ in range(wanted)))

    making = asyncio.create_task(make())
    async with asyncio.timeout(10):
        seen = [(await anext(follow)).seq for _ in range(wanted)]
    await making
    await follow.aclose()  # type: ignore[attr-defined]
    assert seen == sorted(set(seen))


async def test_following_a_long_past_lets_others_have_their_turn(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.publisher.PAGE", 1)
    for _ in range(10):
        await house.schedule()
    head, turns, at_its_end = (await house.told())[-1].seq, 0, asyncio.Event()

    def wanted(event: Event) -> bool:
        if event.seq == head:
            at_its_end.set()
        return False

    async def turn() -> None:
        nonlocal turns
        while not at_its_end.is_set():
            turns += 1
            await asyncio.sleep(0)

    follow = house.engine.publisher.follow(head - 10, wanted)
    coming = asyncio.ensure_future(anext(follow))
    await turn()
    assert turns >= 10
    coming.cancel()
    await asyncio.gather(coming, return_exceptions=True)


# ── the janitor ────────────────────────────────────────────────────────────────────────────────────────────────


async def paused(house: House, trigger: DateTrigger | IntervalTrigger, **fields: object) -> Schedule:
    schedule = await house.schedule(trigger, **fields)  # type: ignore[arg-type]
    return await house.client.pause_schedule(schedule.id, until=house.clock.in_s(60))


async def test_a_schedule_paused_until_a_moment_resumes_by_itself_and_makes_up_for_nothing(house: House) -> None:
    schedule = await paused(house, IntervalTrigger(every="PT20S", start=house.clock.in_s(5)))
    house.clock.move(61)
    await house.heard("schedule.resumed", schedule_id=schedule.id)
    after = await house.client.get_schedule(schedule.id)
    assert (after.state, after.paused_until, after.note) == ("active", None, None)
    assert await house.runs(schedule.id) == []
    house.clock.move(20)
    await house.heard("run.succeeded", schedule_id=schedule.id)


async def test_a_one_shot_whose_time_came_while_it_was_paused_does_not_vanish_silently(house: House) -> None:
    schedule = await paused(house, DateTrigger(at=house.clock.in_s(30)))
    house.clock.move(61)
    await house.heard("schedule.completed", schedule_id=schedule.id)
    skipped = await house.heard("run.skipped", schedule_id=schedule.id, reason="missed")
    (run,) = await house.runs(schedule.id)
    assert run.id == skipped.run_id
    assert run.missed is not None
    assert (run.state, run.reason, run.missed.count) == (RunState.SKIPPED, "missed", 1)
    assert (await house.client.get_schedule(schedule.id)).state == "done"
    again = await house.client.retry_run(run.id)
    assert (await house.ended(again.id)).state is RunState.SUCCEEDED


async def test_a_series_that_ended_while_it_was_paused_tells_what_was_missed(house: House) -> None:
    trigger = IntervalTrigger(every="PT10S", start=house.clock.in_s(5))
    schedule = await paused(house, trigger, until=house.clock.in_s(36))
    house.clock.move(61)
    await house.heard("schedule.completed", schedule_id=schedule.id)
    (run,) = await house.runs(schedule.id)
    assert run.missed is not None
    assert run.missed.count == 4


async def test_a_paused_schedule_whose_rule_is_broken_is_blocked_and_ends_nothing_else(house: House) -> None:
    broken = await paused(house, IntervalTrigger(every="PT20S"))
    fine = await paused(house, IntervalTrigger(every="PT20S"))
    await house.rewrite(broken.id, trigger='{"type":"cron","expression":"no rule"}')
    house.clock.move(61)
    await house.heard("schedule.blocked", schedule_id=broken.id, reason="trigger")
    await house.heard("schedule.resumed", schedule_id=fine.id)
    assert (await house.client.get_schedule(broken.id)).state == "blocked"


async def test_what_is_older_than_its_retention_goes_and_the_rest_stays(build: Build) -> None:
    keep = Retention(runs=10 * DAY, events=5 * DAY, audit=DAY, deleted=DAY)
    house = await build(retention=keep, pace=Pace(longest_sleep_s=PACE.longest_sleep_s, janitor_s=3600))
    schedule = await house.schedule()
    old = await house.run_now(schedule)
    await house.ended(old.id)
    gone = await house.schedule(DateTrigger(at=house.clock.in_s(5 * 86_400)))
    await house.client.delete_schedule(gone.id)
    house.clock.move(11 * 86_400)
    new = await house.run_now(schedule)
    await house.ended(new.id)
    await house.engine.janitor.sweep()
    assert [run.id for run in await house.runs(schedule.id)] == [new.id]
    assert await house.ledger.reader.schedules.get(gone.id) is None
    assert {event.run_id for event in await house.told("run.succeeded")} == {new.id}
    assert (await house.client.get_schedule(schedule.id)).state == "active"


async def test_after_an_outage_longer_than_events_are_kept_a_subscriber_is_told_what_is_left(build: Build) -> None:
    house = await build(run=False, retention=Retention(events=HOUR), pace=Pace(janitor_s=3600))
    async with Listening(house, Ear(), "bot"):
        pass
    await house.schedule()  # the bot was not told of it any more
    await house.kill()
    house.clock.move(2 * HOUR / SECOND)
    await house.open(run=False)
    await house.engine.janitor.sweep()
    missed = await house.schedule()
    async with Listening(house, Ear(), "bot") as back:
        await back.wait_for("schedule.created")
    assert [event.schedule_id for event in back.heard] == [missed.id]


async def test_the_place_of_a_subscriber_that_does_not_come_back_is_forgotten(build: Build) -> None:
    house = await build(run=False, retention=Retention(events=HOUR), pace=Pace(janitor_s=3600))
    async with Listening(house, Ear(), "gone"):
        await house.schedule()
    await house.schedule()
    house.clock.move(2 * HOUR / SECOND)
    await house.schedule()
    await house.engine.janitor.sweep()
    assert await house.ledger.reader.journal.cursor("gone") is None


async def test_sweeping_goes_page_by_page(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.janitor.PAGE", 3)
    house = await build(retention=Retention(runs=HOUR, events=HOUR), pace=Pace(janitor_s=3600))
    schedule = await house.schedule()
    for _ in range(8):
        await house.ended((await house.run_now(schedule)).id)
    house.clock.move(2 * HOUR / SECOND)
    await house.engine.janitor.sweep()
    assert await house.runs(schedule.id) == []
    assert await house.told() == []


async def test_a_new_subscriber_has_its_place_before_anybody_can_ask_for_anything(tmp_path: Path) -> None:
    app = App(store=StoreSettings(url="memory"), data_dir=tmp_path, governor=GovernorSettings())
    ear = Ear()
    app.subscribe("ear", ear.deliver)
    async with app.running():
        assert await app.ledger.reader.journal.cursor("ear") is not None
