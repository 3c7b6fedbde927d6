"""``preview``: the contract's JSON, and refusals that say what could have been meant."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Command

ROOT = Path(__file__).resolve().parents[2]


def test_json_is_trigger_zone_fires_and_notes(command: Command) -> None:
    said = command(
        "preview", "30 2 * * *", "--tz", "Europe/Berlin", "-n", "2", "--after", "2026-03-28T12:00:00+01:00", "--json"
    )
    assert said.code == 0
    found = json.loads(said.out)
    assert list(found) == ["trigger", "timezone", "fires", "notes"]
    assert found["trigger"] == {"type": "cron", "expression": "30 2 * * *", "timezone": "Europe/Berlin"}
    assert found["timezone"] == "Europe/Berlin"
    assert found["fires"] == ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]
    assert found["notes"]


def test_the_rule_for_clock_changes_can_be_chosen(command: Command) -> None:
    arguments = ("preview", "30 2 * * *", "--tz", "Europe/Berlin", "-n", "1", "--after", "2026-03-28T12:00:00+01:00")
    assert "2026-03-29T03:00:00+02:00" in command(*arguments).out
    assert "2026-03-30T02:30:00+02:00" in command(*arguments, "--dst", "literal").out


@pytest.mark.parametrize("words", [("tomorrow", "at", "9"), ("0", "9", "*", "*", "MON")], ids=" ".join)
def test_a_text_whose_quotes_are_missing_is_refused_with_how_to_write_it(
    command: Command, words: tuple[str, ...]
) -> None:
    said = command("preview", *words)
    assert said.code == 2
    assert said.err == (
        "There are more words than it takes; put a text of several words, or with a *, in quotes "
        "(see 'schedule-zero preview --help')\n"
    )


def test_after_is_the_now_that_words_are_read_from(command: Command) -> None:
    said = command("preview", "in 2 hours", "--after", "2030-01-01T10:00:00Z", "--json")
    assert json.loads(said.out)["fires"] == ["2030-01-01T12:00:00+00:00"]


def test_people_read_words_first(command: Command) -> None:
    lines = command(
        "preview", "every weekday at 9", "--tz", "Europe/Berlin", "-n", "3", "--after", "2026-11-21T12:00:00Z"
    ).out
    head, *fires = lines.splitlines()
    assert head.endswith("(Europe/Berlin)")
    assert [fire.strip() for fire in fires] == [f"2026-11-{day}T09:00:00+01:00" for day in (23, 24, 25)]


@pytest.mark.parametrize(
    "arguments",
    [
        ("preview", "gibberish"), ("preview", ""), ("preview", "2020-01-01 10:00"), ("preview", "x" * 300),
        ("preview", "daily at 9", "--tz", "Europe/Berln"), ("preview", "daily at 9", "--after", "yesterday"),
        ("preview", "daily at 9", "--after", "2026-01-01T00:00:00"), ("preview", "0 0 31 2 *"), ("preview", "61 * * * *"),
        ("preview", "RRULE:FREQ=SECONDLY"),
    ],
    ids=lambda arguments: " ".join(arguments)[:40],
)  # fmt: skip
def test_what_cannot_be_followed_is_wrong_input(command: Command, arguments: tuple[str, ...]) -> None:
    said = command(*arguments)
    assert (said.code, said.out) == (2, "")
    assert said.err
    assert "unforeseen" not in said.err


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("every month on the 31st at 9:00", "2026-02-28T09:00:00+00:00"),
        ("0 9 31 * *", "2026-03-31T09:00:00+00:00"),
        ("0 9  31 * *", "2026-03-31T09:00:00+00:00"),
        ("rrule:FREQ=MONTHLY;BYMONTHDAY=31", "2026-03-31T09:00:00+00:00"),
    ],
)
def test_a_day_that_a_month_lacks_is_skipped_by_cron_and_rrule_and_clamped_by_words(
    command: Command, text: str, first: str
) -> None:
    said = command("preview", text, "--after", "2026-01-31T12:00:00Z", "-n", "1", "--json")
    assert json.loads(said.out)["fires"] == [first]


def test_a_time_of_day_that_was_not_said_is_noted(command: Command) -> None:
    assert "09:00 is taken" in command("preview", "every monday").out
    assert "09:00 is taken" not in command("preview", "every monday at 9").out


@pytest.mark.parametrize(
    "text", ["tonight", "this evening", "tomorrow morning", "nightly", "every evening", "in the evening"]
)
def test_a_part_of_the_day_is_no_time_that_was_not_said(command: Command, text: str) -> None:
    said = command("preview", text, "-n", "1", "--after", "2026-11-18T08:00:00Z", "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out)["notes"] == []


def test_the_first_time_is_not_compared_with_one_before_the_rule_was_made(command: Command) -> None:
    arguments = ("--tz", "Europe/Berlin", "--after", "2026-11-18T10:00:00Z", "--json")
    found = json.loads(command("preview", "monthly at 9", "-n", "6", *arguments).out)
    assert [note[:10] for note in found["notes"]] == ["2027-04-19"]


def test_an_unclear_text_lists_its_readings(command: Command) -> None:
    said = command("preview", "at 5")
    assert said.code == 2
    sentence, *readings = said.err.splitlines()
    assert sentence
    assert len(readings) >= 2
    assert all(reading.startswith("  ") for reading in readings)


def test_it_needs_no_server_and_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys; from core.cli import run; assert run(['preview', 'every weekday at 9']) == 0;"
        "heavy = {'litestar', 'sqlalchemy', 'apscheduler', 'discord', 'aiosqlite'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


CHRISTMAS = ("preview", "every day at 9", "--tz", "Europe/Berlin", "--after", "2026-12-24T12:00:00Z", "--json")
ICS = """BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//test//test//EN
BEGIN:VEVENT
UID:1
DTSTART;VALUE=DATE:20261225
DTEND;VALUE=DATE:20261228
SUMMARY:Retreat
END:VEVENT
END:VCALENDAR
"""


@pytest.mark.parametrize(
    ("closed", "days", "note"),
    [
        (("--country", "DE"), ["27", "28"], "2026-12-25 09:00 is Christmas Day, and left out, with 1 more"),
        (("--days-off", "12-25 Party", "--days-off", "2026-12-26/2026-12-27"), ["28", "29"], "12-25 09:00 is Party"),
        (("--days-off", "12-26", "--on-clash", "later"), ["25", "27"], None),
        (("--hours", "MO-FR 08:00-12:00"), ["25", "28"], "2026-12-26 09:00 is outside its hours"),
        (("--hours", "10:00-12:00", "--outside", "later"), ["25", "26"], "moved from 2026-12-25 09:00"),
    ],
)
def test_what_is_closed_can_be_said_with_it(
    command: Command, closed: tuple[str, ...], days: list[str], note: str | None
) -> None:
    said = command(*CHRISTMAS, "-n", "2", *closed)
    assert said.code == 0, said.err
    found = json.loads(said.out)
    assert list(found) == ["trigger", "timezone", "fires", "notes"]
    assert [fire[8:10] for fire in found["fires"]] == days
    assert note is None or any(note in each for each in found["notes"])


def test_days_off_are_read_out_of_an_icalendar_file(command: Command, tmp_path: Path) -> None:
    file = tmp_path / "days.ics"
    file.write_text(ICS, encoding="utf-8")
    said = command(*CHRISTMAS, "-n", "1", "--calendar", str(file))
    assert json.loads(said.out)["fires"] == ["2026-12-28T09:00:00+01:00"]
    file.write_text("hello", encoding="utf-8")
    said = command(*CHRISTMAS, "--calendar", str(file))
    assert (said.code, said.err) == (
        2,
        f"{file}: this is no iCalendar file; export one (.ics) from a calendar program\n",
    )


@pytest.mark.parametrize(
    ("closed", "sentence"),
    [
        (("--country", "XX"), "there are no holidays of 'XX'"),
        (("--days-off", "soon"), "'soon' is no day that exists"),
        (("--hours", "office"), "'office' is no window"),
        (("--hours", "09:00-09:00"), "'09:00-09:00' begins and ends at the same time; write 00:00-24:00"),
        (
            ("--hours", "22:00-06:00"),
            "nothing is due after 2026-12-24T13:00:00+01:00; 2026-12-25 09:00 is outside its hours, and no later time",
        ),
        (("--on-clash", "later"), "--on-clash is about days off"),
        (("--outside", "later"), "--outside is about hours"),
        (("--outside", "never"), "'never' is not one of"),
        (("--calendar", "nowhere.ics"), "nowhere.ics"),
    ],
)
def test_what_is_closed_is_refused_with_one_sentence(command: Command, closed: tuple[str, ...], sentence: str) -> None:
    said = command(*CHRISTMAS, *closed)
    assert (said.code, said.out) == (2, "")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1


def test_a_day_off_that_keeps_a_single_time_from_being_due_is_named_with_the_remedy(command: Command) -> None:
    after = ("--tz", "Europe/Berlin", "--after", "2026-11-29T18:29:56.853474Z")
    said = command("preview", "2026-12-25 09:00", "--country", "DE", *after)
    assert (said.code, said.out) == (2, "")
    assert said.err == (
        "Friday 25 December 2026 at 09:00: nothing is due after 2026-11-29T19:29:56+01:00; 2026-12-25 09:00 is "
        "Christmas Day; --on-clash later (or earlier) moves it\n"
    )
    later = command("preview", "2026-12-25 09:00", "--country", "DE", "--on-clash", "later", *after)
    assert "2026-12-27T09:00:00+01:00" in later.out
