"""Every interaction is answered, once and in time, whatever the core does: hang, refuse, or break."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import discord
import pytest
import simcord
from discord import app_commands

from cogs import drafts, front
from cogs.buttons import CardButton
from cogs.cards import card as make_card
from schedule_zero import requests as ask
from schedule_zero.errors import Unavailable
from tests.cogs.stage import Stage, texts

pytestmark = pytest.mark.slow

FIRST = "sch_00000000000000000001"
LOST = "run_00000000000000000099"
COMMANDS: dict[str, dict[str, Any]] = {
    "remind me": {"when": "in 2 hours", "text": "tea"},
    "remind list": {},
    "remind show": {"item": FIRST},
    "remind delete": {"item": "tea"},
    "schedule message": {"when": "in 2 hours", "text": "tea"},
    "schedule list": {"sort": "name"},
    "schedule show": {"item": FIRST},
    "schedule preview": {"when": "every day at 9"},
    "schedule pause": {"item": FIRST, "until": "in 2 hours"},
    "schedule resume": {"item": "tea"},
    "schedule policy": {"item": FIRST, "dst": "literal"},
    "schedule skip": {"item": FIRST},
    "schedule move": {"item": "tea", "to": "in 2 hours"},
    "schedule run_now": {"item": FIRST},
    "schedule delete": {"item": FIRST},
    "schedule undo": {"token": "x"},
    "job create": {"handler": "reports.build", "when": "in 2 hours", "args": "day=2026-12-24"},
    "job policy": {"item": FIRST, "timeout": "5 min"},
    "job list": {},
    "job show": {"item": FIRST},
    "job pause": {"item": "tea", "until": "in 2 hours"},
    "job resume": {"item": FIRST},
    "job delete": {"item": FIRST},
    "job copy": {"item": FIRST},
    "job preview": {"item": FIRST},
    "job run": {"item": FIRST},
    "job cancel": {"run": LOST},
    "job retry": {"run": LOST},
    "job runs": {"item": FIRST},
    "job log": {"run": LOST},
    "job dead": {"action": "drop"},
    "job handlers": {},
    "job token": {"scope": "reports"},
    "chain add": {"item": FIRST, "after": "tea"},
    "chain remove": {"item": FIRST, "after": FIRST},
    "chain show": {"item": FIRST},
    "chain check": {},
    "calendar hours set": {"name": "office", "days": "weekdays", "from": "9", "to": "17"},
    "calendar hours show": {"name": "office"},
    "calendar hours clear": {"name": "office"},
    "calendar holidays add": {"name": "closed", "date": "tomorrow", "country": "DE"},
    "calendar holidays remove": {"name": "closed"},
    "calendar holidays list": {},
    "calendar holidays import": {"name": "closed", "file": ("days.ics", b"BEGIN:VCALENDAR")},
    "calendar blackout add": {"from": "now", "to": "in 2 hours"},
    "calendar blackout remove": {"which": "freeze"},
    "calendar blackout list": {},
    "calendar agenda": {},
    "timezone set": {"tz": "Europe/Berlin"},
    "timezone show": {},
    "timezone clear": {},
    "timezone convert": {"when": "in 2 hours", "to": "Asia/Tokyo, UTC"},
    "settings show": {},
    "settings timezone": {"tz": "Europe/Berlin"},
    "settings channels": {"clear": "all"},
    "settings locale": {"locale": "de"},
    "settings format": {"default_time": "9:30"},
    "settings roles": {"clear": "all"},
    "settings mentions": {"max": 3},
    "settings policy": {"dst": "literal"},
    "settings replies": {"ephemeral": "off"},
    "settings retention": {"days": 7},
    "audit list": {"item": FIRST, "since": "2 hours"},
    "audit export": {"format": "json", "since": "2026-01-01"},
    "settings verify": {"code": "ABCD2345"},
    "quota show": {},
    "quota explain": {"item": FIRST},
    "status": {},
}
BUTTONS = (
    ("skip", FIRST, "1.1"), ("pause", FIRST, "1"), ("resume", FIRST, "1"), ("delete", FIRST, "1"), ("refresh", FIRST, "1"),
    ("preview", FIRST, "1"), ("undo", "x", ""), ("again", LOST, ""), ("done", FIRST, ""), ("snooze", FIRST, "20"),
    ("list", "sa0.1", ".."), ("nonsense", "x", ""), ("list", "x", ""),
    ("run", FIRST, "1"), ("edit", FIRST, "1"), ("edit", FIRST, f"1.{LOST}"), ("runs", f"{FIRST}.1", ""), ("runs", "x", "y"),
    ("retry", LOST, ""), ("cancel", LOST, ""), ("show_run", LOST, ""), ("dead", "1", "drop.x"), ("dead", "x", ""), ("log", LOST, ""), ("log", LOST, "again"),
    ("audit", "1.", ".."), ("audit", "x", "y"), ("change", "12", ""), ("take_back", "12", ""),
    ("which_limit", "", ""),
)  # fmt: skip
COMPLETIONS = (
    ("remind me", "when"), ("remind me", "repeat"), ("remind me", "until"), ("remind me", "tz"),
    ("remind show", "item"), ("schedule show", "item"), ("schedule preview", "from"), ("schedule undo", "token"),
    ("schedule policy", "calendar"), ("schedule move", "which"), ("calendar hours show", "name"),
    ("calendar holidays add", "date"), ("calendar holidays add", "country"), ("calendar holidays remove", "date"),
    ("calendar blackout remove", "which"), ("help", "topic"), ("job create", "handler"), ("job run", "item"),
    ("job cancel", "run"), ("job retry", "run"), ("job handlers", "name"), ("job runs", "since"), ("job log", "run"), ("chain add", "after"),
    ("audit list", "action"), ("audit list", "item"), ("audit list", "since"),
    ("quota explain", "item"),
)  # fmt: skip


class Always(dict[type[Any], Exception]):
    """The same refusal for everything people ask."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def __contains__(self, request: object) -> bool:
        return request is not ask.NoteGuild

    def __getitem__(self, _request: object) -> Exception:
        return self.error


class Anything(set[type[Any]]):
    """Everything people ask."""

    def __contains__(self, request: object) -> bool:
        return request is not ask.NoteGuild


@pytest.fixture(params=["hangs", "refuses", "breaks"])
def trouble(request: pytest.FixtureRequest, stage: Stage) -> Iterator[str]:
    """A core that never answers, answers with a refusal, or has a fault nobody foresaw."""
    kind = str(request.param)
    if kind == "hangs":
        stage.world.hang = Anything()
    else:
        stage.world.refuse = Always(Unavailable("The core is away.") if kind == "refuses" else ZeroDivisionError())
    yield kind
    if kind == "breaks":
        assert all(isinstance(error, app_commands.CommandInvokeError) for error in stage.env.errors)


def _words(result: simcord.InteractionResult) -> str:
    assert result.response is not None
    said = [result.response, *result.followups]
    return "\n".join(texts(message) for message in said)


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_command_is_deferred_at_once_and_answered_with_a_sentence(
    stage: Stage, trouble: str, command: str
) -> None:
    options = dict(COMMANDS[command])
    if command == "schedule message":
        options["channel"] = stage.general
    result = await stage.alice.slash(stage.general, command, **options)
    assert stage.answers()[0] == ("callback", 5)
    await stage.env.advance_time(front.PATIENCE)
    assert [kind for kind, _ in stage.answers()].count("callback") == 1
    assert result.ephemeral
    expected = {
        "hangs": "The service does not answer at the moment.",
        "refuses": "The core is away.",
        "breaks": "Something went wrong here; look before you try again.",
    }
    assert expected[trouble] in _words(result)


async def test_a_form_is_shown_although_the_core_hangs(stage: Stage, trouble: str) -> None:
    result = await stage.alice.slash(stage.general, "remind me", when="in 2 hours")
    await stage.env.advance_time(drafts.CHECK_BUDGET)
    assert [kind for kind, _ in stage.answers()] == ["callback"]
    assert (result.modal is not None) == (trouble == "hangs")


@pytest.mark.parametrize(("verb", "subject", "detail"), BUTTONS)
@pytest.mark.parametrize("on", ["card", "text"])
async def test_a_button_is_answered_once(
    stage: Stage, trouble: str, on: str, verb: str, subject: str, detail: str
) -> None:
    button = CardButton("Press", verb, subject, detail)
    if on == "card":
        message = await stage.post(view=make_card("A card", buttons=[button]))
    else:
        view = discord.ui.View(timeout=None)
        view.add_item(button)
        message = await stage.post(f"<@{stage.alice.id}> tea", view=view)
    pressed = await stage.alice.click(message, label="Press")
    await stage.env.advance_time(front.PATIENCE)
    assert [kind for kind, _ in stage.answers()].count("callback") == 1
    said = pressed.followups[0] if pressed.followups else pressed.response
    assert said is not None
    assert said.content


@pytest.mark.parametrize(("command", "option"), COMPLETIONS)
async def test_suggestions_are_a_list_in_time(stage: Stage, trouble: str, command: str, option: str) -> None:
    began = time.monotonic()
    found = await stage.alice.autocomplete(stage.general, command, option, "x" * 500)
    assert isinstance(found, list)
    assert time.monotonic() - began < 3.0
