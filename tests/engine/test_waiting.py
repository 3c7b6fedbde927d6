"""Where waiting runs wait."""

from __future__ import annotations

import msgspec

from core.engine.waiting import WaitingRoom
from core.governor.fairness import FairQueue
from core.ledger.rows import RunRow
from schedule_zero.instant import SECOND
from schedule_zero.run import RunState
from tests.engine.rows import T0, flight


def run(id: str, *, line: int = 1, schedule: str = "s", not_before: int | None = None, start_before: int | None = None,
        due: int = T0) -> RunRow:  # fmt: skip
    return RunRow(
        id=id, schedule_id=schedule, occurrence=f"t:{due}", guild_id="1", handler="echo", method="echo", priority=1,
        due=due, start_before=start_before, state=RunState.WAITING, attempt=0, not_before=not_before, args=None,
        result=None, reason=None, error=None, missed=None, created=T0, ended=None, lost=0, line=line,
    )  # fmt: skip


def next_id(queue: FairQueue, now: float = 0.0) -> str | None:
    entry = queue.next(now)
    return None if entry is None else entry.run_id


def test_runs_of_one_schedule_stand_in_line() -> None:
    queue = FairQueue()
    room = WaitingRoom(queue)
    for number in range(3):
        room.offer(run(f"r{number}"), wall=T0, now=0.0)
    assert next_id(queue) == "r0"
    assert next_id(queue) is None
    assert room.in_line("r1") == (1, 1)
    room.leave("r0")
    room.ended("s", "r0")
    assert next_id(queue) == "r1"


def test_a_line_of_zero_lets_all_in() -> None:
    queue = FairQueue()
    room = WaitingRoom(queue)
    for number in range(3):
        room.offer(run(f"r{number}", line=0), wall=T0, now=0.0)
    assert {next_id(queue), next_id(queue), next_id(queue)} == {"r0", "r1", "r2"}


def test_a_run_that_is_given_out_does_not_come_in_a_second_time() -> None:
    """The ledger may have it as waiting again before its end was told here, and be read just then."""
    queue = FairQueue()
    room = WaitingRoom(queue)
    room.offer(run("r0"), wall=T0, now=0.0)
    assert next_id(queue) == "r0"
    room.leave("r0")
    room.offer(msgspec.structs.replace(run("r0"), attempt=1), wall=T0, now=0.0)
    assert len(room) == 0
    queue.finished_run("r0", "1", "echo.echo", 0.1)
    order = msgspec.structs.replace(flight().order, run_id="r0", schedule_id="s")
    room.retry(order, start_before=None, priority=1, not_before=None, lost=0, wall=T0, now=0.0)
    assert next_id(queue) == "r0"
    assert next_id(queue) is None


def test_a_withdrawn_run_lets_the_next_in() -> None:
    queue = FairQueue()
    room = WaitingRoom(queue)
    room.offer(run("r0"), wall=T0, now=0.0)
    room.offer(run("r1"), wall=T0, now=0.0)
    room.offer(run("r2"), wall=T0, now=0.0)
    room.withdraw(["r1", "r0"])
    assert next_id(queue) == "r2"
    assert len(room) == 1


def test_a_delayed_run_waits_for_its_time_on_the_monotonic_clock() -> None:
    queue = FairQueue()
    room = WaitingRoom(queue)
    room.offer(run("r0", not_before=T0 + 5 * SECOND), wall=T0, now=100.0)
    room.mature(104.9)
    assert (next_id(queue), room.wake_at()) == (None, 105.0)
    room.mature(105.0)
    assert next_id(queue) == "r0"


def test_runs_past_their_start_before_are_named_once() -> None:
    room = WaitingRoom(FairQueue())
    room.offer(run("r0", start_before=T0 + SECOND), wall=T0, now=0.0)
    assert room.soonest_deadline() == T0 + SECOND
    assert room.expired(T0 + SECOND) == []
    assert room.expired(T0 + 2 * SECOND) == ["r0"]
    assert room.expired(T0 + 3 * SECOND) == []


def test_memory_is_bounded_and_says_when_it_has_room_again() -> None:
    room = WaitingRoom(FairQueue(), capacity=4)
    for number in range(6):
        room.offer(run(f"r{number}", schedule=f"s{number}"), wall=T0, now=0.0)
    assert (len(room), room.overflowed, room.has_room()) == (4, True, False)
    room.withdraw(["r0", "r1", "r2"])
    assert room.has_room()
