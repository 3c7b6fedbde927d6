"""Seats are given to the least loaded instance that may have the run, and never more than there are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.engine.ports import Instance
from core.engine.seats import Seats
from schedule_zero.handler import MethodInfo

METHODS = st.sets(st.sampled_from("ab"), min_size=1)
GUILDS = st.sampled_from([None, None, "1", "2"])
WISHES = st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from([None, "1", "2"])), max_size=60)


def made(number: int, methods: set[str], guild_id: str | None, in_flight: int, credit: int, away: int) -> Instance:
    infos = {name: MethodInfo(name=name, doc="", timeout=None, at_most_once=False, schema={}) for name in methods}
    return Instance(
        name=f"far@{number}", handler="far", methods=infos, guild_id=guild_id, in_flight=in_flight, credit=credit,
        available=away != 0, draining=away == 1,
    )  # fmt: skip


INSTANCES = st.lists(
    st.tuples(METHODS, GUILDS, st.integers(0, 4), st.integers(0, 6), st.integers(0, 9)), max_size=6
).map(lambda drawn: [made(number, *facts) for number, facts in enumerate(drawn)])


def able(instances: list[Instance], method: str, guild_id: str | None) -> list[Instance]:
    """The obvious way."""
    free = [
        each
        for each in instances
        if each.available and not each.draining and each.in_flight < each.credit
        and method in each.methods and each.guild_id in (None, guild_id)
    ]  # fmt: skip
    return sorted(free, key=lambda each: each.in_flight)


@given(INSTANCES, WISHES)
def test_seats_are_what_a_look_at_everybody_would_find(
    instances: list[Instance], wishes: list[tuple[str, str | None]]
) -> None:
    pool = {instance.name: instance for instance in instances}
    seats = Seats({"far": pool})
    for method, guild_id in wishes:
        expected = able(instances, method, guild_id)
        found = seats.able("far", method, guild_id)
        assert sorted(found) == sorted(each.name for each in expected)
        assert [pool[name].in_flight for name in found] == [each.in_flight for each in expected]
        if found:
            before = pool[found[0]].in_flight
            name = found[0]
            seats.take(name, "far")
            assert pool[name].in_flight == before + 1 <= pool[name].credit


def test_nobody_serves_a_handler_that_is_not_there() -> None:
    assert list(Seats({}).able("far", "a", None)) == []
