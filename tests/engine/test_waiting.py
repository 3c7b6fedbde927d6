"""Where waiting runs wait."""

from __future__ import annotations

import msgspec

from core.engine.waiting import CROWDING, WaitingRoom
from core.governor.fairness import FairQueue
from core.ledger.rows import RunRow
from schedule_zero.instant import SECOND
from schedule_zero.run import RunState
from tests.engine.rows import T0, flight


def run(id: str, *, line: int = 1, schedule: str = "s", not_before: int | None = None, start_before: int | None = None,
        due: int = T0, guild: str | None = "1") -> RunRow:  # fmt: skip
    return RunRow(
        id=id, schedule_id=schedule, occurrence=f"t:{due}", guild_id=guild, handler="echo", method="echo", priority=1,
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


def crowd(room: WaitingRoom, guild: str, count: int) -> int:
    """So many runs of a guild come; how many got in."""
    before = len(room)
    for number in range(count):
        id = f"{guild}-{number:05}"
        room.offer(run(id, schedule=f"s{id}", guild=guild, due=T0 + number), wall=T0, now=0.0)
    return len(room) - before


def test_a_guild_alone_may_hold_most_of_the_room_and_leaves_some_for_others() -> None:
    room = WaitingRoom(FairQueue(), capacity=1000)
    assert crowd(room, "flood", 5000) == 800
    assert crowd(room, "quiet", 5) == 5
    assert (room.short(), room.full()) == ([], ["flood"])


def test_however_many_guilds_crowd_in_there_is_room_for_another_one() -> None:
    room = WaitingRoom(FairQueue(), capacity=1000)
    for number in range(50):
        crowd(room, f"flood{number}", 2000)
    assert crowd(room, "quiet", 1) == 1


def test_what_was_left_is_read_from_its_first_run_on_and_not_before_it_is_worth_while() -> None:
    room = WaitingRoom(FairQueue(), capacity=100)
    crowd(room, "flood", 90)
    assert room.take_left("flood") == (T0 + 80, "flood-00080")
    room.leave_out("flood", (T0 + 85, "flood-00085"))
    room.leave_out("flood", (T0 + 82, "flood-00082"))
    room.withdraw([f"flood-{number:05}" for number in range(10)])
    assert not room.has_room()
    room.withdraw([f"flood-{number:05}" for number in range(10, 20)])
    assert (room.has_room(), room.short(), room.room_for("flood")) == (True, ["flood"], 20)
    assert room.take_left("flood") == (T0 + 82, "flood-00082")
    assert not room.overflowed


def test_where_many_guilds_left_something_it_is_worth_while_with_a_quarter_free_or_nothing_of_one_here() -> None:
    room = WaitingRoom(FairQueue(), capacity=1000)
    for number in range(CROWDING + 3):
        crowd(room, f"flood{number}", 1000)
    assert not room.has_room()
    room.withdraw([f"flood5-{number:05}" for number in range(10)])
    assert room.has_room()
    room.take_left("flood5")
    assert not room.has_room()
    room.withdraw([f"flood0-{number:05}" for number in range(350)])
    assert room.has_room()
    assert "flood1" in room.short()


def test_a_small_room_that_is_full_asks_for_nothing_it_could_not_take() -> None:
    room = WaitingRoom(FairQueue(), capacity=5)
    for number in range(CROWDING + 3):
        crowd(room, f"flood{number}", 5)
    assert (room.free, room.overflowed, room.has_room()) == (0, True, False)


def test_what_another_core_works_for_is_not_read_again_here() -> None:
    room = WaitingRoom(FairQueue(), capacity=10)
    crowd(room, "flood", 20)
    room.clear_out(lambda guild: guild != "flood")
    assert (len(room), room.overflowed) == (0, False)
