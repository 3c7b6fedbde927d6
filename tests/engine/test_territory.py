"""Sharing guilds out: every bucket has one core, none has much more than the others, and it comes to rest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.engine.territory import Territory, at_rest, busy_buckets, fair_share, to_claim, to_give_up
from core.ledger.buckets import BUCKETS, NO_GUILD, bucket_of


def test_a_core_alone_works_for_everybody_and_reads_everything() -> None:
    alone = Territory()
    assert alone.owns("1")
    assert alone.owns(None)
    assert alone.within() is None


def test_a_core_among_others_works_for_what_it_holds_and_for_nothing_at_first() -> None:
    one = Territory(shared=True)
    assert not one.owns("1")
    assert one.within() == []
    one.add([bucket_of("1"), NO_GUILD])
    assert one.owns("1")
    assert one.owns(None)
    one.drop([NO_GUILD])
    assert not one.owns(None)
    assert one.within() == [bucket_of("1")]


@given(st.text(max_size=30))
def test_a_guild_stays_in_its_bucket_and_never_in_that_of_none(guild: str) -> None:
    assert bucket_of(guild) == bucket_of(guild) < NO_GUILD


def test_real_guilds_are_spread_evenly() -> None:
    counts = busy_buckets(str((1_600_000 + number) << 22) for number in range(6400))
    assert len(counts) == NO_GUILD
    assert max(counts.values()) < 170


@given(st.lists(st.sampled_from(["join", "die", "turn"]), max_size=60), st.randoms(use_true_random=False))
def test_whoever_comes_and_goes_each_bucket_is_held_once_and_the_shares_become_fair(
    steps: list[str], random: object
) -> None:
    held: list[set[int]] = [set()]
    free = set(range(BUCKETS))

    def turn(place: int) -> None:
        mine = held[place]
        for _ in range(to_claim(len(held), len(mine))):
            if free:
                mine.add(free.pop())
        for _ in range(to_give_up(len(held), len(mine))):
            free.add(mine.pop())

    for number, step in enumerate(steps):
        if step == "join" and len(held) < 7:
            held.append(set())
        elif step == "die" and len(held) > 1:
            free |= held.pop(number % len(held))
        else:
            turn(number % len(held))
        assert sum(map(len, held)) + len(free) == BUCKETS
        assert len(free.union(*held)) == BUCKETS
    for _ in range(2):
        for place in range(len(held)):
            turn(place)
    assert not free
    assert max(map(len, held)) <= fair_share(len(held))


def test_the_least_busy_buckets_go_first_and_go_when_nothing_is_under_way() -> None:
    one = Territory(shared=True)
    one.add([3, 4, 5])
    assert one.busiest_last({5: 2, 3: 1}) == [4, 3, 5]
    assert at_rest([3, 4, 5], {5: 2, 3: 1}) == [4]
