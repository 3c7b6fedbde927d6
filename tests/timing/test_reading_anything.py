"""Nothing that can be typed raises anything but a refusal, takes long, or is due before now."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import pytest

from core.timing.compile import compile_rule
from core.timing.reading import LONGEST, Reading, Unreadable, read, read_repeat, readings, suggest_repeat
from core.timing.zones import BadZone, search_zones, zone
from schedule_zero.instant import parse
from tests.timing.test_phrases import LINES

NOW = parse("2026-11-18T10:00:00+01:00")
ZONE = "Europe/Berlin"
WORDS = sorted({word for line in LINES for word in line.phrase.split()})
BEGINNINGS = [
    "every",
    "at",
    "on",
    "the first",
    "daily",
    "weekly",
    "every 2 weeks",
    "every 15 minutes",
    "tomorrow",
    "next",
    "in 2",
    "friday",
    "3rd of march",
]
HARDEST = [
    "half six ", "bi-weekly ", "twice a day ", "and ", "the ", "a.m.", "- ", "1 ", "1/1/", "1:", ".", "' ", "every ",
    "until june ", "9 to 5 ", "midnight and ", "9 and 5pm, ", "tommorow ", "christmas ", "friday the 13th ", "in 1:30 ",
    "9, ", "1st, ", "monday, ", "first monday of march ", "twenty-", "in ", "a week on ", "except ", "5x ", "００",
]  # fmt: skip


def _typed(chance: random.Random) -> str:
    """Words of the corpus in any order, run together, or no words at all."""
    kind = chance.random()
    if kind < 0.4:
        return " ".join([chance.choice(BEGINNINGS), *chance.choices(WORDS, k=chance.randint(1, 6))])
    if kind < 0.7:
        return " ".join(chance.choices(WORDS, k=chance.randint(1, 9)))
    if kind < 0.85:
        return "".join(word + chance.choice(["", " "]) for word in chance.choices(WORDS, k=chance.randint(1, 40)))
    ranges = [(32, 126), (0, 0x2FFF), (0, 0x10FFFF)]
    return "".join(chr(chance.randint(*chance.choice(ranges))) for _ in range(chance.randint(1, LONGEST + 20)))


def _answered(how: Callable[..., Reading], text: str) -> Reading | Unreadable:
    try:
        return how(text, now=NOW, timezone=ZONE)
    except Unreadable as refusal:
        return refusal


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_ten_thousand_texts_are_read_or_refused(seed: int) -> None:
    chance = random.Random(seed)
    understood = 0
    for text in (_typed(chance) for _ in range(1_000)):
        for answer in (_answered(read, text), _answered(read_repeat, text)):
            if isinstance(answer, Unreadable):
                assert "\n" not in answer.message, text
                assert len(answer.readings) <= 3, text
                continue
            understood += 1
            rule = compile_rule(
                answer.trigger,
                timezone=ZONE,
                anchor=NOW,
                start=answer.start,
                until=answer.until,
                month_end=answer.month_end,
            )
            due = rule.next_after(NOW)
            assert due is not None, text
            assert due > NOW, text
    assert understood > 20


def _zone_or_refusal(text: str) -> str | BadZone:
    try:
        return zone(text).key
    except BadZone as refusal:
        return refusal


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_any_text_is_a_zone_or_refused_and_searched_for(seed: int) -> None:
    chance = random.Random(seed)
    for text in (_typed(chance) for _ in range(500)):
        assert len(search_zones(text)) <= 25
        answer = _zone_or_refusal(text)
        assert isinstance(answer, str) or len(answer.suggestions) <= 4


@pytest.mark.parametrize("text", HARDEST)
def test_the_longest_text_of_the_hardest_words_is_answered_soon(text: str) -> None:
    longest = (text * LONGEST)[:LONGEST]
    begun = time.process_time()
    _answered(read, longest)
    _answered(read_repeat, longest)
    readings(longest, now=NOW, timezone=ZONE)
    suggest_repeat(longest, now=NOW, timezone=ZONE)
    assert time.process_time() - begun < 2.0


def test_a_search_for_a_zone_takes_less_than_a_keystroke() -> None:
    typed = [text[:length] for text in ("central european time", "america/new_york", "são paulo", "united") for length in
             range(1, len(text) + 1)]  # fmt: skip
    search_zones("warm")
    begun = time.process_time()
    for text in typed:
        search_zones(text)
    assert (time.process_time() - begun) / len(typed) < 0.001
