"""What people type and press in one server shows and changes nothing of another, whatever ids they send.

The manager of a server asks for another one's things: every button there is under a forged id, every completion, and every
command that takes an id. The core behind is the real one.
"""

from __future__ import annotations

import itertools
from typing import Any

import discord
import pytest
import simcord

from bot.tree import BUTTONS
from cogs.buttons import CardButton
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.trigger import CronTrigger, DateTrigger
from tests.cogs.stage import Stage, texts
from tests.engine.house import House
from tests.service.people import REMINDER
from tests.service.test_isolation import rows_of

pytestmark = pytest.mark.slow

CANARY = "kanarienvogel"
THEIRS = "200000000000000002"


class Foreign:
    """What another server has."""

    def __init__(self) -> None:
        self.schedules: list[str] = []
        self.runs: list[str] = []
        self.tokens: list[str] = []

    @property
    def ids(self) -> list[str]:
        return [*self.schedules, *self.runs, *self.tokens]


@pytest.fixture
async def foreign(house: House, served: Stage) -> Foreign:
    """Something of every kind in a server that Alice is not in."""
    found, client = Foreign(), house.client
    for metadata in ({}, REMINDER):
        made = await house.schedule(
            CronTrigger(expression="0 9 * * *") if not metadata else DateTrigger(at="2030-01-01T09:00:00Z"),
            guild_id=THEIRS, name=f"{CANARY} {len(found.schedules)}", owner_id="300000000000000003", metadata=metadata,
        )  # fmt: skip
        assert made.undo is not None
        found.schedules.append(made.id)
        found.tokens.append(made.undo.token)
        found.runs.append((await client.run_schedule(made.id)).id)
    await client.cancel_run(found.runs[0])
    await client.put_calendar(THEIRS, CANARY, CalendarDays(dates=(f"12-24 {CANARY}",)))
    await client.put_hours(THEIRS, CANARY, HoursWindows(windows=("09:00-17:00",)))
    await client.add_blackout(THEIRS, NewBlackout(begin="in 300 days", end="in 301 days", reason=CANARY))
    await client.note_guild(THEIRS, CANARY)
    return found


def said(result: simcord.InteractionResult) -> str:
    """All words of an answer, with the ids under its buttons."""
    messages = [message for message in (result.response, *result.followups) if message is not None]
    return "\n".join(f"{texts(message)}\n{message.components}" for message in messages) + str(result.modal or "")


def leaked(foreign: Foreign, asked: str, answered: str) -> list[str]:
    """What of the other server stands in an answer, and did not stand in the question."""
    return [word for word in (CANARY, THEIRS, *foreign.ids) if word in answered and word not in asked]


@pytest.mark.parametrize("verb", sorted(BUTTONS))
async def test_no_button_reaches_into_another_server(house: House, served: Stage, foreign: Foreign, verb: str) -> None:
    before = await rows_of(house)
    for subject, detail in itertools.product(foreign.ids, ("1", "1.0", "2", "")):
        view = discord.ui.View(timeout=None)
        view.add_item(CardButton("Press", verb, subject, detail))
        message = await served.post("look", view)
        pressed = await served.alice.click(message, label="Press")
        assert leaked(foreign, f"{subject} {detail}", said(pressed)) == []
        assert await rows_of(house) == before, f"{verb}:{subject}:{detail}"


async def test_a_list_under_a_forged_id_shows_nothing_of_another_server(served: Stage, foreign: Foreign) -> None:
    for kind, scope, state in itertools.product(("s", "r", "j"), "ha", "012345"):
        for detail in ("..", f"..{CANARY}", ".300000000000000003."):
            view = discord.ui.View(timeout=None)
            view.add_item(CardButton("Press", "list", f"{kind}{scope}{state}n.1", detail))
            pressed = await served.alice.click(await served.post("look", view), label="Press")
            assert leaked(foreign, detail, said(pressed)) == []


def commands(stage: Stage) -> list[tuple[str, list[dict[str, Any]]]]:
    """Every command that can be called, with its options."""
    found: list[tuple[str, list[dict[str, Any]]]] = []

    def within(path: str, payload: dict[str, Any]) -> None:
        options = payload.get("options", [])
        inner = [option for option in options if option["type"] in (1, 2)]
        for option in inner:
            within(f"{path} {option['name']}", option)
        if not inner:
            found.append((path, options))

    for command in stage.bot.tree.get_commands():
        within(command.name, dict(command.to_dict(stage.bot.tree)))
    return found


async def test_no_completion_offers_what_is_another_servers(house: House, served: Stage, foreign: Foreign) -> None:
    before, walked = await rows_of(house), 0
    for path, options in commands(served):
        for option in options:
            if not option.get("autocomplete"):
                continue
            walked += 1
            for text in ("", CANARY, *foreign.ids):
                offered = await served.alice.autocomplete(served.general, path, option["name"], text)
                assert leaked(foreign, text, str(offered)) == [], f"{path} {option['name']}: {text!r}"
    assert walked > 40
    assert await rows_of(house) == before


VALUES: dict[str, Any] = {
    "when": "tomorrow at 9", "to": "tomorrow at 9", "from": "tomorrow", "tz": "UTC", "text": "x", "days": "mon", "country": "DE",
    "handler": "hands.work", "name": CANARY, "scope": "server",
}  # fmt: skip


async def test_no_command_with_a_foreign_id_shows_or_changes_anything(
    house: House, served: Stage, foreign: Foreign
) -> None:
    before, walked = await rows_of(house), set()
    for path, options in commands(served):
        named = {option["name"] for option in options} & {"item", "run", "token", "which", "after", "calendar"}
        if not named:
            continue
        needed = {option["name"] for option in options if option.get("required")} | named
        plain = {name: VALUES[name] for name in needed - named if name in VALUES}
        if needed - named - plain.keys():
            continue
        walked.add(path)
        for id in foreign.ids:
            asked = {**plain, **dict.fromkeys(named, id)}
            result = await served.alice.slash(served.general, path, **asked)
            assert leaked(foreign, str(asked), said(result)) == [], f"/{path} {asked}"
            assert await rows_of(house) == before, f"/{path} {asked}"
    assert len(walked) > 25


async def test_what_is_ones_own_is_found_and_changed_in_the_same_ways(house: House, served: Stage) -> None:
    """Else these walks would walk past closed doors."""
    made = await house.schedule(CronTrigger(expression="0 9 * * *"), guild_id=served.guild_id, name="ours")
    offered = await served.alice.autocomplete(served.general, "schedule show", "item", "")
    assert made.id in str(offered)
    view = discord.ui.View(timeout=None)
    view.add_item(CardButton("Press", "pause", made.id, made.revision))
    await served.alice.click(await served.post("look", view), label="Press")
    assert (await house.client.get_schedule(made.id)).state == "paused"
    shown = await served.alice.slash(served.general, "schedule show", item=made.id)
    assert "ours" in said(shown)
