"""What is offered while somebody types, and what never happens then."""

from __future__ import annotations

import asyncio
import time

import pytest

from cogs.options import BUDGET, suggestions
from schedule_zero import requests as ask
from schedule_zero.errors import Unavailable
from schedule_zero.views import Suggestion, Suggestions
from tests.cogs.stage import Stage


async def test_times_zones_and_items_are_suggested_by_the_core(stage: Stage) -> None:
    stage.world.zones[str(stage.bob.id)] = "Asia/Tokyo"
    whens = await stage.bob.autocomplete(stage.general, "remind me", "when", "in 2", tz="Europe/Berlin")
    assert whens == [{"name": "in 2 …", "value": "in 2"}]
    asked = stage.world.of(ask.SuggestTimes)[0]
    assert (asked.field, asked.timezone, asked.guild_id) == ("when", "Europe/Berlin", stage.guild_id)
    assert asked.user_id == str(stage.bob.id)
    await stage.bob.autocomplete(stage.general, "remind me", "repeat", "every")
    assert stage.world.of(ask.SuggestTimes)[1].field == "repeat"
    zones = await stage.bob.autocomplete(stage.general, "timezone set", "tz", "euro")
    assert [zone["value"] for zone in zones] == ["Europe/Berlin", "Europe/London"]
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    items = await stage.bob.autocomplete(stage.general, "remind show", "item", "tea")
    assert [item["value"] for item in items] == ["sch_00000000000000000001"]
    assert stage.world.of(ask.SuggestSchedules)[0].reminders
    await stage.alice.autocomplete(stage.general, "schedule show", "item", "tea")
    assert not stage.world.of(ask.SuggestSchedules)[1].reminders


@pytest.mark.parametrize("trouble", [Unavailable("The core is not there."), ZeroDivisionError()])
async def test_suggestions_never_raise(stage: Stage, trouble: Exception) -> None:
    stage.world.refuse[ask.SuggestTimes] = trouble
    assert await stage.bob.autocomplete(stage.general, "remind me", "when", "x") == []
    assert stage.bot.incidents.count == 0


async def test_suggestions_that_take_too_long_are_none_within_the_budget() -> None:
    async def never() -> Suggestions:
        await asyncio.Event().wait()
        raise AssertionError

    began = time.monotonic()
    assert await suggestions(never(), "a test") == []
    assert BUDGET <= time.monotonic() - began < 2.0
    assert BUDGET < 0.3


async def test_suggestions_fit_discords_limits(stage: Stage) -> None:
    many = [Suggestion(name="n" * 150, value=str(number)) for number in range(40)]
    many[1] = Suggestion(name="too long to be a value", value="v" * 101)
    stage.world.zones_offered = tuple(many)
    offered = await stage.bob.autocomplete(stage.general, "timezone set", "tz", "")
    assert len(offered) == 24
    assert max(len(choice["name"]) for choice in offered) == 100
    assert "v" * 101 not in [choice["value"] for choice in offered]


async def test_a_time_longer_than_anybody_reads_is_refused(stage: Stage) -> None:
    result = await stage.bob.slash(stage.general, "remind me", when="x" * 201, text="tea")
    assert result.response is not None
    assert result.response.content == "`when` has 201 characters; at most 200 can be read."
    assert stage.world.of(ask.ReadTime) == []


async def test_a_suggestion_without_a_name_is_called_by_its_value(stage: Stage) -> None:
    stage.world.zones_offered = (Suggestion(name=" \n", value="UTC"), Suggestion(name="blank", value="  "))
    offered = await stage.bob.autocomplete(stage.general, "timezone set", "tz", "")
    assert [(choice["name"], choice["value"]) for choice in offered] == [("UTC", "UTC")]


async def test_changes_to_undo_are_named_without_escapes(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea_time *now*")
    await stage.alice.slash(stage.general, "schedule delete", item="sch_00000000000000000001")
    offered = await stage.alice.autocomplete(stage.general, "schedule undo", "token", "")
    assert [choice["name"] for choice in offered] == ["Deleted: tea_time *now*"]


async def test_undo_tokens_of_others_are_not_suggested(stage: Stage) -> None:
    await stage.bob.slash(stage.general, "remind me", when="in 2 hours", text="tea")
    assert await stage.alice.autocomplete(stage.general, "schedule undo", "token", "") == []
