"""schedule_zero.testing: a handler's own unit tests see what the core would see."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import date
from typing import Any

import pytest

from schedule_zero import Context, Handler, Reject, method
from schedule_zero.instant import parse
from schedule_zero.run import Cause
from schedule_zero.testing import begin, call, started


class Reports(Handler):
    ready = False

    async def start(self) -> None:
        self.ready = True

    async def stop(self) -> None:
        self.ready = False

    @method(timeout=60)
    async def build(self, ctx: Context, day: date, rows: int = 100) -> Any:
        if rows > 1000:
            raise Reject("too many rows")
        for done in range(3):
            ctx.progress(done / 3, f"part {done}")
        ctx.log(f"built {day:%d %B}")
        return {"rows": rows, "run": ctx.run_id, "days": [day]}

    @method
    async def hang(self, ctx: Context) -> None:
        ctx.log("hanging")
        await asyncio.Event().wait()

    @method
    async def stay(self, ctx: Context) -> None:
        ctx.log("staying")
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    @method
    def facts(self, ctx: Context) -> Any:
        return [ctx.attempt, ctx.due, ctx.guild_id, ctx.metadata, round((ctx.deadline - ctx.due) / 1e6)]


async def test_arguments_and_results_pass_through_json() -> None:
    outcome = await call(Reports(), "build", {"day": "2026-03-01"}, run_id="run_1")
    assert outcome.result == {"rows": 100, "run": "run_1", "days": ["2026-03-01"]}
    assert outcome.status == "succeeded"
    assert [note for _, note in outcome.progress] == ["part 0", "part 1", "part 2"]
    assert outcome.log == ("built 01 March",)


@pytest.mark.parametrize(
    ("args", "words"),
    [({"day": "yesterday"}, "day"), ({}, "day"), ({"day": "2026-03-01", "n": 1}, "n"), ({"day": "2026-03-01", "rows": 2000}, "rows")],
)  # fmt: skip
async def test_what_the_core_would_block_a_schedule_for_is_a_lasting_failure(args: dict[str, Any], words: str) -> None:
    outcome = await call(Reports(), "build", args)
    assert (outcome.status, outcome.cause) == ("failed", Cause.LASTING)
    assert outcome.error is not None
    assert words in outcome.error


async def test_facts_of_the_run_can_be_chosen() -> None:
    outcome = await call(
        Reports(), "facts", attempt=3, due="2026-03-01T10:00:00Z", guild_id=None, metadata={"team": "ops"}
    )
    assert outcome.result[:4] == [3, parse("2026-03-01T10:00:00Z"), None, {"team": "ops"}]


async def test_cancellation_and_time_out_can_be_played() -> None:
    played = begin(Reports(), "hang")
    await played.told()
    played.cancel()
    assert (await played.outcome()).status == "cancelled"

    played = begin(Reports(), "hang")
    await played.told()
    played.time_out()
    outcome = await played.outcome()
    assert (outcome.status, outcome.error, outcome.log) == ("timed_out", "took longer than 30 s", ("hanging",))

    assert (await call(Reports(), "hang", timeout=0.01)).status == "timed_out"


async def test_a_method_that_does_not_stop_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedule_zero.testing.GRACE_S", 0.02)
    played = begin(Reports(), "stay")
    await played.told()
    played.cancel()
    with pytest.raises(AssertionError, match="stay was asked to stop, and did not"):
        await played.outcome()


async def test_waiting_for_more_than_a_method_tells_is_an_error_and_no_hang() -> None:
    with pytest.raises(AssertionError, match="ended before it told 2 times"):
        await begin(Reports(), "facts").told(2)


async def test_hooks_surround_a_test() -> None:
    async with started(reports := Reports()):
        assert reports.ready
    assert not reports.ready


async def test_a_method_that_is_not_there_is_named() -> None:
    with pytest.raises(LookupError, match="reports has no method 'bild'; it has build, facts, hang, stay"):
        await call(Reports(), "bild")


def test_no_async_test_is_needed() -> None:
    assert asyncio.run(call(Reports(), "facts")).status == "succeeded"
