from __future__ import annotations

from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from core.governor.ring import Member, Ring


def drain(ring: Ring[Member]) -> list[Member]:
    found = []
    while (member := ring.first()) is not None:
        found.append(member)
        ring.leave(member)
    return found


@given(st.lists(st.tuples(st.sampled_from(["enter", "leave"]), st.integers(0, 5), st.integers(0, 4)), max_size=60))
def test_members_stand_by_turn_and_within_a_turn_by_arrival_wherever_they_moved(
    steps: list[tuple[str, int, int]],
) -> None:
    members, ring = [Member() for _ in range(6)], Ring[Member](count(1))
    standing: dict[int, tuple[int, int]] = {}
    for number, (what, who, turn) in enumerate(steps):
        if what == "enter":
            ring.enter(members[who], turn)
            standing[who] = turn, number
        else:
            ring.leave(members[who])
            standing.pop(who, None)
        assert ring.size == len(standing)
    assert [members.index(member) for member in drain(ring)] == sorted(standing, key=standing.__getitem__)


def test_a_member_that_moves_all_the_time_takes_no_room() -> None:
    ring, first, second = Ring[Member](count(1)), Member(), Member()
    ring.enter(first, 0)
    for turn in range(10_000):
        ring.enter(second, 10_000 - turn)
    assert len(ring._heap) < 200
    assert drain(ring) == [first, second]


def test_a_member_may_change_rings() -> None:
    places = count(1)
    one, other, member = Ring[Member](places), Ring[Member](places), Member()
    one.enter(member, 0)
    one.leave(member)
    other.enter(member, 0)
    assert one.first() is None
    assert other.first() is member
