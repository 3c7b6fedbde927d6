"""What a schedule wants of who gets its runs: keys, capabilities, versions; and what a run waits for where nobody has it."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.engine.routing import check_affinity, read_routing, routing_of
from core.engine.versions import clauses_of, satisfies
from core.service.arguments import names_of
from schedule_zero.errors import Invalid
from schedule_zero.schedule import Policy
from tests.engine.conftest import Build
from tests.engine.house import House, Mute
from tests.engine.rows import schedule_row

NUMBERS = st.lists(st.integers(0, 20), min_size=1, max_size=4).map(tuple)


def spelled(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))


def key(affinity: str, args: str = "{}", **fields: Any) -> str | None:
    text = routing_of(schedule_row(args=args, **fields), Policy(affinity=affinity))
    return None if text is None else read_routing(text).key


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("2.1", ">=2.1", True), ("2.1.0", "==2.1", True), ("2.10", ">2.9", True), ("2.0.9", ">=2.1", False),
        ("3.0", ">=2.1,<3", False), ("2.9.9", ">=2.1, <3", True), ("v2.1", ">=2.1", True), ("2.1rc1", ">=2.1", True),
        ("2.1", "!=2.1", False), ("", ">=0", False), ("next", ">=0", False), ("10", "<=9.9", False),
    ],
)  # fmt: skip
def test_versions_are_compared_number_by_number(version: str, wanted: str, fits: bool) -> None:
    assert satisfies(version, wanted) is fits


@given(NUMBERS, NUMBERS)
def test_of_two_versions_one_is_newer_or_they_are_the_same(one: tuple[int, ...], other: tuple[int, ...]) -> None:
    holds = [satisfies(spelled(one), f"{word}{spelled(other)}") for word in ("<", "==", ">")]
    assert holds.count(True) == 1
    assert satisfies(spelled(one), f">={spelled(other)}") == (holds[1] or holds[2])
    assert satisfies(spelled(one), f"!={spelled(other)}") != holds[1]


@pytest.mark.parametrize("text", ["", "2.1", ">=", ">=2.1,", "~=2.1", ">=2.x", ">=1" + ",>=1" * 8])
def test_what_asks_nothing_of_a_version_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"write >=2\.1"):
        clauses_of(text)


def test_a_key_is_of_its_schedule_its_guild_or_an_argument() -> None:
    assert key("{schedule}") != key("{schedule}", id="sch_b")
    assert key("{schedule}", '{"n": 1}') == key("{schedule}", '{"n": 2}')
    assert key("{guild}") == key("{guild}", id="sch_b") != key("{guild}", guild_id=None)
    assert key("{args.user.id}", '{"user": {"id": 7}}') == key("{args.user.id}", '{"user": {"id": 7}, "n": 1}')
    assert key("{args.user.id}", '{"user": {"id": 7}}') != key("{args.user.id}", '{"user": {"id": 8}}')
    assert key("{args.nothing}") == key("{args.nothing}", '{"n": 1}')
    assert routing_of(schedule_row(), Policy()) is None


@pytest.mark.parametrize("text", ["", "{user}", "{args}", "{args.}", "{schedule", "schedule}", "{{schedule}}"])
def test_a_key_of_other_words_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"\{schedule\}"):
        check_affinity(text)


@pytest.mark.parametrize(
    ("policy", "field"),
    [
        ({"affinity": "{x}"}, "policy.affinity"),
        ({"version": "2"}, "policy.version"),
        ({"needs": ["a b"]}, "policy.needs"),
        ({"affinity": "{args.n}/{args.nope}"}, "policy.affinity"),
    ],
)
async def test_a_policy_that_wants_nonsense_is_refused_with_its_place(
    build: Build, policy: dict[str, Any], field: str
) -> None:
    house = await build()
    with pytest.raises(Invalid) as refused:
        await house.schedule(policy=policy)
    assert refused.value.errors[0].field.startswith(field)


async def test_a_key_names_arguments_that_its_method_has(build: Build) -> None:
    house = await build()
    schedule = await house.schedule(policy={"affinity": "{args.n}"})
    with pytest.raises(Invalid, match=r"^policy\.affinity: names \{args\.m\}, but hands\.work has n$"):
        await house.client.patch_schedule(schedule.id, {"policy": {"affinity": "{args.m.id}"}})
    await house.client.patch_schedule(schedule.id, {"name": "other", "policy": {"affinity": "{schedule}"}})
    assert names_of({"properties": {"n": {}}}) is None  # and perhaps others
    assert names_of({"properties": {"n": {}}, "additionalProperties": False}) == {"n"}


def come(house: House, number: int, **facts: Any) -> Mute:
    link = Mute(house.engine, name=f"far@{number}")
    for name, value in facts.items():
        setattr(link.instance, name, value)
    house.engine.join(link)
    return link


async def test_what_nobody_can_serve_waits_and_says_what_is_missing_and_nobody_waits_behind_it(build: Build) -> None:
    house = await build(serve=False)
    plain = come(house, 1, version="1.9")
    picky = await house.schedule(handler="far", policy={"needs": ["gpu"], "version": ">=2.1", "overlap": "allow"})
    assert any("capability gpu" in note and "version >=2.1" in note for note in picky.notes)
    spec = {
        "handler": "far",
        "method": "work",
        "trigger": msgspec.to_builtins(picky.trigger),
        "policy": {"needs": ["gpu"]},
    }
    (item,) = (await house.client.create_schedules([spec])).items
    assert item.schedule is not None
    assert any("capability gpu" in note for note in item.schedule.notes)
    waiting = await house.run_now(picky)
    why = await house.why(waiting)
    assert (why.scope, why.limit) == ("handler:far", "capability")
    assert why.words.startswith(
        "No process of handler far has the capability gpu and version >=2.1 (their versions: 1.9)"
    )
    easy = await house.run_now(await house.schedule(handler="far", name="easy"))
    async with asyncio.timeout(10):
        assert (await plain.orders.get()).run_id == easy.id
    fitting = come(house, 2, version="2.1", capabilities=frozenset({"gpu"}))
    async with asyncio.timeout(10):
        assert (await fitting.orders.get()).run_id == waiting.id
    assert not any("capability" in note for note in (await house.client.get_schedule(picky.id)).notes)


async def test_nobody_waits_behind_it_either_who_waited_for_a_seat(build: Build) -> None:
    house = await build(serve=False)
    link = come(house, 1, credit=1)
    picky = await house.schedule(handler="far", policy={"needs": ["gpu"]})
    easy = await house.schedule(handler="far", name="easy", policy={"overlap": "allow"})
    first = await house.run_now(easy)
    waiting = await house.run_now(picky)
    assert (await house.why(waiting)).limit == "capability"
    second = await house.run_now(easy)
    assert (await house.why(second)).limit == "available"
    async with asyncio.timeout(10):
        order = await link.orders.get()
        assert order.run_id == first.id
        link.answer(order)
        assert (await link.orders.get()).run_id == second.id


async def test_where_each_has_a_part_the_words_tell_it(build: Build) -> None:
    house = await build(serve=False)
    come(house, 1, version="2.1")
    come(house, 2, capabilities=frozenset({"gpu"}))
    waiting = await house.run_now(
        await house.schedule(handler="far", policy={"needs": ["gpu"], "version": ">=2"}),
    )
    words = (await house.why(waiting)).words
    assert words.startswith("No process of handler far has all of ")
    assert "capability gpu" in words
    assert "version >=2" in words


async def test_what_a_run_wants_is_kept_through_a_retry_and_a_restart(build: Build) -> None:
    house = await build(serve=False)
    come(house, 1)
    fitting = come(house, 2, capabilities=frozenset({"gpu"}))
    schedule = await house.schedule(
        handler="far",
        policy={"needs": ["gpu"], "retry": {"initial": "PT0S", "jitter": 0}},
    )
    run = await house.run_now(schedule)
    async with asyncio.timeout(10):
        order = await fitting.orders.get()
        fitting.answer(order, "failed", cause="passing", error="503")
        order = await fitting.orders.get()
    assert (order.run_id, order.attempt) == (run.id, 2)
    house.engine.leave(fitting.instance, "it went")
    fitting.answer(order, "failed", cause="passing", error="503")
    assert (await house.why(run)).limit == "capability"
    await house.kill()
    await house.open(serve=False)
    come(house, 3)
    assert (await house.why(run)).limit == "capability"


async def test_runs_of_one_key_go_to_one_process(build: Build) -> None:
    house = await build(serve=False)
    links = [come(house, number) for number in range(4)]
    schedule = await house.schedule(handler="far", policy={"affinity": "{args.n}", "overlap": "allow"})
    for _ in range(3):
        for n in range(12):
            await house.run_now(schedule, n=n)
    homes: dict[str, set[str]] = {}
    async with asyncio.timeout(20):
        while sum(link.orders.qsize() for link in links) < 36:
            await asyncio.sleep(0)
    for link in links:
        while not link.orders.empty():
            order = link.orders.get_nowait()
            homes.setdefault(order.args, set()).add(link.instance.name)
    assert len(homes) == 12
    assert all(len(names) == 1 for names in homes.values())
    assert len(set().union(*homes.values())) > 1
