from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pytest

from core.governor.fairness import PATIENCE, FairQueue, Waiting
from core.governor.verdict import Wait


def run(run_id: str, guild: str | None = "1", *, method: str = "h.m", priority: int = 1, due: int = 0) -> Waiting:
    return Waiting(run_id, guild, method, method.partition(".")[0], priority, due)


def filled(entries: Iterable[Waiting], slots: int = 1000) -> FairQueue:
    queue = FairQueue(slots)
    for entry in entries:
        queue.put(entry)
    return queue


def drain(queue: FairQueue, now: float = 0.0, limit: int = 10**6) -> list[str]:
    found: list[str] = []
    while len(found) < limit and (entry := queue.next(now)) is not None:
        found.append(entry.run_id)
    return found


def test_an_empty_queue_has_nothing_and_waits_for_nothing() -> None:
    queue = FairQueue()
    assert queue.next(0.0) is None
    assert queue.wake_at(0.0) is None
    assert queue.waiting() == 0


def test_runs_of_a_guild_go_by_due_and_then_id_over_all_its_methods() -> None:
    queue = filled([run("b", due=2), run("d", method="x.y", due=1), run("c", due=2), run("a", method="x.y", due=3)])
    assert drain(queue) == ["d", "b", "c", "a"]


def test_guilds_take_turns_though_one_came_first_with_many() -> None:
    queue = filled([run(f"a{place}", "a") for place in range(5)] + [run("b0", "b"), run("c0", "c")])
    assert set(drain(queue, limit=3)) == {"a0", "b0", "c0"}


def test_a_higher_band_goes_first() -> None:
    queue = filled([run("low", priority=2), run("normal", "2", priority=1), run("high", "3", priority=0)])
    assert drain(queue) == ["high", "normal", "low"]


def test_a_lower_band_is_not_passed_over_for_ever() -> None:
    flood = [run(f"h{place:03}", "1", priority=0) for place in range(100)]
    queue = filled([*flood, run("normal", "2", priority=1), run("low", "3", priority=2)])
    order = drain(queue)
    assert order.index("normal") <= PATIENCE + 1
    assert order.index("low") <= PATIENCE + 1


def test_a_band_whose_run_was_refused_has_not_had_its_turn() -> None:
    flood = [run(f"h{place:03}", "1", priority=0) for place in range(100)]
    queue = filled([*flood, run("low-a", "2", priority=2), run("low-b", "3", priority=2)])
    tried: list[str] = []
    while (entry := queue.next(0.0)) is not None and len(tried) < PATIENCE + 2:
        tried.append(entry.run_id)
        if entry.run_id == "low-a":
            queue.park(entry, Wait("guild:2", "running", 1, 1))
    assert tried[-2:] == ["low-a", "low-b"]


def test_seat_time_is_what_is_shared_not_the_number_of_runs() -> None:
    queue = FairQueue(10**9)
    for place in range(4000):
        queue.put(run(f"s{place:04}", "short"))
        queue.put(run(f"l{place:04}", "long"))
    seconds, now = Counter[str | None](), 0.0
    for _ in range(3000):
        entry = queue.next(now)
        assert entry is not None
        length = 0.02 if entry.guild == "short" else 0.2
        now += length
        seconds[entry.guild] += length  # type: ignore[assignment]
        queue.finished(entry, length)
    assert seconds["short"] == pytest.approx(seconds["long"], rel=0.05)


@pytest.mark.parametrize("ended", [True, False], ids=["by what ended", "by what was started"])
def test_weights_divide_the_slots(ended: bool) -> None:
    queue = FairQueue(10**9, weight_of=lambda guild: {"a": 3.0, "b": 1.0}[guild or ""])
    for place in range(2000):
        queue.put(run(f"a{place:04}", "a"))
        queue.put(run(f"b{place:04}", "b"))
    order = Counter[str]()
    for _ in range(1000):
        entry = queue.next(0.0)
        assert entry is not None
        order[entry.run_id[0]] += 1
        if ended:
            queue.finished(entry, 0.1)
    assert order["a"] / order["b"] == pytest.approx(3.0, rel=0.05)


def test_a_wrong_guess_of_the_run_time_puts_nobody_far_ahead_or_behind() -> None:
    queue = FairQueue(10**9)
    for place in range(500):
        queue.put(run(f"a{place:03}", "a"))
    started = [queue.next(0.0) for _ in range(300)]
    for entry in started:
        assert entry is not None
        queue.finished(entry, 0.001)  # guessed a hundred times as long
    queue.put(run("b0", "b"))
    for place in range(1500):
        entry = queue.next(1.0)
        assert entry is not None
        queue.finished(entry, 0.1)
        if entry.run_id == "b0":
            break
        assert place < 30
    else:
        pytest.fail("the other guild was never served")


def test_who_comes_back_after_a_rest_has_saved_nothing_up() -> None:
    queue = FairQueue(10**9)
    queue.put(run("b0", "b"))
    queue.finished(queue.next(0.0) or run("?"), 0.1)
    for place in range(1000):
        queue.put(run(f"a{place:03}", "a"))
    for entry in [queue.next(1.0) for _ in range(500)]:
        assert entry is not None
        queue.finished(entry, 0.1)
    for place in range(1, 100):
        queue.put(run(f"b{place}", "b"))
    first = Counter(run_id[0] for run_id in drain(queue, 2.0, limit=40))
    assert first["a"] >= 15


# parking


def test_a_guild_that_was_refused_leaves_the_others_alone() -> None:
    queue = filled([run("a0", "a"), run("a1", "a", method="x.y"), run("b0", "b")])
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("guild:a", "rate", 1, 1, 5.0))
    assert drain(queue, 4.9) == ["b0"]
    assert queue.wake_at(4.9) == 5.0
    assert drain(queue, 5.0) == ["a0", "a1"]


def test_a_method_that_was_refused_leaves_the_guilds_other_methods_alone() -> None:
    queue = filled([run("a0", "a", due=0), run("a1", "a", due=1), run("a2", "a", method="x.y", due=2)])
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("method:h.m", "running", 5, 5))
    assert drain(queue) == ["a2"]
    assert queue.wake_at(0.0) is None
    queue.released("method:h.m")
    assert drain(queue) == ["a0", "a1"]


def test_a_refusal_by_global_shuts_everything_until_its_time() -> None:
    queue = filled([run("a", "a"), run("b", "b", priority=0)])
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("global", "rate", 1, 1, 2.0))
    assert queue.next(1.9) is None
    assert queue.wake_at(1.9) == 2.0
    queue.released("global")  # an end gives no rate back
    assert queue.next(1.9) is None
    assert drain(queue, 2.0) == ["b", "a"]


def test_a_refused_run_keeps_its_place_and_is_charged_nothing() -> None:
    queue = filled([run("a0", "a", due=0), run("a1", "a", due=1)])
    for _ in range(50):
        entry = queue.next(0.0)
        assert entry is not None
        assert entry.run_id == "a0"
        queue.park(entry, Wait("guild:a", "running", 1, 1))
        queue.released("guild:a")
    assert queue.held_by("a") == 0
    assert queue.waiting() == 2
    queue.put(run("b0", "b", due=2))
    queue.put(run("b1", "b", due=3))
    assert drain(queue, limit=2) == ["a0", "b0"]


def test_who_comes_after_one_was_refused_goes_before_those_who_have_been_served() -> None:
    queue = filled(run(f"{guild}{place}", guild, due=place) for guild in "ab" for place in range(3))
    assert drain(queue, limit=2) == ["a0", "b0"]
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("global", "running", 2, 2))
    queue.put(run("quiet", "q", due=9))
    queue.released("global")
    assert drain(queue, limit=1) == ["quiet"]


def test_an_opening_is_tried_by_one_and_goes_on_while_there_is_room() -> None:
    queue = filled(run(f"{guild:03}", str(guild)) for guild in range(100))
    while (entry := queue.next(0.0)) is not None:
        queue.park(entry, Wait("method:h.m", "running", 5, 5))
    room, tries, started = 3, 0, []
    queue.released("method:h.m")
    while (entry := queue.next(1.0)) is not None:
        tries += 1
        if room:
            room -= 1
            started.append(entry.run_id)
        else:
            queue.park(entry, Wait("method:h.m", "running", 5, 5))
    assert started == ["000", "001", "002"]
    assert tries == 4


def test_behind_a_gate_everybody_gets_a_turn_however_often_one_is_tried_in_vain() -> None:
    queue = filled(run(f"{guild}-{place:02}", str(guild)) for guild in range(4) for place in range(10))
    while (entry := queue.next(0.0)) is not None:
        queue.park(entry, Wait("method:h.m", "running", 1, 1))
    served = Counter[str | None]()
    for _ in range(20):
        queue.released("method:h.m")
        begun = queue.next(0.0)
        assert begun is not None
        served[begun.guild] += 1
        while (entry := queue.next(0.0)) is not None:
            queue.park(entry, Wait("method:h.m", "running", 1, 1))
        queue.finished(begun, 0.1)
    assert set(served.values()) == {5}


def test_a_method_that_is_free_again_is_not_tried_while_its_guild_is_refused() -> None:
    queue = filled([run("a0", "a", due=0), run("a1", "a", method="x.y", due=1)])
    for refusal in (Wait("method:h.m", "running", 5, 5), Wait("guild:a", "running", 1, 1)):
        entry = queue.next(0.0)
        assert entry is not None
        queue.park(entry, refusal)
    queue.released("method:h.m")
    assert queue.next(0.0) is None
    queue.released("guild:a")
    assert drain(queue) == ["a0", "a1"]


def test_a_handler_that_comes_wakes_all_its_methods() -> None:
    queue = filled([run("a", method="web.post"), run("b", method="web.get"), run("c", method="mail.send")])
    while (entry := queue.next(0.0)) is not None:
        queue.park(entry, Wait(f"handler:{entry.handler}", "available", 0, 0))
    queue.released("handler:web")
    assert sorted(drain(queue)) == ["a", "b"]
    queue.released("handler:mail")
    assert drain(queue) == ["c"]


@pytest.mark.parametrize("scope", ["handler:proc-7/web.post", "method:web.post", "handler:web"])
def test_any_word_of_a_handlers_room_wakes_who_waits_for_it(scope: str) -> None:
    queue = filled([run("a", method="web.post")])
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("handler:proc-1/web.post", "rate", 1, 1, 60.0))
    assert queue.next(1.0) is None
    queue.released(scope)
    assert drain(queue, 1.0) == ["a"]


def test_nobody_stands_behind_a_refusal_that_was_the_operators_alone() -> None:
    queue = filled([run("own", None, due=0), run("a0", "a", due=1)])
    for wait, apart in ((Wait("handler:h/m", "breaker", 5, 0), True), (Wait("handler:h-1/m", "running", 2, 2), False)):
        entry = queue.next(0.0)
        assert entry is not None
        queue.park(entry, wait, apart=apart)
    queue.released("handler:h")
    entry = queue.next(1.0)
    assert entry is not None
    assert entry.run_id == "own"
    queue.park(entry, Wait("handler:h/m", "breaker", 5, 0), apart=True)
    assert drain(queue, 1.0) == ["a0"]


def test_a_later_refusal_moves_the_time_at_which_it_is_tried_again() -> None:
    queue = FairQueue()
    for guild, until in (("a", 5.0), ("b", 8.0), ("c", 3.0)):
        queue.put(run(guild, guild))
        entry = queue.next(0.0)
        assert entry is not None
        queue.park(entry, Wait("method:h.m", "rate", 1, 1, until))
        assert queue.wake_at(0.0) == until
        assert queue.next(2.9) is None
    assert drain(queue, 3.0) == ["a", "b", "c"]


def test_a_newcomer_of_a_parked_guild_wakes_nobody() -> None:
    queue = filled([run("a0", "a")])
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("guild:a", "running", 1, 1))
    queue.put(run("a1", "a"))
    assert queue.next(0.0) is None


def test_after_the_last_parked_run_was_withdrawn_the_next_one_is_tried() -> None:
    queue = filled([run("a0", "a")])
    entry = queue.next(0.0)
    assert entry is not None
    queue.park(entry, Wait("guild:a", "running", 1, 1, None))
    assert queue.withdraw("a0") is entry
    queue.put(run("a1", "a"))
    assert drain(queue) == ["a1"]


# the cap


def flood_and_one(slots: int, quiet_first: bool = False) -> FairQueue:
    queue = FairQueue(slots)
    if quiet_first:
        queue.put(run("quiet", "q"))
        assert drain(queue) == ["quiet"]
    for place in range(100):
        queue.put(run(f"f{place:02}", "f"))
    return queue


def test_one_guild_leaves_a_fifth_of_the_slots_while_another_is_active() -> None:
    queue = flood_and_one(10, quiet_first=True)
    assert len(drain(queue)) == 8
    assert queue.why("f50") == Wait("guild:f", "share", 8, 8)
    queue.put(run("again", "q"))
    assert drain(queue) == ["again"]


def test_a_guild_alone_may_hold_everything() -> None:
    assert len(drain(flood_and_one(10))) == 100


def test_an_end_lets_a_guild_at_its_cap_go_on() -> None:
    queue = flood_and_one(10, quiet_first=True)
    held = list(iter(lambda: queue.next(0.0), None))
    queue.finished(held[0], 0.2)
    assert drain(queue) == ["f08"]


def test_ten_minutes_after_the_others_work_ended_the_cap_is_lifted() -> None:
    queue = FairQueue(10)
    quiet = run("quiet", "q")
    queue.put(quiet)
    assert queue.next(0.0) is quiet
    for place in range(20):
        queue.put(run(f"f{place:02}", "f"))
    assert len(drain(queue, 0.0)) == 8
    queue.finished(quiet, 5.0)
    assert drain(queue, 5.0) == []
    while (wake_at := queue.wake_at(5.0)) is not None and queue.next(wake_at) is None:
        last = wake_at
        assert last < 606.0
    assert wake_at == 605.0
    assert len(drain(queue, 605.0)) == 11


def test_more_slots_lift_the_cap_at_once() -> None:
    queue = flood_and_one(10, quiet_first=True)
    assert len(drain(queue)) == 8
    queue.resize(20)
    assert len(drain(queue)) == 8


@pytest.mark.parametrize(("slots", "cap"), [(1, 1), (2, 1), (3, 2), (1000, 800)])
def test_the_cap_is_at_least_one_slot(slots: int, cap: int) -> None:
    queue = FairQueue(slots)
    for place in range(1001):
        queue.put(run(f"f{place:04}", "f"))
    queue.put(run("other", "o", priority=2))
    first = drain(queue)
    assert len([run_id for run_id in first if run_id.startswith("f")]) == cap


# bookkeeping


def test_a_run_that_was_never_begun_costs_and_teaches_nothing() -> None:
    queue = filled([run("a0", "a"), run("a1", "a")])
    entry = queue.next(0.0)
    assert entry is not None
    queue.finished(entry, 0.0)
    queue.put(entry)
    assert queue.held_by("a") == 0
    assert queue._run_time == {}
    assert drain(queue) == ["a0", "a1"]


def test_runs_from_before_a_restart_hold_their_slots() -> None:
    queue = FairQueue(10)
    for place in range(8):
        queue.started(run(f"old{place}", "f"))
    queue.put(run("new", "f"))
    queue.put(run("quiet", "q"))
    assert drain(queue) == ["quiet"]
    queue.finished_run("old3", "f", "h.m", 1.0)
    assert drain(queue) == ["new"]
    assert queue.held_by("f") == 8


def test_an_end_that_is_told_twice_frees_one_slot() -> None:
    queue = filled([run("a0", "a"), run("a1", "a")])
    first, second = queue.next(0.0), queue.next(0.0)
    assert first is not None
    assert second is not None
    queue.finished(first, 1.0)
    queue.finished(first, 1.0)
    queue.finished_run("a0", "a", "h.m", 1.0)
    assert queue.held_by("a") == 1


def test_withdrawing_what_does_not_wait_here_is_nothing() -> None:
    queue = filled([run("a0")])
    entry = queue.next(0.0)
    assert entry is not None
    assert queue.withdraw("a0") is None
    assert queue.withdraw("unknown") is None


def test_a_run_that_waits_cannot_wait_twice() -> None:
    queue = filled([run("a0")])
    with pytest.raises(ValueError, match="run a0 is in the queue already"):
        queue.put(run("a0"))
    assert drain(queue) == ["a0"]
    with pytest.raises(ValueError, match="run a0 is in the queue already"):
        queue.put(run("a0"))


@pytest.mark.parametrize("priority", [-1, 3])
def test_a_priority_there_is_not_is_refused(priority: int) -> None:
    with pytest.raises(ValueError, match=f"priority of run a has to be 0, 1 or 2, not {priority}"):
        FairQueue().put(run("a", priority=priority))


def test_a_withdrawn_run_may_come_back() -> None:
    queue = filled([run("a0"), run("a1", due=1)])
    entry = queue.withdraw("a0")
    assert entry is not None
    queue.put(entry)
    assert drain(queue) == ["a0", "a1"]


def test_ten_thousand_withdrawals_leave_no_weight_behind() -> None:
    queue = filled([run("stay", due=-1)])
    for place in range(10_000):
        queue.put(run(f"go{place}", due=place))
        if place >= 10:
            queue.withdraw(f"go{place - 10}")
    (lane,) = queue._accounts["1"].shares[1].lanes.values()
    assert len(lane.heap) < 100
    assert queue.waiting() == 11


def test_guilds_that_were_quiet_for_ten_minutes_are_forgotten() -> None:
    queue = FairQueue()
    for guild in range(1000):
        entry = run(f"r{guild}", str(guild))
        queue.put(entry)
        assert queue.next(float(guild)) is entry
        queue.finished(entry, 0.1)
    queue.next(1000.0)
    assert len(queue._accounts) == 600
    queue.put(run("last", "x"))
    queue.withdraw("last")
    queue.next(5000.0)
    assert len(queue._accounts) == 1


def test_why_names_the_nearest_reason_and_a_run_in_the_ring_has_none() -> None:
    queue = filled([run("a0", "a"), run("a1", "a", due=1), run("b0", "b", due=2)])
    entry = queue.next(0.0)
    assert entry is not None
    refusal = Wait("guild:a", "rate", 30, 30, 9.0)
    queue.park(entry, refusal)
    assert queue.why("a0") == queue.why("a1") == refusal
    assert queue.why("b0") is None
    assert queue.why("unknown") is None
    entry = queue.next(0.0)
    assert entry is not None
    shut = Wait("global", "running", 5, 5)
    queue.park(entry, shut)
    assert queue.why("a1") == queue.why("b0") == shut


def test_a_handler_the_guild_may_not_use_holds_back_its_own_runs_alone() -> None:
    queue = filled([run("a", method="x.a"), run("b", method="y.b"), run("c", method="z.c")])
    for expected in "ab":
        entry = queue.next(0.0)
        assert entry is not None
        assert entry.run_id == expected
        queue.park(entry, Wait("guild:1", "handlers", 0, 0))
    queue.released("guild:1")
    assert drain(queue) == ["c"]
    queue.wake_all()
    entry = queue.next(1.0)
    assert entry is not None
    queue.park(entry, Wait("guild:1", "handlers", 0, 0))  # x still is not allowed, and y does not stand behind it
    assert drain(queue, 1.0) == ["b"]
