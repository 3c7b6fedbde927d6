"""The page docs/times.md says nothing that is not so: every row of its tables is run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from core.timing.combine import combine
from core.timing.compile import compile_rule
from core.timing.preview import preview
from core.timing.reading import Reading, Unreadable, read, read_repeat
from core.timing.rule import Rule
from core.timing.zones import BadZone, zone
from schedule_zero.instant import DAY, parse, to_datetime
from schedule_zero.trigger import CronTrigger, IntervalTrigger, RRuleTrigger, Trigger
from tests.timing.walls import compiled, cron, due_after, instant

PAGE = (Path(__file__).parents[2] / "docs" / "times.md").read_text("utf-8")
BERLIN = "Europe/Berlin"
NOW = parse("2026-11-18T10:00:00+01:00")


def rows(*heads: str) -> list[tuple[str, ...]]:
    """The rows of all tables whose header is this one."""
    found = []
    for table in re.findall(r"(?:^\|.*\n)+", PAGE, re.MULTILINE):
        lines = [tuple(cell.strip() for cell in line.strip("|\n ").split(" | ")) for line in table.splitlines()]
        if lines[0] == heads:
            found += lines[2:]
    assert found, heads
    return found


def spelled(rule: Rule, after: int, n: int) -> list[str]:
    shown = [to_datetime(due, rule.zone).strftime("%Y-%m-%d %H:%M:%S") for due in due_after(rule, after, n)]
    return [text.removesuffix(":00") for text in shown]


def due(reading: Reading, n: int) -> list[str]:
    rule = compile_rule(reading.trigger, timezone=BERLIN, anchor=NOW, start=reading.start, until=reading.until)
    return spelled(rule, NOW, n)


def now_read(text: str) -> Reading:
    return read(text, now=NOW, timezone=BERLIN)


@pytest.mark.parametrize(("typed", "expected"), rows("typed", "due"))
def test_single_times(typed: str, expected: str) -> None:
    for text in re.findall(r"`([^`]+)`", typed):
        assert due(now_read(text), 2) == [expected]


@pytest.mark.parametrize(("typed", "said", "expected"), rows("typed", "said back", "next"))
def test_series(typed: str, said: str, expected: str) -> None:
    reading = now_read(typed.strip("`"))
    assert reading.words == said
    assert due(reading, len(expected.split(", "))) == expected.split(", ")


@pytest.mark.parametrize(("when", "repeat", "said"), rows("when", "repeat", "said back"))
def test_start_and_rule(when: str, repeat: str, said: str) -> None:
    first, rule = now_read(when.strip("`")), read_repeat(repeat.strip("`"), now=NOW, timezone=BERLIN)
    if said.startswith("refused: "):
        with pytest.raises(Unreadable, match=re.escape(said.removeprefix("refused: "))):
            combine(first, rule)
    else:
        assert combine(first, rule).words == said


@pytest.mark.parametrize(("typed", "answer"), rows("typed", "answer"))
def test_refusals(typed: str, answer: str) -> None:
    with pytest.raises(Unreadable) as caught:
        now_read(typed.strip("`"))
    assert caught.value.message == answer


@pytest.mark.parametrize(("expression", "expected"), rows("expression", "due"))
def test_cron(expression: str, expected: str) -> None:
    times = expected.split(", ")
    assert spelled(cron(expression.strip("`"), BERLIN), NOW, len(times)) == times


@pytest.mark.parametrize(
    ("zone", "rule", "after", "debian", "literal"), rows("zone", "rule", "from", "debian", "literal")
)
def test_clock_changes(zone: str, rule: str, after: str, debian: str, literal: str) -> None:
    for dst, expected in (("debian", debian.split(", ")), ("literal", literal.split(", "))):
        fires = preview(cron(rule.strip("`"), zone, dst), after=instant(after, zone), n=len(expected))
        shown = [f"{fire.local[5:10]} {fire.local[11:16]} {fire.local[-6:]}" for fire in fires]
        assert shown == expected


@pytest.mark.parametrize(("written", "expected"), rows("written", "zone"))
def test_zones(written: str, expected: str) -> None:
    if expected.startswith("refused: "):
        with pytest.raises(BadZone, match=re.escape(expected.removeprefix("refused: "))):
            zone(written.strip("`"))
    else:
        assert zone(written.strip("`")).key == expected


def _month_end_trigger(rule: str) -> tuple[Trigger, int]:
    match = re.fullmatch(r"`([^`]+)`(?: from (\S+))?", rule)
    assert match is not None
    text, start = match.groups()
    if text.startswith("P"):
        return IntervalTrigger(text, start=start), instant(start)
    if text.startswith("FREQ"):
        return RRuleTrigger(text, start=start), instant(start)
    return CronTrigger(text), instant("2026-01-01 00:00")


@pytest.mark.parametrize(("rule", "month_end", "expected"), rows("rule", "month_end", "due"))
def test_month_ends(rule: str, month_end: str, expected: str) -> None:
    trigger, after = _month_end_trigger(rule)
    times = expected.split(", ")
    assert spelled(compiled(trigger, month_end=month_end.strip("`")), after, len(times)) == times


def test_the_notes_on_the_page_are_those_of_the_preview() -> None:
    around = (instant("2026-03-28 12:00"), instant("2026-10-24 12:00"))
    fires = [fire for after in around for fire in preview(cron("30 2 * * *", BERLIN), after=after, n=1)]
    flat = " ".join(PAGE.split())
    notes = [note for fire in fires for note in fire.notes]
    clamped = compiled(CronTrigger("0 9 31 * *"), month_end="clamp")
    notes += preview(clamped, after=instant("2026-02-01 00:00"), n=1)[0].notes
    assert len(notes) == 4
    assert all(f"`{note}`" in flat for note in notes)


def test_the_defaults_on_the_page_are_those_of_compile() -> None:
    after = instant("2026-02-01 00:00")
    assert compiled(IntervalTrigger("P1M", start="2026-01-31T09:00:00")).next_after(after) == instant(
        "2026-02-28 09:00"
    )
    for trigger in (CronTrigger("0 9 31 * *"), RRuleTrigger("FREQ=MONTHLY", start="2026-01-31T09:00:00")):
        assert compiled(trigger).next_after(after) == instant("2026-03-31 09:00")
    assert compiled(CronTrigger("30 2 * * *"), BERLIN).next_after(instant("2026-03-28 12:00")) is not None


def test_the_day_the_page_is_read_on_is_a_wednesday() -> None:
    assert to_datetime(NOW).strftime("%A") == "Wednesday"
    assert NOW % DAY == 9 * 3600 * 1_000_000
