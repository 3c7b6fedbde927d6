"""What delivery needs of the wire: words that failures go by, and leases that methods declare."""

from __future__ import annotations

from typing import Any

import pytest

from schedule_zero.errors import Passing, Reject
from schedule_zero.handler import Context, Handler, method
from schedule_zero.run import RunState
from schedule_zero.transport import wire
from tests.engine.house import House
from tests.gateway.conftest import Door, Far
from tests.gateway.stranger import StrangeHandler

LONG = wire.MethodOffer("work", "", None, False, "{}", 60.0)
QUICK = {"initial": "PT0S", "jitter": 0}


class NoSuchDay(LookupError):
    """Of a class whose bases count for nothing here."""


@pytest.mark.parametrize("where", ["here", "far"])
@pytest.mark.parametrize(
    ("error", "named", "attempts"),
    [
        (ValueError("no: such day"), {"never_on": ["ValueError"]}, 1),
        (NoSuchDay("x"), {"never_on": ["NoSuchDay"]}, 1),
        (NoSuchDay("x"), {"never_on": ["LookupError"]}, 3),
        (ValueError("x" * 5000), {"retry_on": ["KeyError"]}, 1),
        (Reject("no_rights: why"), {"retry_on": ["no_rights"]}, 3),
        (Reject("Nothing of the kind"), {"retry_on": ["rejected"]}, 3),
        (Passing("busy: for now"), {"never_on": ["busy"]}, 1),
        (Passing("not now"), {"retry_on": ["busy"]}, 1),
    ],
    ids=lambda each: str(each)[:30],
)
async def test_the_word_of_a_failure_is_the_same_wherever_the_handler_lives(
    door: Door, where: str, error: Exception, named: dict[str, Any], attempts: int
) -> None:
    house = door.house
    if where == "far":
        _, hands = await door.come()
    else:
        hands = Far()
        house.engine.serve(hands)

    async def deed(ctx: Context, n: int) -> Any:
        raise error

    hands.deed = deed
    run = await house.run_now(await house.schedule(handler="far", policy={"retry": {**QUICK, **named}}))
    ended = await house.ended(run.id)
    assert (ended.state, ended.attempt) == (RunState.FAILED, attempts)


async def test_a_process_that_said_it_would_be_silent_stays_and_what_it_does_is_its_own(
    door: Door, stranger: StrangeHandler
) -> None:
    house = door.house
    await stranger.greet(methods=[LONG])
    run = await house.run_now(await house.schedule(handler="far", policy={"timeout": "PT1H"}))
    await stranger.hear(wire.Run)
    for _ in range(25):
        house.pass_time(2)
        house.engine.health.look()
        door.gateway.look()
    (instance,) = house.engine.fleet.instances("far")
    assert (instance.ailing, await house.told("handler.disconnected", "handler.unhealthy")) == (None, [])
    stranger.say(wire.Result([wire.Ended(run.id, 1, "succeeded", "1")]))
    assert (await house.ended(run.id)).attempt == 1


async def test_one_that_is_silent_for_longer_than_it_said_is_gone_and_its_run_is_given_to_another(
    door: Door, stranger: StrangeHandler
) -> None:
    house = door.house
    await stranger.greet(methods=[LONG])
    run = await house.run_now(await house.schedule(handler="far", policy={"timeout": "PT1H"}))
    await stranger.hear(wire.Run)
    for _ in range(31):
        house.pass_time(2)
        door.gateway.look()
    assert (await house.heard("run.waiting", run_id=run.id)).data["outcome"] == "lost"
    await house.until(lambda: not house.engine.flights.current(run.id))
    door.gateway.look()
    assert house.engine.fleet.instances("far") == []


class Stubborn(Handler):
    name = "far"

    @method(lease=900, timeout=7200)
    def crunch(self) -> None:
        """Keeps the interpreter to itself."""


async def test_what_a_method_declares_reaches_the_core(door: Door) -> None:
    await door.serve(Stubborn())
    info = door.house.engine.fleet.method("far", "crunch", None)
    assert info is not None
    assert (info.lease, info.timeout) == (900, 7200)
    schedule = await _crunching(door.house)
    assert schedule.policy.timeout == "PT2H"


async def _crunching(house: House) -> Any:
    return await house.schedule(handler="far", method="crunch")


@pytest.mark.parametrize(
    ("declared", "words"),
    [({"lease": 0}, "more than 0 seconds"), ({"lease": 3601}, "an hour"), ({"timeout": 86_401}, "a day")],
)
def test_what_cannot_be_declared_is_said_where_it_is_written(declared: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        method(**declared)
