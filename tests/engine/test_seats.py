"""Seats are given to the least loaded instance that may have the run, and never more than there are."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.ports import Instance
from core.engine.routing import Routing
from core.engine.seats import Seats
from core.governor.breaker import FIRST_S, STREAK
from schedule_zero.handler import MethodInfo

METHODS = st.sets(st.sampled_from("ab"), min_size=1)
GUILDS = st.sampled_from([None, None, "1", "2"])
WISHES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([None, "1", "2"])), max_size=60)
NOW = 100.0


def made(
    number: int, methods: set[str] | str = "a", guild_id: str | None = None, in_flight: int = 0, credit: int = 8, away: int = 9,
    **facts: object,
) -> Instance:  # fmt: skip
    infos = {name: MethodInfo(name=name, doc="", timeout=None, at_most_once=False, schema={}) for name in methods}
    return Instance(
        name=f"far@{number}", handler="far", methods=infos, guild_id=guild_id, in_flight=in_flight, credit=credit,
        available=away != 0, draining=away == 1, silent=away == 2, **facts,  # type: ignore[arg-type]
    )  # fmt: skip


def ailing(instance: Instance, at: float = NOW) -> Instance:
    """The same, after its last runs failed."""
    for _ in range(STREAK):
        instance.ended(ok=False, took_s=None, taken_at=at, now=at)
    return instance


def seats_of(*instances: Instance, now: float = NOW) -> Seats:
    return Seats({"far": {instance.name: instance for instance in instances}}, now)


def given_out(seats: Seats, count: int, routing: Routing | None = None) -> list[str]:
    """To whom so many runs go."""
    gone = []
    for _ in range(count):
        name = seats.able("far", "a", None, routing)[0]
        seats.take(name, "far")
        gone.append(name.removeprefix("far@"))
    return gone


INSTANCES = st.lists(
    st.tuples(
        METHODS, GUILDS, st.integers(0, 4), st.integers(0, 6), st.integers(0, 9), st.sampled_from([0.0, 0.1, 0.4, 3.0])
    ),
    max_size=6,
).map(lambda drawn: [made(number, *facts[:5], pace_s=facts[5]) for number, facts in enumerate(drawn)])


def able(instances: list[Instance], method: str, guild_id: str | None) -> list[Instance]:
    """The obvious way."""
    free = [
        each
        for each in instances
        if each.available and not each.draining and not each.silent and each.in_flight < each.credit
        and method in each.methods and each.guild_id in (None, guild_id)
    ]  # fmt: skip
    return sorted(free, key=load)


def load(each: Instance) -> float:
    return (each.in_flight + 1) * each.weight


@given(INSTANCES, WISHES)
def test_seats_are_what_a_look_at_everybody_would_find(
    instances: list[Instance], wishes: list[tuple[str, str | None]]
) -> None:
    pool = {instance.name: instance for instance in instances}
    seats = Seats({"far": pool})
    for method, guild_id in wishes:
        found = seats.able("far", method, guild_id)
        expected = able(instances, method, guild_id)
        assert sorted(found) == sorted(each.name for each in expected)
        if len(found) > 1:
            assert [load(pool[name]) for name in found] == pytest.approx([load(each) for each in expected])
        if found:
            before = pool[found[0]].in_flight
            name = found[0]
            seats.take(name, "far")
            assert pool[name].in_flight == before + 1 <= pool[name].credit


def test_nobody_serves_a_handler_that_is_not_there() -> None:
    assert list(Seats({}).able("far", "a", None)) == []


def test_runs_are_shared_out_by_the_credit_that_is_free() -> None:
    gone = Counter(given_out(seats_of(made(1, credit=30), made(2, credit=10)), 20))
    assert gone == {"1": 15, "2": 5}


def test_who_is_twice_as_slow_gets_half_as_much() -> None:
    gone = Counter(given_out(seats_of(made(1, credit=99, pace_s=0.1), made(2, credit=99, pace_s=0.2)), 30))
    assert gone == {"1": 20, "2": 10}


def test_those_who_are_alike_take_turns_also_over_turns_of_choosing() -> None:
    instances = [made(number, pace_s=0.1 + number / 100) for number in range(3)]
    gone = []
    for turn in range(6):
        gone += given_out(seats_of(*instances, now=NOW + turn), 1)
        for each in instances:
            each.in_flight = 0
    assert gone == ["0", "1", "2", "0", "1", "2"]


def test_who_is_silent_gets_nothing_even_if_there_is_nobody_else() -> None:
    assert list(seats_of(made(1, away=2)).able("far", "a", None)) == []


def test_who_failed_at_its_last_runs_gets_nothing_while_another_one_is_there() -> None:
    assert given_out(seats_of(ailing(made(1)), made(2)), 8) == ["2"] * 8


def test_who_failed_at_its_last_runs_is_not_given_what_the_well_one_has_no_room_for() -> None:
    seats = seats_of(ailing(made(1)), made(2, credit=1, in_flight=1))
    assert list(seats.able("far", "a", None)) == []


def test_after_a_while_it_gets_one_run_to_show_that_it_is_well() -> None:
    sick, well = ailing(made(1)), made(2, in_flight=4)
    assert given_out(seats_of(sick, well, now=NOW + FIRST_S), 3) == ["1", "2", "2"]
    sick.ended(ok=True, took_s=0.1, taken_at=NOW + FIRST_S, now=NOW + FIRST_S + 1)
    assert given_out(seats_of(sick, well, now=NOW + FIRST_S + 1), 2) == ["1", "1"]


def test_where_nobody_else_is_there_it_goes_on_getting_runs_as_the_breaker_lets_them_through() -> None:
    assert given_out(seats_of(ailing(made(1))), 2) == ["1", "1"]
    assert given_out(seats_of(ailing(made(1)), made(2, methods="b")), 2) == ["1", "1"]
    assert given_out(seats_of(ailing(made(1)), made(2, guild_id="1")), 2) == ["1", "1"]


def test_runs_of_one_key_go_to_one_instance_and_keys_to_all() -> None:
    instances = [made(number, credit=1000) for number in range(4)]
    homes = {key: given_out(seats_of(*instances), 3, Routing(key=key)) for key in map(str, range(200))}
    assert all(len(set(gone)) == 1 for gone in homes.values())
    assert set(Counter(gone[0] for gone in homes.values())) == {"0", "1", "2", "3"}


@pytest.mark.parametrize("gone", range(4))
def test_when_one_goes_only_its_own_keys_move_and_when_it_is_back_they_come_home(gone: int) -> None:
    def homes(instances: list[Instance]) -> dict[str, str]:
        return {key: given_out(seats_of(*instances), 1, Routing(key=key))[0] for key in map(str, range(100))}

    everybody = [made(number, credit=1000) for number in range(4)]
    before, without = homes(everybody), homes([each for each in everybody if each.name != f"far@{gone}"])
    assert {key for key in before if before[key] != without[key]} == {key for key in before if before[key] == str(gone)}
    assert homes(everybody) == before


def test_a_key_whose_instance_is_ill_or_full_goes_to_the_next() -> None:
    instances = [made(number) for number in range(3)]
    home = int(given_out(seats_of(*instances), 1, Routing(key="k"))[0])
    instances[home].in_flight = instances[home].credit
    (second,) = given_out(seats_of(*instances), 1, Routing(key="k"))
    assert second != str(home)
    instances[home].in_flight = 0
    ailing(instances[home])
    assert given_out(seats_of(*instances), 1, Routing(key="k")) == [second]


def test_conditions_are_met_or_nobody_is_able() -> None:
    old, new = made(1, version="1.9"), made(2, version="2.1.0", capabilities=frozenset({"gpu", "eu"}))
    assert given_out(seats_of(old, new), 2, Routing(needs=("gpu",))) == ["2", "2"]
    assert given_out(seats_of(old, new), 2, Routing(version=">=2.1,<3")) == ["2", "2"]
    assert list(seats_of(old, new).able("far", "a", None, Routing(needs=("tpu",)))) == []
    assert list(seats_of(old, new).able("far", "a", None, Routing(needs=("gpu",), version="<2"))) == []
