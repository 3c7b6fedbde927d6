"""Ids: they sort by creation, none comes twice, and a neighbour's cannot be guessed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.ids import LENGTH, IdMaker, is_id

NOW = 1_800_000_000_000_000


@given(steps=st.lists(st.integers(min_value=0, max_value=3_000), min_size=1, max_size=200))
def test_ids_sort_in_the_order_they_were_made(steps: list[int]) -> None:
    ids, at, made = IdMaker(), NOW, []
    for step in steps:
        at += step
        made.append(ids.make("run", at))
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert all(is_id(id, "run") and len(id) == len("run_") + LENGTH for id in made)


def test_a_hundred_thousand_of_one_millisecond_are_in_order_too() -> None:
    ids = IdMaker()
    made = [ids.make("run", NOW) for _ in range(100_000)]
    assert made == sorted(set(made))


def test_makers_that_never_met_make_different_ids() -> None:
    made = [IdMaker().make("run", NOW) for _ in range(10_000)]
    assert len(set(made)) == len(made)


def test_the_end_of_an_id_says_nothing_about_the_next() -> None:
    ids = IdMaker()
    ends = [ids.make("run", NOW)[-7:] for _ in range(1000)]
    assert len(set(ends)) == len(ends)
    assert ends != sorted(ends)
