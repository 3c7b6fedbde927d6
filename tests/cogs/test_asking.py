"""The form for arguments as Discord is sent it: its limits hold for whatever schema, and odd values survive."""

from __future__ import annotations

from typing import Any

import pytest

from cogs.job.asking import ArgumentsForm, asks
from cogs.job.cards import job_buttons, job_card, run_card
from cogs.job.work import Work
from schedule_zero.masking import MASK
from schedule_zero.run import Attempt, RunState
from schedule_zero.schedule import Policy, Schedule, UndoToken
from schedule_zero.trigger import CronTrigger
from tests.bot.fake_core import START, make_run

AT = START.isoformat()


async def _nothing(_interaction: Any, _args: dict[str, Any]) -> None:
    raise AssertionError


def _form(properties: dict[str, Any], args: dict[str, Any] | None = None, *, name: str = "h.m") -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    handler, _, method = name.partition(".")
    made = ArgumentsForm(Work(handler=handler, method=method, schema=schema), args or {}, _nothing).to_dict()
    assert 1 <= len(made["title"]) <= 45
    assert len(made["components"]) <= 5
    for label in made["components"]:
        field = label["component"]
        assert 1 <= len(label["label"]) <= 45
        assert len(label.get("description") or "") <= 100
        assert len(field.get("placeholder") or "") <= 100
        assert len(field.get("value") or "") <= field.get("max_length", 4_000) <= 4_000
        assert len(field.get("options", [])) <= 25
        assert sum(bool(option.get("default")) for option in field.get("options", [])) <= 1
        assert all(1 <= len(option["label"]) <= 100 >= len(option["value"]) for option in field.get("options", []))
    return made


@pytest.mark.parametrize("count", [1, 5, 6, 30])
async def test_a_form_of_however_many_arguments_keeps_discords_limits(count: int) -> None:
    made = _form({f"argument_{number}" * 10: {"type": "string", "description": "x" * 900} for number in range(count)})
    assert len(made["components"]) == min(count, 5)


async def test_a_method_without_arguments_asks_for_nothing() -> None:
    assert not asks(Work(handler="h", method="m", schema={"type": "object", "additionalProperties": False}), {})


@pytest.mark.parametrize(("count", "kind"), [(1, 3), (25, 3), (26, 4), (900, 4)])
async def test_up_to_25_listed_values_are_picked_and_more_are_typed(count: int, kind: int) -> None:
    made = _form({"pick": {"enum": [f"value {number} " + "…" * 120 for number in range(count)]}})
    assert made["components"][0]["component"]["type"] == kind


async def test_names_and_values_of_any_script_and_without_letters_stay_within_the_form() -> None:
    _form(
        {"日本語の引数": {"enum": ["", " ", "\u202e", "🎌" * 200, None, 1, True, "1"]}, "": {"type": "boolean"}},
        name="日本." + "長" * 99,
    )


async def test_a_value_that_is_no_choice_any_more_is_typed_and_not_lost() -> None:
    made = _form(
        {"pick": {"enum": ["a", "b"]}, "flag": {"type": "boolean"}}, {"pick": "old", "flag": "{parent.result}"}
    )
    assert [label["component"].get("value") for label in made["components"]] == ["old", "{parent.result}"]


async def test_a_secret_is_masked_whatever_it_is() -> None:
    made = _form(
        {"pin": {"enum": ["aaaa", "bbbb"], "writeOnly": True}, "token": {"type": "string", "maxLength": 3}},
        {"pin": "aaaa", "token": "hunter2"},
    )
    assert [label["component"]["value"] for label in made["components"]] == [MASK, MASK]
    assert "bbbb" not in str(made["components"][0]["component"].get("options", ""))


def _job(**fields: Any) -> Schedule:
    plain: dict[str, Any] = {
        "id": "sch_" + "z" * 20, "revision": 10**9, "guild_id": "1", "name": "n" * 80, "owner_id": "2", "handler": "h" * 64,
        "method": "m" * 64, "args": {f"a{number}" * 20: "x" * 900 for number in range(40)}, "trigger": CronTrigger("* * * * *"),
        "timezone": "UTC", "words": "w" * 900, "start": None, "until": AT, "count": 5, "calendar": None,
        "active_hours": None, "policy": Policy(), "after": (), "state": "active", "next_fire_times": (AT,) * 5,
        "notes": ("n" * 900,) * 9, "created_at": AT, "metadata": {"notify": "9" * 19, "notify_on": "change"},
        "undo": UndoToken("t" * 60, AT),
    }  # fmt: skip
    return Schedule(**(plain | fields))


def _parts(components: list[dict[str, Any]]) -> int:
    return sum(1 + _parts(component.get("components", [])) for component in components)


def _texts(components: list[dict[str, Any]]) -> int:
    return sum(len(component.get("content", "")) + _texts(component.get("components", [])) for component in components)


async def test_the_largest_cards_of_jobs_and_runs_keep_discords_limits() -> None:
    job, work = _job(), Work(handler="h", method="m")
    attempts = tuple(
        Attempt(attempt=number, handler="h", instance="i" * 90, sent=AT, ended=AT, outcome="failed", error="e" * 900)
        for number in range(20)
    )
    run = make_run("run_" + "z" * 20, job.id, RunState.FAILED, attempts=attempts, attempt=20, error="e" * 9_000,
                   reason="error", result={"r": "x" * 9_000})  # fmt: skip
    for made in (job_card(job, "Job", work, runs=[run] * 5), run_card(run, job, work)):
        payload: Any = made.to_components()  # type: ignore[no-untyped-call]
        assert _parts(payload) <= 40
        assert _texts(payload) <= 4_000
    ids = [button.item.custom_id for button in job_buttons(job)]
    assert all(len(id or "") <= 100 for id in ids)
