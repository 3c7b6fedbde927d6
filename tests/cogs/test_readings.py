"""Times that cannot be read: which option is at fault, and the readings to press. It is 1 January 2026, midnight."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cogs.stage import Stage, labels, offered, said, scheduled, texts

# ── the option at fault ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "options", "label"),
    [
        ("schedule message", {"when": "foo", "text": "x"}, "`when`: 'foo' is not a time"),
        ("schedule message", {"when": "every day at 8", "until": "foo", "text": "x"}, "`until`: 'foo' is not a time"),
        ("schedule message", {"when": "every day at 8", "repeat": "foo", "text": "x"}, "`repeat`: "),
        ("schedule message", {"when": "tomorrow at 9", "tz": "Mars", "text": "x"}, "`tz`: 'Mars' is no"),
        (
            "remind me",
            {"when": "every day at 9", "until": "today at 8", "text": "x"},
            "`until`: comes before the first time, so nothing would be due;",
        ),
        ("calendar blackout add", {"from_": "foo", "to": "tomorrow"}, "`from`: 'foo' is not a time"),
        ("calendar blackout add", {"from_": "now", "to": "foo"}, "`to`: 'foo' is not a time"),
        ("calendar blackout add", {"from_": "tomorrow", "to": "today at 9"}, "`to`: must come after from"),
        ("calendar agenda", {"from_": "foo"}, "`from`: 'foo' is not a time"),
        ("calendar agenda", {"to": "foo"}, "`to`: 'foo' is not a time"),
        ("schedule move", {"item": "standup", "to": "foo"}, "`to`: 'foo' is not a time"),
        ("schedule move", {"item": "standup", "to": "tomorrow", "which": "foo"}, "`which`: 'foo' is not a time"),
        ("schedule skip", {"item": "standup", "which": "foo"}, "`which`: 'foo' is not a time"),
        ("schedule pause", {"item": "standup", "until": "foo"}, "`until`: 'foo' is not a time"),
        ("schedule preview", {"item": "standup", "from_": "foo"}, "`from`: 'foo' is not a time"),
        ("timezone convert", {"when": "foo"}, "`when`: 'foo' is not a time"),
        ("timezone convert", {"when": "now", "from_": "Mars"}, "`from`: 'Mars' is no"),
        ("timezone convert", {"when": "now", "to": "Mars"}, "`to`: 'Mars' is no"),
        ("timezone set", {"tz": "Mars"}, "`tz`: 'Mars' is no"),
        ("settings timezone", {"tz": "Mars"}, "`tz`: 'Mars' is no"),
    ],
)
async def test_a_refusal_begins_with_the_option_it_is_about(
    served: Stage, command: str, options: dict[str, Any], label: str
) -> None:
    await scheduled(served, name="standup")
    if command == "schedule message":
        options = {**options, "channel": served.general}
    assert (await said(served, command, **options)).startswith(label)


# ── readings ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("command", "options", "reading", "done"),
    [
        ("timezone convert", {"when": "at 5"}, "Thursday 1 January 2026 at 05:00", "<t:1767243600:F>"),
        ("schedule move", {"item": "standup", "to": "at 5"}, "Thursday 1 January 2026 at 17:00", "### Moved: standup"),
        (
            "schedule move", {"item": "standup", "to": "tomorrow at 10", "which": "at 9"},
            "Thursday 1 January 2026 at 09:00", "### Moved: standup",
        ),
        (
            "schedule skip", {"item": "standup", "which": "at 9"},
            "Thursday 1 January 2026 at 09:00", "### Skipped: standup",
        ),
        (
            "schedule pause", {"item": "standup", "until": "at 9"},
            "Thursday 1 January 2026 at 09:00", "### Paused: standup",
        ),
        (
            "calendar blackout add", {"from_": "03/04", "to": "2026-08-01"}, "Wednesday 4 March 2026 at 09:00",
            "### Blackout added",
        ),
        (
            "calendar blackout add", {"from_": "now", "to": "03/04"},
            "Wednesday 4 March 2026 at 09:00", "### Blackout added",
        ),
        ("schedule preview", {"when": "at 5"}, "Thursday 1 January 2026 at 05:00", "### Preview"),
        (
            "schedule preview", {"item": "standup", "from_": "03/04"},
            "Friday 3 April 2026 at 09:00", "### Preview: standup",
        ),
        ("calendar agenda", {"from_": "03/04"}, "Friday 3 April 2026 at 09:00", "### Agenda, 2026-04-03 to 2026-04-09"),
    ],
)  # fmt: skip
async def test_an_unclear_time_of_any_command_is_answered_with_readings_to_press(
    served: Stage, command: str, options: dict[str, Any], reading: str, done: str
) -> None:
    await scheduled(served, name="standup")
    plain = {name.rstrip("_"): value for name, value in options.items()}
    result = await served.alice.slash(served.general, command, **plain)
    assert result.response is not None
    assert reading in labels(result.response)
    await served.alice.click(result.response, label=reading)
    assert done in texts(result.response)


async def test_a_reading_of_until_leaves_when_as_it_is(served: Stage) -> None:
    result = await served.alice.slash(
        served.general, "schedule message", when="every day at 8", until="03/04", channel=served.general, text="x"
    )
    assert result.response is not None
    assert texts(result.response).startswith("`until`: ")
    await served.alice.click(result.response, label="Wednesday 4 March 2026 at 09:00")
    assert "### Scheduled: x" in texts(result.response)
    (saved,) = (await served.bot.core.list_schedules(guild_id=served.guild_id)).items
    assert (saved.words.partition(",")[0], saved.until) == ("every day at 08:00", "2026-03-04T09:00:00+00:00")


async def test_a_second_unclear_time_is_asked_about_after_the_first(served: Stage) -> None:
    result = await served.alice.slash(served.general, "calendar blackout add", **{"from": "03/04", "to": "05/06"})
    assert result.response is not None
    await served.alice.click(result.response, label="Wednesday 4 March 2026 at 09:00")
    assert texts(result.response).startswith("`to`: ")
    await served.alice.click(result.response, label="Friday 5 June 2026 at 09:00")
    assert "### Blackout added" in texts(result.response)


@pytest.mark.parametrize("when", ["at 5", "03/04", "yesterday", "tommorow at 9"])
async def test_a_question_stands_once(served: Stage, when: str) -> None:
    words = await said(served, "remind me", when=when, text="tea")
    first, _, rest = words.partition("\nDid you mean:\n- `")
    assert rest
    assert "did you mean" not in first
    assert first.endswith(".")


# ── while typing ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_misspelled_time_is_put_right_while_it_is_typed(served: Stage) -> None:
    assert await offered(served, "remind me", "when", "tommorow at 9") == [
        ("did you mean tomorrow at 9? Friday 2 January 2026 at 09:00", "tomorrow at 9")
    ]
