"""A breaker opens where failures say so, tries one run, and closes again; on a clock that only the test moves."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.governor.adaptive import Aimd
from core.governor.breaker import ENOUGH, FIRST_S, LONGEST_S, STREAK, WINDOW_S, Breaker
from core.governor.guard import ADAPTIVE, BREAKER, Crowd, Guard


def failed(breaker: Breaker, now: float, times: int = STREAK, voice: str | None = "1") -> Breaker:
    for _ in range(times):
        breaker.ended(ok=False, voice=voice, taken_at=now, now=now)
    return breaker


def probed(breaker: Breaker, *, ok: bool | None, now: float) -> bool:
    assert not breaker.refuses(now)
    breaker.take(now)
    assert breaker.refuses(now)
    assert breaker.free_at() is None
    return breaker.ended(ok=ok, voice="1", taken_at=now, now=now)


def test_five_failures_in_a_row_open_it_and_a_success_between_them_does_not() -> None:
    breaker = failed(Breaker(), 0.0, STREAK - 1)
    breaker.ended(ok=True, voice="1", taken_at=0.0, now=0.0)
    assert not failed(breaker, 0.0, STREAK - 1).refuses(0.0)
    assert failed(breaker, 0.0, 1).refuses(0.0)


def test_lasting_and_unknown_ends_neither_open_it_nor_break_the_row() -> None:
    breaker = failed(Breaker(), 0.0, STREAK - 1)
    for _ in range(100):
        breaker.ended(ok=None, voice="1", taken_at=0.0, now=0.0)
    assert not breaker.refuses(0.0)
    assert failed(breaker, 0.0, 1).refuses(0.0)


def test_where_half_fail_it_opens_although_they_never_do_in_a_row() -> None:
    breaker = Breaker()
    for place in range(ENOUGH):
        assert not breaker.refuses(1.0)
        breaker.ended(ok=place % 2 == 0, voice="1", taken_at=1.0, now=1.0)
    assert breaker.refuses(1.0)


def test_what_is_older_than_the_window_does_not_count() -> None:
    breaker, now = Breaker(), 0.0
    for place in range(ENOUGH - 2):
        breaker.ended(ok=place % 2 == 0, voice="1", taken_at=now, now=now)
    now += 2 * WINDOW_S
    for place in range(4):
        breaker.ended(ok=place % 2 == 0, voice="1", taken_at=now, now=now)
    assert not breaker.refuses(now)


def test_when_its_time_is_over_one_run_is_tried_and_its_success_lets_all_in() -> None:
    breaker = failed(Breaker(), 0.0)
    assert breaker.refuses(FIRST_S - 0.01)
    assert breaker.free_at() == FIRST_S
    assert probed(breaker, ok=True, now=FIRST_S)
    assert breaker.until is None


def test_each_probe_that_fails_keeps_it_open_for_longer_up_to_a_cap() -> None:
    breaker, now, waits = failed(Breaker(), 0.0), 0.0, []
    for _ in range(8):
        assert breaker.until is not None
        waits.append(breaker.until - now)
        now = breaker.until
        probed(breaker, ok=False, now=now)
    assert waits == [FIRST_S, 4.0, 8.0, 16.0, 32.0, LONGEST_S, LONGEST_S, LONGEST_S]


def test_a_probe_that_says_nothing_is_followed_by_another_one() -> None:
    breaker = failed(Breaker(), 0.0)
    assert probed(breaker, ok=None, now=FIRST_S)
    assert not breaker.refuses(FIRST_S)
    assert breaker.until is not None


def test_a_probe_that_was_not_begun_leaves_its_place_to_another_one() -> None:
    breaker = failed(Breaker(), 0.0)
    breaker.take(FIRST_S)
    breaker.undo(FIRST_S)
    assert not breaker.refuses(FIRST_S)


def test_what_began_before_it_opened_or_closed_is_not_heard_any_more() -> None:
    breaker = failed(Breaker(), 10.0)
    assert not breaker.ended(ok=True, voice="1", taken_at=9.0, now=11.0)
    assert breaker.refuses(11.0)
    probed(breaker, ok=True, now=12.0)
    for _ in range(100):
        breaker.ended(ok=False, voice="1", taken_at=9.0, now=13.0)
    assert not breaker.refuses(13.0)


def test_one_that_opens_again_soon_after_it_closed_stays_open_for_longer() -> None:
    breaker = failed(Breaker(), 0.0)
    probed(breaker, ok=True, now=2.0)
    assert failed(breaker, 3.0).until == 3.0 + 2 * FIRST_S
    probed(breaker, ok=True, now=7.0)
    assert failed(breaker, 1000.0).until == 1000.0 + FIRST_S


@given(st.lists(st.tuples(st.sampled_from(["take", "good", "bad", "nothing", "undo"]), st.floats(0, 30)), max_size=200))
def test_while_it_is_not_closed_never_more_than_one_run_is_under_way(steps: list[tuple[str, float]]) -> None:
    breaker, now, since_open = failed(Breaker(), 0.0), 0.0, []
    for step, seconds in steps:
        now += seconds + 0.001
        if step == "take" and not breaker.refuses(now):
            breaker.take(now)
            since_open.append(now)
        elif since_open and step != "take":
            taken_at = since_open.pop()
            if step == "undo":
                breaker.undo(taken_at)
            else:
                ok = {"good": True, "bad": False, "nothing": None}[step]
                breaker.ended(ok=ok, voice="1", taken_at=taken_at, now=now)
        if breaker.until is not None:
            assert len([at for at in since_open if at == breaker.probing]) == (breaker.probing is not None)
            assert breaker.until <= now + LONGEST_S
        else:
            since_open.clear()


def guard(adaptive: Aimd | None = None) -> Guard:
    return Guard("handler:far/work", Crowd(), adaptive)


def fail(guarded: Guard, guild: str | None, now: float, times: int = STREAK) -> None:
    for _ in range(times):
        guarded.take(guild, now)
        guarded.ended(guild, ok=False, took_s=0.1, taken_at=now, now=now)


def test_a_guild_whose_runs_alone_fail_waits_alone() -> None:
    guarded = guard()
    fail(guarded, "1", 0.0)
    wait = guarded.check("1", 0.0)
    assert wait is not None
    assert (wait.scope, wait.limit, wait.until) == ("handler:far/work", BREAKER, FIRST_S)
    assert guarded.check("2", 0.0) is None
    assert guarded.check(None, 0.0) is None


def test_where_the_runs_of_two_guilds_fail_all_wait() -> None:
    guarded = guard()
    fail(guarded, "1", 0.0)
    fail(guarded, "2", 0.0, 1)
    assert guarded.check("3", 0.0) is not None


def test_many_failures_of_one_guild_do_not_shut_out_those_whose_runs_succeed() -> None:
    guarded = guard()
    for step in range(200):
        now = step * 0.1
        if guarded.check("1", now) is None:
            guarded.take("1", now)
            guarded.ended("1", ok=False, took_s=0.1, taken_at=now, now=now)
        guild = str(2 + step % 5)
        assert guarded.check(guild, now) is None
        guarded.take(guild, now)
        guarded.ended(guild, ok=True, took_s=0.1, taken_at=now, now=now)


def test_what_closes_a_breaker_tells_that_who_waits_may_try_again() -> None:
    guarded = guard()
    fail(guarded, "1", 0.0)
    guarded.take("1", FIRST_S)
    assert guarded.check("1", FIRST_S) is not None
    assert guarded.ended("1", ok=True, took_s=0.1, taken_at=FIRST_S, now=FIRST_S)
    assert guarded.check("1", FIRST_S) is None
    assert not guarded.wary


def test_a_full_adaptive_limit_is_named_with_what_it_allows() -> None:
    guarded = guard(Aimd(1, 2))
    for _ in range(2):
        guarded.take("1", 0.0)
    wait = guarded.check("1", 0.0)
    assert wait is not None
    assert (wait.limit, wait.used, wait.allowed, wait.until) == (ADAPTIVE, 2, 2, None)
    assert guarded.ended("1", ok=True, took_s=0.1, taken_at=0.0, now=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_a_guard_that_was_told_of_every_start_and_end_is_at_rest_again(seed: int) -> None:
    chance, guarded, now = random.Random(seed), guard(Aimd(1, 8)), 0.0
    under_way: list[tuple[str, float]] = []
    for _ in range(2000):
        now += chance.random()
        guild = chance.choice("123")
        if chance.random() < 0.5 and guarded.check(guild, now) is None:
            guarded.take(guild, now)
            under_way.append((guild, now))
        elif under_way:
            guild, at = under_way.pop(chance.randrange(len(under_way)))
            if chance.random() < 0.1:
                guarded.undo(guild, at)
            else:
                guarded.ended(guild, ok=chance.choice([True, True, False, None]), took_s=0.1, taken_at=at, now=now)
    for guild, at in under_way:
        guarded.ended(guild, ok=None, took_s=None, taken_at=at, now=now)
    assert guarded.crowd.held == 0
    assert guarded.adaptive is not None
    assert guarded.adaptive.in_flight == 0
    for guild in "123":
        while (wait := guarded.check(guild, now)) is not None:
            assert wait.until is not None, "nothing is under way, so time alone lets it in"
            now = wait.until
        guarded.take(guild, now)
        guarded.ended(guild, ok=True, took_s=0.1, taken_at=now, now=now)
        assert guarded.check(guild, now) is None
