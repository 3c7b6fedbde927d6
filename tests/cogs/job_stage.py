"""A stage with a real core whose handlers work, and what people do there with forms."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
import simcord

from schedule_zero.schedule import Schedule
from tests.cogs.stage import Stage, texts

FAR: str = "2030-01-01 09:00"


async def made(stage: Stage, handler: str = "reports.one", args: str = "text=tea", **options: Any) -> Schedule:
    """A job of Alice's, once, far ahead, or as the options say."""
    if not {"when", "repeat"} & options.keys():
        options["when"] = FAR
    options = {name: value for name, value in options.items() if value is not None}
    result = await stage.alice.slash(stage.general, "job create", handler=handler, args=args, **options)
    assert "Job made" in said_in(result), said_in(result)
    page = await stage.bot.core.list_schedules(guild_id=stage.guild_id, limit=200)
    return page.items[-1]


def said_in(result: simcord.InteractionResult) -> str:
    """All words of an answer, and of what came beside it."""
    assert result.response is not None
    words = "\n".join(texts(message) for message in (result.response, *result.followups))
    assert "hunter2" not in words
    return words


def fields_in(shown: simcord.InteractionResult) -> dict[str, dict[str, Any]]:
    """The fields of a form, by what they are called."""
    assert shown.modal is not None, said_in(shown)
    return {label["label"]: label["component"] for label in shown.modal["components"]}


def begun_in(shown: simcord.InteractionResult) -> dict[str, Any]:
    """What the fields of a form begin with."""
    begun = {}
    for name, field in fields_in(shown).items():
        chosen = [option["label"] for option in field.get("options", ()) if option.get("default")]
        begun[name] = chosen[0] if chosen else field.get("value", "")
    return begun


async def press(stage: Stage, shown: simcord.InteractionResult, label: str) -> simcord.InteractionResult:
    """Press a button of an answer."""
    assert shown.response is not None
    return await stage.alice.click(shown.response, label=label)


async def fill(stage: Stage, shown: simcord.InteractionResult, **values: Any) -> simcord.InteractionResult:
    """Send a form off, with other values in some fields; what is not named stays as it begins."""
    sent: dict[str, Any] = {}
    for name, field in fields_in(shown).items():
        given = values.get(name, begun_in(shown)[name])
        if field["type"] == discord.ComponentType.text_input.value:
            sent[field["custom_id"]] = given
            continue
        options = {option["label"]: option["value"] for option in field.get("options", ())}
        sent[field["custom_id"]] = [options.get(given, given)] if given else []
    return await stage.alice.submit_modal(shown, sent)


async def only(stage: Stage) -> Any:
    (job,) = (await stage.bot.core.list_schedules(guild_id=stage.guild_id)).items
    return job


async def until_ended(stage: Stage, schedule_id: str) -> Any:
    """The newest run, once it ended."""
    async with asyncio.timeout(20):
        while True:
            (run, *_) = (await stage.bot.core.list_runs(schedule_id=schedule_id)).items
            if run.state in ("succeeded", "failed", "timed_out", "cancelled", "skipped"):
                return run
            await asyncio.sleep(0.01)
