"""The log of a run: within its bounds whatever is said, its beginning and its end, and honest about what lies between."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from core.engine.run_log import HALF_BYTES, HALF_LINES, MILLION, MOST_COUNTED, appended, shares
from core.ledger.rows import LineRow, ToldRow
from schedule_zero.process.lines import MOST_BYTES, Taken, Told
from schedule_zero.transport.wire import MOST_LINES, Line

PORTIONS = st.lists(
    st.tuples(st.integers(0, 400), st.sampled_from(["", "x" * 20, "ü" * 500, "\U0001f600" * 500]), st.integers(0, 9)),
    max_size=12,
)


def told(*lines: Line, fraction: float | None = None, note: str = "", left_out: int = 0) -> Told:
    return Told(fraction, note, Taken(lines, left_out))


def stored(kept: list[LineRow], row: ToldRow, attempt: int, telling: Told) -> tuple[list[LineRow], ToldRow]:
    """What the ledger does with it."""
    after, fresh, cut = appended(row, attempt, telling)
    kept = [*kept, *fresh]
    if cut is not None:
        kept = [
            line for line in kept
            if line.place <= cut.after or not (line.place <= cut.upto or line.preceding < cut.preceding)
        ]  # fmt: skip
    return kept, after


@given(PORTIONS)
def test_it_never_holds_more_than_its_bounds_and_always_the_beginning_and_the_end(
    portions: list[tuple[int, str, int]],
) -> None:
    kept: list[LineRow] = []
    row, said = ToldRow(run_id="run_1", attempt=1), 0
    numbers: list[int] = []
    for count, text, left_out in portions:
        lines = [Line(0, text, left_out) for _ in range(count)]
        for _ in lines:
            said += left_out + 1
            numbers.append(said)
        kept, row = stored(kept, row, 1, told(*lines))
        assert len(kept) <= MOST_LINES
        assert sum(len(line.text.encode()) for line in kept) <= MOST_BYTES
        assert row.lines == said
        if numbers:
            assert [line.n for line in kept][:1] == numbers[:1]
            assert kept[-1].n == numbers[-1]
    assert [line.n for line in kept] == sorted({line.n for line in kept})
    assert {line.n for line in kept} <= set(numbers)


def test_the_middle_goes_and_leaves_a_gap_in_the_numbers() -> None:
    kept: list[LineRow] = []
    row = ToldRow(run_id="run_1", attempt=1)
    for n in range(3 * MOST_LINES):
        kept, row = stored(kept, row, 1, told(Line(n, str(n))))
    assert [line.text for line in kept] == [
        str(n) for n in (*range(HALF_LINES), *range(3 * MOST_LINES - HALF_LINES, 3 * MOST_LINES))
    ]
    assert kept[HALF_LINES].n - kept[HALF_LINES - 1].n == 2 * MOST_LINES + 1


def test_long_lines_are_bounded_by_their_bytes() -> None:
    kept: list[LineRow] = []
    row, text = ToldRow(run_id="run_1", attempt=1), "\U0001f600" * 500
    for n in range(MOST_LINES):
        kept, row = stored(kept, row, 1, told(Line(n, text)))
    assert len(kept) == 2 * (HALF_BYTES // 2000)
    assert (kept[0].n, kept[-1].n) == (1, MOST_LINES)


def test_progress_is_the_newest_of_its_attempt() -> None:
    row = ToldRow(run_id="run_1", attempt=1)
    row = appended(row, 1, told(fraction=0.5, note="half"))[0]
    assert (row.fraction, row.note) == (MILLION // 2, "half")
    row = appended(row, 1, told(Line(0, "a")))[0]
    assert (row.fraction, row.note, row.lines) == (MILLION // 2, "half", 1)
    row = appended(row, 2, told(Line(0, "b")))[0]
    assert (row.fraction, row.note, row.lines, row.attempt) == (None, "", 2, 2)


def test_what_a_stranger_says_it_left_out_does_not_grow_beyond_all_counting() -> None:
    row = ToldRow(run_id="run_1", attempt=1, lines=MOST_COUNTED - 1)
    assert appended(row, 1, told(Line(0, "a", 2**31), left_out=2**31))[0].lines == MOST_COUNTED


@given(st.lists(st.integers(0, 50), max_size=20), st.integers(0, 200))
def test_shares_are_fair_and_no_more_than_there_is(wanted: list[int], most: int) -> None:
    given_ = shares(wanted, most)
    assert sum(given_) <= most
    assert all(got <= want for got, want in zip(given_, wanted, strict=True))
    if sum(wanted) <= most:
        assert given_ == wanted
    short = [got for got, want in zip(given_, wanted, strict=True) if got < want]
    assert not short or max(given_) - min(short) <= 1
