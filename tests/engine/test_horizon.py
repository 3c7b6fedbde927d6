"""The due times kept in memory."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.engine.horizon import Horizon
from core.ledger.rows import DueRow
from schedule_zero.instant import HOUR
from tests.engine.rows import T0


def horizon() -> Horizon:
    made = Horizon(window=HOUR, capacity=1000)
    made.until = T0 + HOUR
    return made


def test_due_schedules_come_out_soonest_first_and_once() -> None:
    made = horizon()
    for number, due in enumerate([T0 + 3, T0 + 1, T0 + 2, T0 + HOUR]):
        made.put(f"s{number}", 1, due)
    assert made.pop_due(T0 + 10, 2) == [("s1", T0 + 1), ("s2", T0 + 2)]
    assert made.pop_due(T0 + 10, 9) == [("s0", T0 + 3)]
    assert made.pop_due(T0 + 10, 9) == []
    assert made.soonest() == T0 + HOUR


def test_an_instant_with_more_than_fits_does_not_hold_up_what_is_due_after_it() -> None:
    made = horizon()
    for number in range(30):
        made.put(f"crowd{number:02}", 1, T0)
    made.put("after", 1, T0 + 1)
    made.put("later", 1, T0 + 2)
    assert made.pop_due(T0 + 1, 10) == [*((f"crowd{number:02}", T0) for number in range(9)), ("after", T0 + 1)]
    assert [id for id, _ in made.pop_due(T0 + 1, 10)] == [f"crowd{number:02}" for number in range(9, 19)]
    assert made.soonest() == T0
    assert len(made.pop_due(T0 + 2, 99)) == 12
    assert made.soonest() is None


@given(st.integers(1, 12), st.integers(2, 40), st.integers(1, 9))
def test_what_is_due_behind_any_number_of_crowded_instants_has_its_part_of_the_same_tick(
    crowds: int, limit: int, behind: int
) -> None:
    made = horizon()
    for crowd in range(crowds):
        for number in range(3 * limit):
            made.put(f"crowd{crowd}.{number:03}", 1, T0 + crowd)
    for number in range(behind):
        made.put(f"quiet{number}", 1, T0 + crowds)
    popped = made.pop_due(T0 + crowds, limit)
    assert len(popped) == limit
    part = limit // 2 // (crowds + 1)
    assert sum(due == T0 + crowds for _, due in popped) >= min(behind, part)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 3))
def test_what_became_due_first_is_never_starved_by_what_comes_after_it(size: int, limit: int, pace: int) -> None:
    """Whatever floods in behind, half of every tick is for the oldest."""
    made, left = horizon(), size
    for number in range(size):
        made.put(f"oldest{number:02}", 1, T0)
    half = (limit + 1) // 2
    for tick in range(-(-size // half)):
        for number in range(pace * limit):
            made.put(f"tick{tick}.{number}", 1, T0 + 1 + tick)
        left -= sum(due == T0 for _, due in made.pop_due(T0 + 1 + tick, limit))
    assert left == 0


Entry = tuple[str, int]


def obvious(table: dict[str, int], now: int, limit: int) -> list[Entry]:
    """What a tick takes, one entry at a time: half of it from the front, the rest in turns round the due instants."""
    waiting = sorted((due, id) for id, due in table.items() if due <= now)
    if len(waiting) <= limit:
        return [(id, due) for due, id in waiting]
    front = (limit + 1) // 2
    taken, left = waiting[:front], waiting[front:]
    while len(taken) < limit:
        for instant in sorted({due for due, _ in left}):
            if len(taken) < limit:
                first = next(each for each in left if each[0] == instant)
                left.remove(first)
                taken.append(first)
    return [(id, due) for due, id in sorted(taken)]


Put = st.tuples(st.integers(0, 30), st.integers(0, 6))
Rounds = st.lists(st.tuples(st.lists(Put, max_size=30), st.integers(0, 2), st.integers(1, 9)), max_size=12)


@given(Rounds)
def test_every_tick_takes_what_an_obvious_queue_gives_nothing_lost_and_nothing_twice(
    rounds: list[tuple[list[tuple[int, int]], int, int]],
) -> None:
    """Schedules are saved and moved between the ticks, so that entries are left that are void by then."""
    made, table, revisions, now = horizon(), dict[str, int](), dict[str, int](), T0
    for puts, step, limit in rounds:
        now += step
        for number, offset in puts:
            id = f"s{number:02}"
            revisions[id] = revisions.get(id, 0) + 1
            table[id] = T0 + offset
            made.put(id, revisions[id], T0 + offset)
        expected = obvious(table, now, limit)
        assert made.pop_due(now, limit) == expected
        for id, _ in expected:
            del table[id]
        assert made.soonest() == min(table.values(), default=None)
    last = T0 + 10
    for _ in range(len(table)):
        for id, due in made.pop_due(last, 1):
            assert table.pop(id) == due
    assert not table
    assert len(made) == 0


def test_what_lies_beyond_the_horizon_takes_no_memory() -> None:
    made = horizon()
    made.put("far", 1, T0 + HOUR + 1)
    assert len(made) == 0


def test_a_newer_revision_replaces_and_an_older_one_is_ignored() -> None:
    made = horizon()
    made.put("s", 2, T0 + 50)
    made.put("s", 1, T0 + 10)
    assert made.soonest() == T0 + 50
    made.put("s", 3, T0 + 20)
    assert made.pop_due(T0 + 99, 9) == [("s", T0 + 20)]


def test_old_news_of_the_same_revision_does_not_bring_a_due_time_back() -> None:
    made = horizon()
    made.put("s", 1, T0 + 50)
    made.put("s", 1, T0 + 10)
    assert made.pop_due(T0 + 99, 9) == [("s", T0 + 50)]


def test_a_schedule_without_a_due_time_leaves() -> None:
    made = horizon()
    made.put("s", 1, T0 + 50)
    made.put("s", 2, None)
    assert (made.soonest(), len(made)) == (None, 0)


def test_it_asks_for_more_before_it_runs_dry() -> None:
    made = Horizon(window=HOUR, capacity=1000)
    assert made.needs_more(T0)
    made.extend([DueRow("a", 1, T0 + 5)], T0 + HOUR)
    assert not made.needs_more(T0)
    assert made.needs_more(T0 + HOUR)
    assert made.soonest() == T0 + 5


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 5), st.integers(0, 1000)), max_size=60))
def test_it_agrees_with_a_plain_table(puts: list[tuple[str, int, int]]) -> None:
    made, table = horizon(), dict[str, tuple[int, int]]()
    for id, revision, offset in puts:
        made.put(id, revision, T0 + offset)
        known = table.get(id)
        if known is None or revision > known[0] or (revision == known[0] and T0 + offset > known[1]):
            table[id] = (revision, T0 + offset)
    popped = made.pop_due(T0 + 1000, 99)
    assert sorted(popped) == sorted((id, due) for id, (_, due) in table.items())
    assert [due for _, due in popped] == sorted(due for _, due in popped)


Saves = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 60)), max_size=30)


@given(Saves, Saves, st.lists(st.integers(1, 25), min_size=1, max_size=6), st.integers(1, 6))
def test_nothing_due_is_overlooked_however_little_it_has_room_for(
    saved: list[tuple[int, int]], meanwhile: list[tuple[int, int]], steps: list[int], capacity: int
) -> None:
    """Saved before, saved while the ledger answers: when the tick may sleep, all that is due has come out once."""
    made = Horizon(window=20, capacity=capacity)
    ledger = {f"a{n}": due for n, (_, due) in enumerate(saved)}
    coming = [(f"b{n}", due) for n, (_, due) in enumerate(meanwhile)]
    fired: list[str] = []
    now = 0
    for step in steps:
        now += step
        rounds = 0
        while made.look_at() <= now:
            rounds += 1
            assert rounds < 200
            if made.needs_more(now):
                until = made.until = now + made.window
                rows = sorted(((due, id) for id, due in ledger.items() if due <= until))[:capacity]
                while coming and rounds % 2:
                    id, due = coming.pop()
                    ledger[id] = due = max(due, now + 1)
                    made.put(id, 1, due)
                if len(rows) == capacity:
                    until = rows[-1][0] - 1
                made.extend([DueRow(id, 1, due) for due, id in rows], until)
            for id, due in made.pop_due(now, 3):
                assert ledger.pop(id) == due
                fired.append(id)
        assert all(due > now for due in ledger.values())
    assert len(fired) == len(set(fired))
