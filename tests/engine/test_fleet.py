"""Who is there and what they can do; who falls ill; who was told to leave. On the real engine."""

from __future__ import annotations

import pytest

from core.engine.fleet import ABSENT_KEPT, Fleet
from core.engine.health import LOOK_S
from core.engine.ports import BEAT_S, Instance
from schedule_zero.errors import Invalid
from schedule_zero.handler import MethodInfo
from tests.engine.conftest import Build
from tests.engine.house import House, Mute


def info(name: str, doc: str = "") -> MethodInfo:
    return MethodInfo(name=name, doc=doc, timeout=None, at_most_once=False, schema={})


def instance(name: str, *methods: MethodInfo, handler: str = "far") -> Instance:
    return Instance(name=name, handler=handler, methods={each.name: each for each in methods})


class Nobody:
    """A sink that nobody needs."""

    answer = beat = fleet_changed = None


def join(fleet: Fleet, made: Instance) -> Mute:
    link = Mute(Nobody(), made.name, made.handler)  # type: ignore[arg-type]
    link.instance = made
    fleet.join(made, link)
    return link


def test_who_goes_or_greets_again_between_a_choice_and_its_end_is_counted_on() -> None:
    fleet = Fleet()
    fleet.had("far@1", "far")
    for _ in range(2):  # the second time it greets again without having left
        join(fleet, instance("far@1", info("a")))
        seats = fleet.seats()
        assert seats.able("far", "a", None) == ["far@1"]
        seats.take("far@1", "far")
    (there,) = fleet.handlers()["far"]
    assert there.in_flight == 3
    fleet.leave(there)
    fleet.given_back("far@1", "far")
    join(fleet, back := instance("far@1", info("a")))
    assert back.in_flight == 2
    for _ in range(2):
        fleet.given_back("far@1", "far")
    assert back.in_flight == 0


def test_what_another_core_had_given_to_who_is_here_takes_a_place_of_its_own_and_no_others() -> None:
    fleet = Fleet()
    join(fleet, there := instance("far@1", info("a")))
    fleet.had("far@1", "far")
    assert there.in_flight == 1
    fleet.given_back("far@1", "far")
    assert there.in_flight == 0
    fleet.leave(there)
    join(fleet, back := instance("far@1", info("a")))
    assert back.in_flight == 0


def test_the_instance_that_came_last_says_what_a_method_is() -> None:
    fleet = Fleet()
    old, new = instance("far@1", info("a", "old"), info("b")), instance("far@2", info("a", "new"), info("c"))
    join(fleet, old)
    join(fleet, new)
    assert {name: each.doc for name, each in fleet.all_methods("far").items()} == {"a": "new", "b": "", "c": ""}
    fleet.leave(old)
    assert set(fleet.all_methods("far")) == {"a", "c"}
    fleet.leave(new)
    assert set(fleet.all_methods("far")) == {"a", "c"}
    assert fleet.handlers() == {"far": []}
    assert fleet.method("far", "c", None) is not None
    join(fleet, instance("far@3", info("d")))
    assert set(fleet.all_methods("far")) == {"d"}


def test_handlers_that_went_are_remembered_but_not_without_end() -> None:
    fleet = Fleet()
    for number in range(ABSENT_KEPT + 3):
        made = instance(f"h{number}@1", info("a"), handler=f"h{number}")
        join(fleet, made)
        fleet.leave(made)
    assert len(fleet.handlers()) == len(fleet._left) == ABSENT_KEPT
    assert fleet.method("h0", "a", None) is None


def test_one_told_to_leave_is_told_again_when_only_its_connection_broke() -> None:
    fleet = Fleet()
    made = instance("far@1", info("a"))
    join(fleet, made)
    fleet.drain(made)
    fleet.leave(made)
    back = instance("far@1", info("a"))
    link = join(fleet, back)
    assert back.draining
    assert link.drained
    assert list(fleet.seats().able("far", "a", None)) == []
    other = instance("far@2", info("a"))
    assert not join(fleet, other).drained
    assert list(fleet.seats().able("far", "a", None)) == ["far@2"]


class Beating(Mute):
    """A link whose instance was heard of when the test says so."""

    heard = 0.0


@pytest.fixture
async def still(build: Build) -> House:
    """A house whose engine stands still, so that the test alone looks after health."""
    return await build(serve=False, run=False)


def look(house: House, seconds: float = LOOK_S) -> None:
    house.clock.move(seconds)
    house.engine.health.look()


async def test_one_whose_beats_stop_is_unhealthy_before_its_lease_ends_and_well_again_after(still: House) -> None:
    link = Beating(still.engine)
    link.heard = still.clock.monotonic()
    still.engine.join(link)
    look(still, BEAT_S)
    assert not still.engine.fleet.handlers()["far"][0].ailing
    for _ in range(3):
        look(still)
    assert still.engine.fleet.handlers()["far"][0].ailing == "its beats stopped"
    link.heard = still.clock.monotonic()
    look(still)
    assert not still.engine.fleet.handlers()["far"][0].ailing
    still.run()
    sick = await still.heard("handler.unhealthy", instance="far@elsewhere")
    assert sick.data == {"handler": "far", "instance": "far@elsewhere", "reason": "its beats stopped"}
    assert (await still.heard("handler.connected", count=2)).data["reason"] == "it is well again"
    assert len(await still.told("handler.unhealthy")) == 1


async def test_after_the_process_itself_stood_still_nobody_is_blamed_for_silence(still: House) -> None:
    link = Beating(still.engine)
    link.heard = still.clock.monotonic()
    still.engine.join(link)
    look(still, 60)
    assert link.instance.ailing is None
    link.heard = still.clock.monotonic()
    look(still)
    assert link.instance.ailing is None


async def test_one_whose_runs_mostly_fail_is_unhealthy_until_they_do_not(house: House) -> None:
    schedule = await house.schedule(policy={"overlap": "allow", "retry": {"max_attempts": 1}})
    house.fail_with(*[ValueError("no")] * 10)
    for _ in range(10):
        await house.ended((await house.run_now(schedule)).id)
    house.clock.move(11)
    house.engine.health._looked = house.clock.monotonic()
    house.engine.health.look()
    assert (await house.heard("handler.unhealthy")).data["reason"] == "10 of its last 10 attempts failed"
    for _ in range(11):
        await house.ended((await house.run_now(schedule)).id)
    house.clock.move(11)
    house.engine.health._looked = house.clock.monotonic()
    house.engine.health.look()
    assert (await house.heard("handler.connected")).data["handler"] == "hands"


async def test_of_two_of_one_name_that_work_for_one_guild_each_only_the_one_that_fails_is_unhealthy(
    still: House,
) -> None:
    links = {}
    for guild in ("1", "2"):
        links[guild] = Mute(still.engine, f"far@{guild}")
        links[guild].instance.guild_id = guild
        still.engine.join(links[guild])
    still.run()
    for guild, kind in (("1", "failed"), ("2", "succeeded")):
        schedule = await still.schedule(handler="far", guild_id=guild, policy={"retry": {"max_attempts": 1}})
        for _ in range(12):
            run = await still.run_now(schedule)
            links[guild].answer(await links[guild].orders.get(), kind)
            await still.ended(run.id)
    still.clock.move(11)
    still.engine.health._looked = still.clock.monotonic()
    still.engine.health.look()
    sick = await still.heard("handler.unhealthy")
    assert (sick.guild_id, sick.data["reason"]) == ("1", "12 of its last 12 attempts failed")
    assert links["2"].instance.ailing is None


async def test_after_a_restart_schedules_for_a_handler_that_is_not_back_yet_can_be_saved(house: House) -> None:
    house.engine.join(Mute(house.engine))
    bound = Mute(house.engine, "near@1", "near")
    bound.instance.guild_id = "7"
    house.engine.join(bound)
    await house.heard("handler.connected", count=2)
    await house.kill()
    await house.open()
    assert (await house.schedule(handler="far", method="work")).handler == "far"
    assert (await house.schedule(handler="near", method="work", guild_id="7")).handler == "near"
    with pytest.raises(Invalid, match="there is no handler 'near'"):
        await house.schedule(handler="near", method="work", guild_id="8")
    house.engine.join(Mute(house.engine))
    assert list(house.engine.fleet.seats().able("far", "work", None)) == ["far@elsewhere"]


async def test_handlers_that_are_forgotten_are_so_for_good(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.engine.fleet.ABSENT_KEPT", 1)
    for name in ("old", "new"):
        link = Mute(house.engine, f"{name}@1", name)
        house.engine.join(link)
        house.engine.leave(link.instance, "it said goodbye")
    await house.heard("handler.disconnected", count=2)
    await house.kill()
    await house.open()
    assert "old" not in house.engine.fleet.handlers()
    assert "new" in house.engine.fleet.handlers()


async def test_a_handler_of_which_nothing_was_seen_for_a_week_and_that_no_schedule_names_is_forgotten(
    house: House,
) -> None:
    for name in ("wanted", "gone", "there"):
        house.engine.join(Mute(house.engine, f"{name}@1", name))
    schedule = await house.schedule(handler="wanted")
    for name in ("wanted", "gone"):
        house.engine.leave(house.engine.fleet.instances(name)[0], "it said goodbye")
    house.clock.move(7 * 86_400 - 60)
    await house.engine.janitor.forget_handlers()
    assert set(house.engine.fleet.handlers()) == {"gone", "hands", "there", "wanted"}
    house.clock.move(120)
    await house.engine.janitor.forget_handlers()
    assert set(house.engine.fleet.handlers()) == {"hands", "there", "wanted"}
    await house.heard("handler.disconnected", count=2)
    await house.client.delete_schedule(schedule.id)
    await house.engine.janitor.forget_handlers()
    assert set(house.engine.fleet.handlers()) == {"hands", "there"}
    with pytest.raises(Invalid, match="there is no handler 'wanted'"):
        await house.schedule(handler="wanted")
    house.engine.join(Mute(house.engine, "gone@2", "gone"))
    assert (await house.schedule(handler="gone")).handler == "gone"
    await house.heard("handler.connected", count=4)


async def test_the_week_goes_on_over_restarts(house: House) -> None:
    house.engine.join(Mute(house.engine))
    await house.heard("handler.connected")
    for _ in range(4):
        await house.kill()
        await house.open()
        assert "far" in house.engine.fleet.handlers()
        await house.client.lag()
        await house.until(lambda: not house.engine.herald._learnt)
        house.clock.move(2 * 86_400)
    await house.engine.janitor.forget_handlers()
    assert "far" not in house.engine.fleet.handlers()
    await house.until(lambda: not house.engine.herald._learnt)
    await house.close()
    await house.open()
    assert "far" not in house.engine.fleet.handlers()
