"""The page about fairness says what the benchmark makes, and the benchmark's measures are what they are called."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

import pytest

from benchmarks.fairness.figures import Outcome, Turn, fair_shares, index, jain, outcomes, utilisation
from benchmarks.fairness.loads import FLOODS, MINUTES, Run, hour, quiet_guilds
from benchmarks.fairness.page import PAGE, PICTURE, page, table
from benchmarks.fairness.picture import picture
from benchmarks.fairness.policies import OURS


@pytest.fixture(scope="module")
def found() -> Mapping[str, Outcome]:
    return outcomes()


@pytest.mark.slow
def test_table_and_picture_of_the_page_are_what_the_benchmark_makes_with_its_seed(
    found: Mapping[str, Outcome],
) -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert table(found) in text, "write them anew: python -m benchmarks.fairness"
    assert page(text, found) == text
    assert PICTURE.read_text(encoding="utf-8") == picture(found)


@pytest.mark.slow
def test_what_the_page_says_of_ours_is_so(found: Mapping[str, Outcome]) -> None:
    ours = found[OURS]
    others = [outcome for name, outcome in found.items() if name != OURS]
    assert ours.most <= min(other.most for other in others)
    assert ours.flooded <= min(other.flooded for other in others)
    assert ours.crowded <= min(other.crowded for other in others)
    assert ours.jain >= max(other.jain for other in others)
    assert ours.flood <= 1.35


@pytest.mark.slow
def test_the_picture_is_one_that_browsers_can_read(found: Mapping[str, Outcome]) -> None:
    drawn = ET.fromstring(picture(found))
    lines = [each for each in drawn.iter() if each.get("class", "").startswith("line ") and "L" in each.get("d", "")]
    assert len(lines) == len(found)


@pytest.mark.slow
def test_one_seed_makes_one_hour() -> None:
    runs = hour()
    assert runs == hour()
    assert runs != hour(seed=7)
    assert all(0 <= run.due < MINUTES * 60_000 and run.takes > 0 for run in runs)


def test_the_quiet_half_has_little_and_floods_are_not_in_it() -> None:
    runs = hour()
    quiet = quiet_guilds(runs)
    assert quiet.isdisjoint(flood.guild for flood in FLOODS)
    assert sum(run.guild in quiet for run in runs) < len(runs) / 10


def test_fair_shares_give_nobody_more_than_it_asks_for_and_share_the_rest_evenly() -> None:
    assert fair_shares({"a": 1.0, "b": 10.0, "c": 10.0}, 9.0) == {"a": 1.0, "b": 4.0, "c": 4.0}


def test_jains_index_is_one_for_equals_and_a_part_for_a_monopoly() -> None:
    assert index([2.0, 2.0, 2.0]) == 1.0
    assert index([3.0, 0.0, 0.0]) == pytest.approx(1 / 3)


def turns(*whose: str) -> list[Turn]:
    """Runs of ten seconds on one slot, one after the other, all due at the beginning."""
    return [Turn(Run(guild, "a.b", 0, 10_000), 10.0 * place, 10.0 * place + 10) for place, guild in enumerate(whose)]


def test_who_is_served_in_turn_is_fairer_than_who_is_served_in_a_row() -> None:
    assert jain(turns(*"ababab" * 2)) > 0.99
    assert jain(turns(*"aaaaaabbbbbb")) == pytest.approx(0.5)


def test_utilisation_counts_only_while_somebody_waits() -> None:
    assert utilisation(turns("a", "b"), 1) == pytest.approx(1.0)
    assert utilisation(turns("a", "b"), 2) == pytest.approx(0.5)
