"""The golden corpus: what people type, when it is due, and what is said back or refused, line by line as plain data.

A line of ``phrases/*.txt`` is ``phrase => next due times | words`` or ``phrase => ! refusal | words offered / …``, read
at the moment, in the zone, with the default time and in the field of the last line that begins with ``@``. A phrase in
quotes is JSON, for characters that nobody sees.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from core.timing.compile import compile_rule
from core.timing.reading import Reading, Unreadable, read, read_repeat
from schedule_zero.instant import parse, to_datetime
from schedule_zero.trigger import Trigger
from tests.batches import batches

FOLDER = Path(__file__).parent / "phrases"


Context = tuple[int, str, str, str]
"""The moment, the zone, the default time and the field that phrases are read in."""


class Line(NamedTuple):
    """One phrase with what it is read from, and what must come of it."""

    now: int
    zone: str
    default_time: str
    field: str
    phrase: str
    outcome: str

    def read(self, phrase: str | None = None, *, hour24: bool = True) -> Reading:
        how = read_repeat if self.field == "repeat" else read
        text = self.phrase if phrase is None else phrase
        return how(text, now=self.now, timezone=self.zone, default_time=self.default_time, hour24=hour24)

    def due(self, reading: Reading, n: int) -> list[str]:
        rule = compile_rule(
            reading.trigger,
            timezone=self.zone,
            anchor=self.now,
            month_end=reading.month_end,
            start=reading.start,
            until=reading.until,
        )
        shown = [to_datetime(due, rule.zone).strftime("%Y-%m-%d %H:%M:%S") for due in rule.upcoming(self.now, n)]
        return [text.removesuffix(":00") for text in shown]


def corpus() -> Iterator[Line]:
    for path in sorted(FOLDER.glob("*.txt")):
        context: Context | None = None
        for text in path.read_text("utf-8").splitlines():
            if text.startswith("@ "):
                at, zone, default_time, field = text.removeprefix("@ ").split()
                context = parse(at), zone, default_time, field
            elif text and not text.startswith("# "):
                phrase, arrow, outcome = text.partition(" => ")
                assert arrow, f"{path.name}: {text}"
                assert context is not None, path.name
                yield Line(*context, json.loads(phrase) if phrase.startswith('"') else phrase, outcome)


LINES = list(corpus())
READ = [line for line in LINES if not line.outcome.startswith("! ")]
REFUSED = [line for line in LINES if line.outcome.startswith("! ")]
CONTEXTS = sorted({line[:4] for line in LINES})


def _name(line: Line) -> str:
    return f"{to_datetime(line.now):%d%H}-{line.field}-{line.phrase!a}"


def test_the_corpus_is_large_and_says_nothing_twice() -> None:
    assert len(READ) > 500
    assert len(REFUSED) > 150
    assert len({line[:-1] for line in LINES}) == len(LINES)


def _outcome(line: Line) -> str:
    try:
        reading = line.read()
    except Unreadable as error:
        offers = " / ".join(reading.words for reading in error.readings)
        return f"! {error.message}" + (f" | {offers}" if offers else "")
    return f"{', '.join(line.due(reading, 2))} | {reading.words}"


@pytest.mark.parametrize("lines", batches(LINES))
def test_a_phrase_means_or_is_refused_as_the_corpus_says(lines: Sequence[Line]) -> None:
    found = {_name(line): _outcome(line) for line in lines}
    assert found == {_name(line): line.outcome for line in lines}


@pytest.mark.parametrize("context", CONTEXTS, ids=str)
def test_what_is_offered_can_be_sent_and_means_the_offer(context: Context) -> None:
    for line in REFUSED:
        if line[:4] != context or " | " not in line.outcome:
            continue
        with pytest.raises(Unreadable) as caught:
            line.read()
        for offer in caught.value.readings:
            assert line.due(line.read(offer.text), 3) == line.due(offer, 3), (line.phrase, offer.text)


def _says_more_than_words(reading: Reading) -> bool:
    return reading.words.startswith("by the rule ") or "(cron " in reading.words


@pytest.mark.parametrize("hour24", [True, False])
@pytest.mark.parametrize("context", CONTEXTS, ids=str)
def test_words_said_back_mean_the_same_when_they_are_typed(context: Context, hour24: bool) -> None:
    for line in READ:
        if line[:4] != context or _says_more_than_words(reading := line.read(hour24=hour24)):
            continue
        again = line.read(reading.words, hour24=hour24)
        assert again.words == reading.words, line.phrase
        assert again.count == reading.count, line.phrase
        assert line.due(again, 5) == line.due(reading, 5), line.phrase


def test_triggers_survive_json() -> None:
    for line in READ:
        trigger = line.read().trigger
        assert msgspec.json.decode(msgspec.json.encode(trigger), type=Trigger) == trigger
