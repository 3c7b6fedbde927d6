"""What becomes of a call: results and errors that no wire or store could carry, threads, and being asked to stop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from schedule_zero import Context, Handler, Reject, RetryAfter, method
from schedule_zero.errors import Invalid
from schedule_zero.handler import methods_of
from schedule_zero.run import Cause
from schedule_zero.testing import begin, call


class Rooms(Handler):
    def __init__(self) -> None:
        self.go_on = threading.Event()

    def _known(self, args: Mapping[str, Any]) -> None:
        if args["room"] == "attic":
            raise Reject("there is no attic")

    @method(check=_known)
    async def sweep(self, room: str) -> str:
        return room

    @method
    def heat(self, ctx: Context) -> str:
        ctx.log("on")
        self.go_on.wait(20)
        ctx.raise_if_cancelled()
        return "warm"

    @method
    async def pile(self, size: int) -> str:
        return "x" * size

    @method
    async def mutter(self, ctx: Context) -> None:
        ctx.log("a\0b\ud800" + "c" * 600)
        ctx.progress(7, "x" * 600)


async def test_what_no_type_can_say_is_asked_of_the_handler_before_anything_runs() -> None:
    assert (await call(Rooms(), "sweep", {"room": "hall"})).result == "hall"
    refused = await call(Rooms(), "sweep", {"room": "attic"})
    assert (refused.status, refused.cause) == ("failed", Cause.LASTING)
    assert refused.error == "bad_arguments: sweep: there is no attic"
    with pytest.raises(Invalid) as caught:
        methods_of(Rooms())["sweep"].check({"room": "attic"})
    assert [(error.field, error.message) for error in caught.value.errors] == [("args", "there is no attic")]


@pytest.mark.parametrize("size", [65_534, 65_535, 1_000_000])
async def test_a_result_that_is_too_large_is_replaced_by_a_note_and_whoever_made_it_is_told(
    size: int, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = await call(Rooms(), "pile", {"size": size})
    assert outcome.status == "succeeded"  # the work is done
    if size + 2 <= 65_536:
        assert (outcome.result, outcome.log, caplog.messages) == ("x" * size, (), [])
        return
    said = f"the result takes {size + 2} characters as JSON and is not kept; at most 65536 are"
    assert outcome.result == {
        "not_kept": said, "length": size + 2, "limit": 65_536, "beginning": '"' + "x" * 999,
    }  # fmt: skip
    assert (outcome.log, caplog.messages) == ((said,), [f"pile: {said}"])


async def test_a_sync_method_that_is_asked_to_stop_has_not_ended_before_its_thread_has() -> None:
    rooms = Rooms()
    played = begin(rooms, "heat")
    await played.told()
    played.cancel()
    played.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert not played._task.done()
    rooms.go_on.set()
    assert (await played.outcome()).status == "cancelled"


async def test_more_sync_methods_than_a_pool_has_threads_run_at_once() -> None:
    rooms = Rooms()
    calls = [begin(rooms, "heat") for _ in range(64)]
    for each in calls:
        await each.told()
    rooms.go_on.set()
    assert {(await each.outcome()).result for each in calls} == {"warm"}


@pytest.mark.parametrize(
    ("asked", "told"), [(-1.0, 0.0), (float("nan"), 0.0), (float("inf"), 366 * 86_400.0), (5, 5.0)]
)
async def test_a_wait_that_a_method_asks_for_is_one_that_can_be_said(asked: float, told: float) -> None:
    outcome = await call(Waiting(asked), "wait")
    assert (outcome.cause, outcome.retry_after) == (Cause.PASSING, told)


class Waiting(Handler):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    @method
    async def wait(self) -> None:
        raise RetryAfter(self._seconds)


async def test_what_a_method_says_of_itself_fits_the_wire() -> None:
    outcome = await call(Rooms(), "mutter")
    assert outcome.log == ("a\N{REPLACEMENT CHARACTER}b?" + "c" * 496,)
    assert outcome.progress == ((1.0, "x" * 500),)


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_a_method_has_some_time(seconds: float) -> None:
    with pytest.raises(ValueError, match="more than 0 seconds"):
        method(timeout=seconds)
