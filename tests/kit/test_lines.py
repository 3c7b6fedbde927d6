"""The beginning and the end of what is said are kept, within their bounds, and what lies between is counted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from schedule_zero.process.lines import A_SECOND, Allowance, Excerpt, Taken, shortened, size_of
from schedule_zero.transport.wire import MOST_LINES, Line

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
LINES = st.lists(st.builds(Line, st.just(0), TEXTS, st.integers(0, 3)), max_size=40)


def told(taken: Taken) -> list[str]:
    """Every line that was said, as far as it is known: its text, or a question mark for one left out."""
    found: list[str] = []
    for line in taken.lines:
        found += ["?"] * line.left_out + [line.text]
    return found + ["?"] * taken.left_out


@given(LINES, st.integers(0, 12), st.integers(0, 60))
def test_the_first_and_the_last_are_kept_within_both_bounds_and_every_other_one_is_counted(
    lines: list[Line], most: int, most_bytes: int
) -> None:
    excerpt = Excerpt(most, most_bytes)
    for line in lines:
        excerpt.add(line)
        assert len(excerpt) <= most
        assert excerpt.size <= most_bytes
    all_said = told(Taken(lines, 0))
    taken = excerpt.take()
    kept = told(taken)
    assert len(kept) == len(all_said)
    assert all(mine in ("?", theirs) for mine, theirs in zip(kept, all_said, strict=True))
    assert sum(size_of(line) for line in taken.lines) <= most_bytes
    assert not excerpt
    if sum(map(size_of, lines)) <= most_bytes // 2 and len(lines) <= most // 2:
        assert kept == all_said


@given(LINES, st.integers(0, 12), st.integers(0, 5))
def test_shortened_they_are_as_many_as_they_were_said(lines: list[Line], most: int, behind: int) -> None:
    whole = Taken(lines, behind)
    short = shortened(whole, most)
    assert len(short.lines) <= most
    assert len(told(short)) == len(told(whole))
    if lines and most >= 2:
        assert (short.lines[0].text, short.lines[-1].text) == (lines[0].text, lines[-1].text)


def test_lines_that_nobody_kept_are_counted_where_they_were_said() -> None:
    excerpt = Excerpt(4)
    excerpt.skip(2)
    excerpt.add(Line(1, "a"))
    excerpt.put_before(3)
    excerpt.skip(4)
    assert excerpt.take() == Taken([Line(1, "a", 5)], 4)
    excerpt.put_before(7)
    assert bool(excerpt)
    assert excerpt.take() == Taken([], 7)


def test_many_lines_pass_at_first_then_so_many_a_second_and_the_last_ones_always() -> None:
    allowance = Allowance(0.0)
    assert allowance.at(0.0) == MOST_LINES
    allowance.use(MOST_LINES)
    assert allowance.at(0.0) == 0
    assert allowance.at(0.5) == A_SECOND / 2
    assert allowance.at(0.5, last=True) == A_SECOND
    assert allowance.at(1e9) == MOST_LINES
