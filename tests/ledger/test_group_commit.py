from __future__ import annotations

import asyncio
import contextlib
import gc
import types
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Literal

import pytest

from core.ledger.connection import Fault, Locked, Lost, Mark, NoRoom, Step
from core.ledger.ledger import StoredLedger
from core.ledger.memory import InlineConnection
from core.ledger.port import NameTaken, StaleMove, StoreBusy, StoreClosed, StoreError, StoreFull, Transaction
from core.ledger.rows import ScheduleRow, UsageKey
from core.ledger.schedules import MANY
from core.ledger.statement import Insert
from core.ledger.writer import LEAST_RETRY_S, MOST_UNITS
from tests.ledger.conftest import Opening
from tests.ledger.faults import Between
from tests.ledger.making import begin, dispatch, event, run, save, schedule
from tests.uncollected import only_what_is_new

Doing = Callable[[Transaction], Awaitable[str]]


@pytest.fixture
def between() -> Between:
    return Between()


@pytest.fixture
async def ledger(opening: Opening, between: Between) -> AsyncIterator[StoredLedger]:
    opened = opening(between.wrap)
    await opened.open()
    yield opened
    between.fails, between.hold = lambda step: None, None
    await opened.close()


def inserting(id: str, *, name: str | None = None, then: Exception | None = None) -> Doing:
    async def unit(tx: Transaction) -> str:
        await tx.schedules.insert([schedule(id, name=name)])
        await tx.journal.append([event(schedule_id=id)])
        if then is not None:
            raise then
        return id

    return unit


def failing_at(mark: Mark, error: Fault, times: int = 1) -> Callable[[Step], Fault | None]:
    left = [times]

    def fails(step: Step) -> Fault | None:
        if step.statement is not mark or not left[0]:
            return None
        left[0] -= 1
        return error

    return fails


async def gathered(*units: Awaitable[str]) -> list[str | BaseException]:
    return await asyncio.gather(*units, return_exceptions=True)


async def test_units_that_wait_are_committed_together(ledger: StoredLedger, between: Between) -> None:
    between.hold = asyncio.Event()
    first = asyncio.create_task(ledger.write(inserting("sch_first")))
    await asyncio.sleep(0)
    rest = [asyncio.create_task(ledger.write(inserting(f"sch_{n}"))) for n in range(100)]
    await asyncio.sleep(0)
    before = between.commits
    between.hold.set()
    assert await first == "sch_first"
    assert await gathered(*rest) == [f"sch_{n}" for n in range(100)]
    assert between.commits - before <= 3
    assert await ledger.reader.schedules.count("1") == 101


async def test_a_group_is_bounded(ledger: StoredLedger, between: Between) -> None:
    async def unit(tx: Transaction) -> str:
        return ""

    before = between.commits
    await gathered(*(ledger.write(unit) for _ in range(2 * MOST_UNITS)))
    assert between.commits - before >= 2


async def test_nothing_is_answered_before_it_is_durable(ledger: StoredLedger, between: Between) -> None:
    between.hold = asyncio.Event()
    writing = asyncio.create_task(ledger.write(inserting("sch_1")))
    done, _ = await asyncio.wait([writing], timeout=0.05)
    assert not done
    between.hold.set()
    assert await writing == "sch_1"


async def test_nobody_reads_what_is_not_committed(ledger: StoredLedger, between: Between) -> None:
    between.hold = asyncio.Event()
    writing = asyncio.create_task(ledger.write(inserting("sch_1")))
    await asyncio.wait([writing], timeout=0.02)
    reading = asyncio.create_task(ledger.reader.schedules.count("1"))
    await asyncio.wait([reading], timeout=0.05)
    assert not reading.done() or reading.result() == 0
    between.hold.set()
    await asyncio.gather(writing, reading)
    assert await ledger.reader.schedules.count("1") == 1


@pytest.mark.parametrize("early", [True, False])
async def test_only_the_culprit_of_a_group_gets_the_error(ledger: StoredLedger, early: bool) -> None:
    fault = ValueError("mine")

    async def reads_then_fails(tx: Transaction) -> str:
        await tx.schedules.count("1")
        raise fault

    culprit = reads_then_fails if early else inserting("sch_culprit", then=fault)
    results = await gathered(
        ledger.write(inserting("sch_1")), ledger.write(culprit), ledger.write(inserting("sch_2")),
        ledger.write(inserting("sch_3", name="taken")), ledger.write(inserting("sch_4", name="taken")),
    )  # fmt: skip
    assert results[:4] == ["sch_1", fault, "sch_2", "sch_3"]
    assert isinstance(results[4], NameTaken)
    assert set(await ledger.reader.schedules.get_many([f"sch_{n}" for n in (1, 2, 3, 4, "culprit")])) == {
        "sch_1", "sch_2", "sch_3",
    }  # fmt: skip
    assert [found.schedule_id for found in await ledger.reader.journal.after(0, 10)] == ["sch_1", "sch_2", "sch_3"]


async def test_a_write_that_fails_after_its_unit_returned_is_its_units_error(ledger: StoredLedger) -> None:
    """Moves and events are sent late, together with the next unit's first question."""
    await save(ledger, run("run_1"), run("run_2"))
    await begin(ledger, "run_1")

    async def stale(tx: Transaction) -> str:
        await tx.runs.move([dispatch("run_1")])
        return "not told"

    async def good(tx: Transaction) -> str:
        await tx.runs.move([dispatch("run_2")])
        return "good"

    results = await gathered(ledger.write(good), ledger.write(stale), ledger.write(inserting("sch_1")))
    assert (results[0], results[2]) == ("good", "sch_1")
    assert isinstance(results[1], StaleMove)
    assert await ledger.reader.runs.counts() == {"dispatched": 2}


async def test_a_unit_that_swallows_a_broken_transaction_is_not_committed(ledger: StoredLedger) -> None:
    async def swallows(tx: Transaction) -> str:
        await tx.runs.move([dispatch("run_9")])
        try:
            await tx.runs.get("run_9")
        except StaleMove:
            return "swallowed"
        return "not noticed"

    results = await gathered(ledger.write(swallows), ledger.write(inserting("sch_1")))
    assert isinstance(results[0], StaleMove)
    assert results[1] == "sch_1"


async def test_a_unit_that_failed_leaves_no_trace_in_the_one_that_follows(ledger: StoredLedger) -> None:
    async def keeps_back_then_fails(tx: Transaction) -> str:
        await tx.journal.append([event("run.failed")])
        raise ValueError("after")

    results = await gathered(ledger.write(keeps_back_then_fails), ledger.write(inserting("sch_1")))
    assert isinstance(results[0], ValueError)
    assert [found.kind for found in await ledger.reader.journal.after(0, 10)] == ["schedule.created"]


@pytest.mark.parametrize("moment", ["waiting", "committing"])
async def test_cancelling_the_caller_does_not_cancel_the_unit(
    ledger: StoredLedger, between: Between, moment: str
) -> None:
    between.hold = asyncio.Event()
    ahead = asyncio.create_task(ledger.write(inserting("sch_ahead")))
    if moment == "committing":
        await asyncio.sleep(0)
    caller = asyncio.create_task(ledger.write(inserting("sch_1")))
    await asyncio.sleep(0.01)
    caller.cancel()
    between.hold.set()
    with pytest.raises(asyncio.CancelledError):
        await caller
    await ahead
    await ledger.write(inserting("sch_2"))
    assert await ledger.reader.schedules.get("sch_1") is not None


async def test_listeners_are_told_of_commits_with_events_only(ledger: StoredLedger) -> None:
    told: list[str] = []

    def broken() -> None:
        raise RuntimeError("a listener's fault")

    async def silent(tx: Transaction) -> None:
        await tx.notes.put("kind", {"key": "{}"})

    ledger.on_commit(broken)
    ledger.on_commit(lambda: told.append("commit"))
    await ledger.write(silent)
    assert told == []
    await ledger.write(inserting("sch_1"))
    assert told == ["commit"]


async def test_a_failed_commit_ends_the_store(ledger: StoredLedger, between: Between) -> None:
    await save(ledger, schedule("sch_1"))
    between.fails = failing_at(Mark.COMMIT, Lost("disk I/O error"))
    results = await gathered(ledger.write(inserting("sch_2")), ledger.write(inserting("sch_3")))
    assert all(isinstance(result, StoreClosed) for result in results)
    assert "disk I/O error" in str(await ledger.failed)
    with pytest.raises(StoreClosed):
        await ledger.write(inserting("sch_4"))
    with pytest.raises(StoreClosed):
        await ledger.write_essential(inserting("sch_5"))
    assert await ledger.reader.schedules.get("sch_1") is not None, "reading goes on"


async def test_a_dead_connection_ends_the_store(ledger: StoredLedger, between: Between) -> None:
    def dead(step: Step) -> Fault | None:
        raise ValueError("no active connection")

    between.fails = dead
    failed = asyncio.create_task(_resolved(ledger))
    with pytest.raises(StoreClosed, match="no active connection"):
        await ledger.write(inserting("sch_1"))
    assert isinstance(await failed, StoreError)


async def _resolved(ledger: StoredLedger) -> BaseException:
    return await ledger.failed


async def test_who_waits_for_failure_may_stop_waiting(ledger: StoredLedger) -> None:
    waiting = asyncio.create_task(_resolved(ledger))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await ledger.write(inserting("sch_1"))


async def test_a_database_locked_by_another_program_is_an_error_and_not_the_end(
    ledger: StoredLedger, between: Between
) -> None:
    between.fails = failing_at(Mark.BEGIN, Locked("locked by another program"))
    with pytest.raises(StoreError, match="locked by another program"):
        await ledger.write(inserting("sch_1"))
    assert await ledger.write(inserting("sch_1")) == "sch_1"


@pytest.mark.parametrize("mark", [Mark.COMMIT, Mark.BEGIN])
async def test_a_full_disk_refuses_everything_and_ends_nothing(
    ledger: StoredLedger, between: Between, mark: Mark
) -> None:
    between.fails = failing_at(mark, NoRoom("the disk is full"), times=4)
    results = await gathered(ledger.write(inserting("sch_1")), ledger.write_essential(inserting("sch_2")))
    assert all(isinstance(result, StoreFull) for result in results)
    between.fails = lambda step: None
    assert await ledger.write_essential(inserting("sch_2")) == "sch_2"


async def test_closing_commits_what_waits_and_refuses_what_comes(opening: Opening) -> None:
    ledger = opening(None)
    await ledger.open()
    writing = [asyncio.create_task(ledger.write(inserting(f"sch_{n}"))) for n in range(20)]
    await asyncio.sleep(0)
    await ledger.close()
    assert await gathered(*writing) == [f"sch_{n}" for n in range(20)]
    with pytest.raises(StoreClosed):
        await ledger.write(inserting("sch_99"))
    with pytest.raises(StoreError):
        await ledger.reader.schedules.count("1")
    await ledger.close()


async def test_a_store_that_was_never_opened_says_so(opening: Opening) -> None:
    ledger = opening(None)
    with pytest.raises(StoreClosed, match="not open"):
        await ledger.write(inserting("sch_1"))
    with pytest.raises(StoreClosed, match="not open"):
        ledger.reader  # noqa: B018 - asking is the test
    await ledger.close()


async def test_what_a_stopped_ledger_left_open_is_gone_for_the_next(opening: Opening, between: Between) -> None:
    stopped = opening(between.wrap)
    await stopped.open()
    await save(stopped, schedule("sch_1"))
    between.hold = asyncio.Event()
    hanging = asyncio.create_task(stopped.write(inserting("sch_2")))
    await asyncio.sleep(0.01)
    if isinstance(between.inner, InlineConnection):  # a file stays locked until its process is gone
        following = opening(None)
        await following.open()
        assert set(await following.reader.schedules.get_many(["sch_1", "sch_2"])) == {"sch_1"}
        await following.close()
    between.hold.set()
    hanging.cancel()
    await stopped.close()


async def test_values_no_column_holds_are_the_units_error(ledger: StoredLedger) -> None:
    async def too_big(tx: Transaction) -> str:
        await tx.schedules.insert([schedule("sch_big", anchor=2**63)])
        return ""

    async def no_text(tx: Transaction) -> str:
        await tx.schedules.insert([schedule("sch_half", words="\ud800")])
        return ""

    results = await gathered(ledger.write(too_big), ledger.write(inserting("sch_1")), ledger.write(no_text))
    assert isinstance(results[0], OverflowError)
    assert results[1] == "sch_1"
    assert isinstance(results[2], UnicodeEncodeError)


def many(prefix: str, **fields: str) -> list[ScheduleRow]:
    return [schedule(f"sch_{prefix}{n}", **fields) for n in range(MANY)]


async def test_many_schedules_are_written_while_their_unit_goes_on(ledger: StoredLedger, between: Between) -> None:
    started = asyncio.Event()
    between.fails = lambda step: started.set() if isinstance(step.statement, Insert) else None

    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert(many("a"))
        assert started.is_set()
        await tx.journal.append([event(schedule_id="sch_a0")])
        assert await tx.schedules.count("1") == MANY

    await ledger.write(unit)
    assert await ledger.reader.schedules.count("1") == MANY
    assert [each.schedule_id for each in await ledger.reader.journal.after(0, 10)] == ["sch_a0"]


@pytest.mark.parametrize("then", [None, ValueError("enough")])
async def test_a_write_that_fails_on_its_way_is_its_units_alone(ledger: StoredLedger, then: Exception | None) -> None:
    async def clashing(tx: Transaction) -> str:
        await tx.schedules.insert(many("b", name="tea"))
        if then is not None:
            raise then
        return "unnoticed"

    results = await gathered(ledger.write(inserting("sch_1")), ledger.write(clashing), ledger.write(inserting("sch_2")))
    assert results[0] == "sch_1"
    assert isinstance(results[1], NameTaken if then is None else ValueError)
    assert results[2] == "sch_2"
    assert await ledger.reader.schedules.count("1") == 2


async def test_a_unit_that_gives_up_leaves_nothing_of_what_is_on_its_way(ledger: StoredLedger) -> None:
    async def unit(tx: Transaction) -> str:
        await tx.schedules.insert(many("c"))
        raise ValueError("enough")

    results = await gathered(ledger.write(inserting("sch_1")), ledger.write(unit))
    assert results[0] == "sch_1"
    assert isinstance(results[1], ValueError)
    assert await ledger.reader.schedules.count("1") == 1


async def test_a_question_sent_behind_a_write_that_fails_hears_why(ledger: StoredLedger) -> None:
    key = UsageKey("guild:1", "runs_per_day", "2026-01-01")

    async def unit(tx: Transaction) -> None:
        await tx.schedules.insert([schedule("sch_1", name="tea"), schedule("sch_2", name="tea")])
        used = tx.usage.ask([key])
        await tx.schedules.insert(many("d"))
        await used

    with pytest.raises(NameTaken):
        await ledger.write(unit)


async def _two_alike(tx: Transaction) -> None:
    await tx.schedules.insert([schedule("sch_1", name="tea"), schedule("sch_2", name="tea")])


async def _one_alike(tx: Transaction) -> None:
    await tx.schedules.insert([schedule("sch_1", name="tea")])
    await tx.schedules.insert([schedule("sch_2", name="tea")])


async def _many_alike(tx: Transaction) -> None:
    await tx.schedules.insert(many("e", name="tea"))


async def _too_big(tx: Transaction) -> None:
    await tx.schedules.insert([schedule("sch_1", anchor=2**63)])


async def _asked_too_much(tx: Transaction) -> None:
    await tx.schedules.get("\ud800")


async def _gives_up(tx: Transaction) -> None:
    raise ValueError("enough")


_OURS = ("core/ledger", "core.ledger", "asyncpg", "sqlite", "asyncio", "test_group_commit")


@pytest.mark.slow
@pytest.mark.parametrize("unit", [_one_alike, _two_alike, _many_alike, _too_big, _asked_too_much, _gives_up])
async def test_a_refused_unit_is_let_go_of_at_once(
    ledger: StoredLedger, unit: Callable[[Transaction], Awaitable[None]]
) -> None:
    """Not when the cycle collector comes: it counts objects, and a few of them may hold a request of a mebibyte."""

    async def refused() -> None:
        with contextlib.suppress(NameTaken, StoreError, OverflowError, ValueError):
            await ledger.write(unit)
            pytest.fail("it was written")
        for _ in range(5):  # turns of the loop, in which the writer and the thread come to rest
            await asyncio.sleep(0)

    await refused()  # what is made only once
    with only_what_is_new():
        await refused()
        assert _left_behind() == []


def _left_behind() -> list[str]:
    """What of the ledger, of its drivers and of these tests only the collector would free. What threads of other tests
    leave in the same process is not counted: a cycle of ours has a frame, a traceback, an exception or a task of ours."""
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        return [repr(each) for each in gc.garbage if any(name in _origin(each) for name in _OURS)]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


def _origin(thing: object) -> str:
    """The file or the module that a thing comes from."""
    if isinstance(thing, types.TracebackType):
        thing = thing.tb_frame
    if isinstance(thing, types.FrameType):
        return thing.f_code.co_filename
    if isinstance(thing, types.CoroutineType):
        return thing.cr_code.co_filename
    return type(thing).__module__


class Held(asyncio.Event):
    """Holds a commit back, and tells when one has come that far."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()

    async def wait(self) -> Literal[True]:
        self.reached.set()
        return await super().wait()


async def test_while_too_much_waits_to_be_written_nothing_new_is_taken_and_nothing_that_was_is_lost(
    ledger: StoredLedger, between: Between, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.ledger.writer.MOST_WAITING", 10)
    between.hold = held = Held()
    first = asyncio.create_task(ledger.write(inserting("sch_first")))
    await held.reached.wait()
    taken = [asyncio.create_task(ledger.write_new(inserting(f"sch_{number}"))) for number in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(StoreBusy, match="10 changes wait to be written") as busy:
        await ledger.write_new(inserting("sch_more"))
    assert busy.value.retry_after >= LEAST_RETRY_S
    outcome = asyncio.create_task(ledger.write_essential(inserting("sch_outcome")))
    tick = asyncio.create_task(ledger.write(inserting("sch_tick")))
    held.set()
    await asyncio.gather(first, *taken, outcome, tick)
    await ledger.write_new(inserting("sch_later"))
    wanted = [f"sch_{number}" for number in range(10)] + ["sch_first", "sch_outcome", "sch_tick", "sch_later"]
    assert set(await ledger.reader.schedules.get_many([*wanted, "sch_more"])) == set(wanted)
