"""What attempts tell is in the ledger no later than their outcomes, in few commits, within bounds, and holds up nobody."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from core.engine import logbook
from core.engine.ports import Answer, Order
from schedule_zero import Context
from schedule_zero.actor import OPERATOR
from schedule_zero.run import Progress, Run, RunState
from schedule_zero.transport.wire import MOST_LINES, Line
from schedule_zero.views import RunLog
from tests.engine.conftest import Build
from tests.engine.house import House, Mute


@pytest.fixture
async def house(build: Build) -> House:
    return await build()


@pytest.fixture
async def far(build: Build) -> tuple[House, Mute]:
    """A house whose hands are far away, and say what the test says."""
    house = await build(serve=False)
    mute = Mute(house.engine)
    house.engine.join(mute)
    return house, mute


async def killed_and_back(house: House, run: Run) -> Mute:
    """The core is killed and there again, and so is who works at the run."""
    await house.kill()
    await house.open(serve=False)
    again = Mute(house.engine)
    house.engine.join(again)
    house.engine.came_back(again.instance.name, [(run.id, 1)])
    house.engine.beat(again.instance.name, [(run.id, 1)])
    return again


async def begun(house: House, mute: Mute, **fields: Any) -> tuple[Run, Order]:
    """A run that far hands have."""
    run = await house.run_now(await house.schedule(handler="far", **fields))
    async with asyncio.timeout(10):
        return run, await mute.orders.get()


def say(mute: Mute, order: Order, *texts: str, **fields: Any) -> None:
    mute.answer(order, "progress", lines=[Line(order.due, text) for text in texts], **fields)


async def texts(house: House, run: Run) -> list[str]:
    return [line.text for line in (await log(house, run)).items]


async def log(house: House, run: Run) -> RunLog:
    return await house.client.run_log(run.id, limit=2 * MOST_LINES)


async def test_lines_are_there_when_the_outcome_is(house: House) -> None:
    async def deed(ctx: Context, n: int) -> None:
        for place in range(3):
            ctx.log(f"line {place}")

    house.hands.deed = deed
    run = await house.run_now(await house.schedule())
    await house.heard("run.succeeded", run_id=run.id)
    page = await log(house, run)
    assert [(line.n, line.attempt, line.text) for line in page.items] == [
        (n, 1, f"line {n - 1}") for n in range(1, 4)
    ]  # fmt: skip
    assert (page.next, page.lines, page.ended, page.left_out) == (3, 3, True, 0)
    assert await house.told("run.progress") == []  # the outcome tells


async def test_while_it_runs_lines_and_progress_are_told_once_a_second(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    say(mute, order, "a", fraction=0.5, note="half")
    first = await house.heard("run.progress", run_id=run.id)
    assert first.data == {"attempt": 1, "fraction": 0.5, "note": "half", "lines": 1}
    assert first.seq > (await house.heard("run.started", run_id=run.id)).seq
    say(mute, order, "b")
    say(mute, order, "c")
    assert await house.engine.settler.logbook.turn()  # it is left for later
    assert await texts(house, run) == ["a"]
    house.pass_time(1.0)
    second = await house.heard("run.progress", run_id=run.id, count=2)
    assert second.data == {"attempt": 1, "fraction": 0.5, "note": "half", "lines": 3}
    assert await texts(house, run) == ["a", "b", "c"]
    assert not (await log(house, run)).ended
    assert (await house.client.get_run(run.id)).progress == Progress(fraction=0.5, note="half")
    mute.answer(order)
    assert (await house.ended(run.id)).progress is None


async def test_the_lines_of_many_runs_are_one_commit(far: tuple[House, Mute]) -> None:
    house, mute = far
    runs = [await begun(house, mute) for _ in range(20)]
    commits = 0

    def count() -> None:
        nonlocal commits
        commits += 1

    for _, order in runs:
        mute.answer(order, "started")
    for run, _ in runs:
        await house.heard("run.started", run_id=run.id)
    house.ledger.on_commit(count)
    for _, order in runs:
        say(mute, order, "a", "b")
    await house.heard("run.progress", count=20)
    assert commits == 1


async def test_more_lines_than_one_commit_holds_wait_for_the_next_and_are_all_kept(far: tuple[House, Mute]) -> None:
    house, mute = far
    runs = [await begun(house, mute) for _ in range(5)]
    for run, order in runs:
        mute.answer(order, "started")
        await house.heard("run.started", run_id=run.id)
    commits: list[int] = []
    house.ledger.on_commit(lambda: commits.append(1))
    for _, order in runs:
        say(mute, order, *map(str, range(700)))
    await house.heard("run.progress", count=5)
    assert len(commits) == 5
    for run, _ in runs:
        assert await texts(house, run) == [str(n) for n in range(700)]


async def test_what_is_held_is_written_at_an_orderly_end(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    say(mute, order, "a")
    await house.heard("run.progress", run_id=run.id)
    say(mute, order, "b")
    await house.close()
    await house.open(serve=False)
    assert await texts(house, run) == ["a", "b"]


async def test_an_outcome_never_waits_behind_lines(far: tuple[House, Mute]) -> None:
    house, mute = far
    (talks, talking), (ends, ending) = await begun(house, mute), await begun(house, mute)
    say(mute, talking, "a")
    await house.heard("run.progress", run_id=talks.id)
    house.pass_time(1.0)
    say(mute, talking, "b")
    mute.answer(ending)
    assert await house.engine.settler.logbook.turn()
    assert await texts(house, talks) == ["a"]
    await house.ended(ends.id)
    await house.heard("run.progress", run_id=talks.id, count=2)
    assert await texts(house, talks) == ["a", "b"]


async def test_a_flood_is_thinned_its_ends_are_kept_and_the_others_go_on(house: House) -> None:
    async def deed(ctx: Context, n: int) -> int:
        if n:
            for place in range(50_000):
                ctx.log(str(place))
                if place % 1000 == 0:
                    await asyncio.sleep(0)
        return n

    house.hands.deed = deed
    schedule = await house.schedule(policy={"overlap": "allow"})
    flood = await house.run_now(schedule, n=1)
    quiet = [await house.run_now(schedule) for _ in range(5)]
    for run in [*quiet, flood]:
        assert (await house.ended(run.id)).state is RunState.SUCCEEDED
    page = await log(house, flood)
    assert (page.items[0].text, page.items[-1].text, page.lines) == ("0", "49999", 50_000)
    assert len(page.items) <= MOST_LINES
    assert len(page.items) + sum(line.left_out for line in page.items) == 50_000
    assert [line.n for line in page.items] == [int(line.text) + 1 for line in page.items]


async def test_what_is_held_is_bounded_for_each_instance_and_counted(
    far: tuple[House, Mute], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, mute = far
    monkeypatch.setattr(logbook, "HELD_OF_ONE_BYTES", 1000)
    run, order = await begun(house, mute)
    say(mute, order, *("x" * 100 for _ in range(50)))
    book = house.engine.settler.logbook
    assert book._bytes <= 1100
    say(mute, order, "last")
    mute.answer(order)
    await house.ended(run.id)
    page = await log(house, run)
    assert (len(page.items), page.lines, page.left_out) == (10, 51, 41)
    assert (book._bytes, dict(book._held)) == (0, {})


async def test_when_the_disk_is_low_lines_go_first_and_outcomes_are_kept(
    far: tuple[House, Mute], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    other, second = await begun(house, mute)
    say(mute, order, "a")
    say(mute, second, "a")
    await house.heard("run.progress", run_id=run.id)
    await house.heard("run.progress", run_id=other.id)
    monkeypatch.setattr(house.ledger._driver.room, "ok", False)
    say(mute, order, "b", "c")
    say(mute, second, "lost")
    house.pass_time(1.0)
    book = house.engine.settler.logbook
    await house.until(lambda: book.dropped == 3)
    mute.answer(second, lines=[])
    assert (await house.ended(other.id)).state is RunState.SUCCEEDED
    assert await texts(house, other) == ["a"]
    monkeypatch.setattr(house.ledger._driver.room, "ok", True)
    say(mute, order, "d")
    mute.answer(order)
    await house.ended(run.id)
    assert [(line.n, line.text, line.left_out) for line in (await log(house, run)).items] == [(1, "a", 0), (4, "d", 2)]


async def test_lines_of_an_attempt_that_is_over_are_dropped_and_change_nothing(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, first = await begun(house, mute, policy={"retry": {"max_attempts": 2, "initial": "PT0.01S"}})
    say(mute, first, "of the first")
    mute.answer(first, "failed", error="no")
    house.pass_time(1.0)
    async with asyncio.timeout(10):
        second = await mute.orders.get()
    say(mute, first, "too late", fraction=0.9)
    say(mute, second, "of the second")
    mute.answer(second)
    await house.ended(run.id)
    assert [(line.n, line.attempt, line.text) for line in (await log(house, run)).items] == [
        (1, 1, "of the first"), (2, 2, "of the second"),
    ]  # fmt: skip
    assert house.engine.settler.logbook.dropped == 1


async def test_lines_from_somebody_else_are_not_believed(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    lie = Answer(run_id=run.id, attempt=1, instance="somebody", kind="progress", lines=[Line(0, "a lie")])
    house.engine.answer([lie])
    mute.answer(order)
    await house.ended(run.id)
    assert await texts(house, run) == []


async def test_a_line_was_said_between_the_sending_of_its_attempt_and_now(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    mute.answer(order, "progress", lines=[Line(0, "long ago"), Line(2**52, "far ahead")])
    mute.answer(order)
    ended = await house.ended(run.id)
    old, new = (await log(house, run)).items
    assert old.at == ended.attempts[0].sent
    assert old.at <= new.at <= (ended.attempts[0].ended or "")


async def test_after_a_crash_what_was_written_is_there_once_and_the_numbers_go_on(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    say(mute, order, "a", "b", fraction=0.25, note="a quarter")
    await house.heard("run.progress", run_id=run.id)
    again = await killed_and_back(house, run)
    assert (await house.client.get_run(run.id)).progress == Progress(fraction=0.25, note="a quarter")
    say(again, order, "c")
    again.answer(order)
    await house.ended(run.id)
    page = await log(house, run)
    assert [(line.n, line.text) for line in page.items] == [(1, "a"), (2, "b"), (3, "c")]


async def test_a_line_after_a_quiet_second_is_not_waited_with(
    far: tuple[House, Mute], monkeypatch: pytest.MonkeyPatch
) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    say(mute, order, "a")
    await house.heard("run.progress", run_id=run.id)
    house.pass_time(1.0)
    monkeypatch.setattr(logbook, "EVERY_S", 1_000.0)  # who would have to wait now waits longer than this test does
    say(mute, order, "b")
    await house.heard("run.progress", run_id=run.id, count=2)
    say(mute, order, "c")
    assert await house.engine.settler.logbook.turn()  # it is left for later
    assert await texts(house, run) == ["a", "b"]


async def test_what_was_not_written_when_a_core_is_killed_is_lost_and_the_numbers_go_on_without_it(
    far: tuple[House, Mute],
) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    say(mute, order, "a")
    await house.heard("run.progress", run_id=run.id)
    say(mute, order, "lost")
    assert await house.engine.settler.logbook.turn()  # within the second
    again = await killed_and_back(house, run)
    say(again, order, "b")
    again.answer(order)
    await house.ended(run.id)
    page = await log(house, run)
    assert [(line.n, line.text, line.left_out) for line in page.items] == [(1, "a", 0), (2, "b", 0)]
    assert (page.lines, page.left_out) == (2, 0)


async def test_a_log_is_followed_from_its_first_line_to_the_end_of_the_run(far: tuple[House, Mute]) -> None:
    house, mute = far
    run, order = await begun(house, mute)
    pages: asyncio.Queue[RunLog] = asyncio.Queue()

    async def follow() -> None:
        async for page in house.service.follow_log(OPERATOR, run.id, 0):
            pages.put_nowait(page)

    following = asyncio.create_task(follow())
    found: list[str] = []

    async def until(text: str) -> RunLog:
        async with asyncio.timeout(10):
            while True:
                page = await pages.get()
                found.extend(line.text for line in page.items)
                if text in found:
                    return page

    say(mute, order, "a")
    assert not (await until("a")).ended
    say(mute, order, "b")
    mute.answer(order)
    assert (await until("b")).ended
    assert found == ["a", "b"]
    await following
