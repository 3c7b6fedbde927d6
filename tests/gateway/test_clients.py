"""The clients' door: who may ask, in whose name, how much at once, and what happens to what was asked when it breaks."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import zmq
from zmq.utils import z85

from core.gateway import clients
from core.gateway.hints import Hints
from core.service.keyring import KeyRow
from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.actor import CORE, MANAGE_MESSAGES, OPERATOR, Actor
from schedule_zero.errors import Forbidden, Malformed, NotFound, QuotaExceeded, TooLarge, Unauthorized, Unavailable
from schedule_zero.key import KeyRole
from schedule_zero.process.worker import Refused, Worker
from schedule_zero.requests import Request
from schedule_zero.transport import asking
from schedule_zero.transport.curve import encrypt, new_pair
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.zmq_client import ZmqClient
from schedule_zero.views import Part, View
from tests.engine.conftest import Build
from tests.engine.house import Hands
from tests.gateway.desk import CONFINED, Desk

pytestmark = pytest.mark.slow

# ── who, and in whose name ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["other", "", None, "owne", "owner "])
async def test_who_has_no_token_gets_nothing(desk: Desk, token: str | None) -> None:
    client = desk.client(token)
    with pytest.raises(Unauthorized, match="api-token"):
        await client.list_runs()
    with pytest.raises(Unauthorized):
        await anext(client.events())
    assert desk.slow.asked == []


async def test_a_client_is_asked_to_log_in_before_anything_else(desk: Desk) -> None:
    stranger = desk.stranger()
    stranger.say(stranger.ask(1, ask.GetStatus()))
    await stranger.hear(asking.Who)
    assert (await stranger.login()).role == "operator"
    stranger.say(stranger.ask(1, ask.GetStatus()))
    assert (await stranger.hear(asking.Answer)).number == 1


async def test_a_handler_that_comes_to_this_door_is_told_which_one_is_meant(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    async with asyncio.timeout(10):
        with pytest.raises(Refused, match=r"^this is the door for clients .* connect to that of zmq\.handlers$"):
            await Worker(Hands(), desk.address).run()
    assert not [record for record in caplog.records if "cannot be read" in record.getMessage()]


async def test_a_bot_speaks_for_members_and_nobody_else_does(desk: Desk) -> None:
    member = Actor(kind="member", id="7", guild_id="1", permissions=MANAGE_MESSAGES, via="discord")
    await desk.client("bot").acting_as(member).list_runs()
    assert desk.slow.asked[-1][0] == member
    for token in ("owner", "confined"):
        with pytest.raises(Forbidden, match="role bot"):
            await desk.client(token).acting_as(member).list_runs()
        with pytest.raises(Forbidden, match="role bot"):
            await anext(desk.client(token).acting_as(member).events())
    assert len(desk.slow.asked) == 1


async def test_a_bot_says_the_roles_of_members_and_not_what_they_are_worth(desk: Desk) -> None:
    member = Actor(kind="member", id="7", guild_id="1", roles=("901", "902"), standing="manager")
    await desk.client("bot").acting_as(member).list_runs()
    assert desk.slow.asked[-1][0] == msgspec.structs.replace(member, standing="", via="discord")


async def test_a_member_of_an_older_bot_has_no_roles(desk: Desk) -> None:
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(["7", "1", 8192]), type=asking.Member).roles == ()


async def test_a_bot_confined_to_a_guild_speaks_for_its_members_alone(desk: Desk) -> None:
    client = desk.client("confined-bot")
    await client.acting_as(Actor(kind="member", id="7", guild_id="1")).list_runs()
    for guild_id in ("2", None):
        with pytest.raises(Forbidden, match="confined to one server"):
            await client.acting_as(Actor(kind="member", id="7", guild_id=guild_id)).list_runs()
    with pytest.raises(Forbidden):
        await anext(client.pages("1-0", guild_id="2"))


async def test_a_key_of_a_handler_opens_nothing_here(desk: Desk) -> None:
    desk.keyring.trust("hands", role="handler", name="hands")
    with pytest.raises(Unauthorized):
        await desk.client("hands").list_runs()


async def test_a_revoked_key_is_cut_off_at_once(desk: Desk) -> None:
    client = desk.client("confined")
    pages = client.pages("1-0")
    waiting = asyncio.ensure_future(anext(pages))
    await client.status()
    desk.keyring.put(msgspec.structs.replace(CONFINED, revoked=1))
    with pytest.raises(Unauthorized, match="revoked"):
        async with asyncio.timeout(10):
            await waiting
    with pytest.raises(Unauthorized):
        await client.status()


async def test_who_gives_itself_a_routing_id_is_refused(desk: Desk) -> None:
    stranger = desk.stranger(identity=b"mine")
    stranger.say(asking.Login("i1", (1, 1), "by hand", "owner"))
    assert "routing id" in (await stranger.hear(asking.Refuse)).problem.detail


@pytest.mark.parametrize("actor", [OPERATOR, CORE])
async def test_nobody_speaks_for_an_operator_or_the_core(desk: Desk, actor: Actor) -> None:
    with pytest.raises(Forbidden):
        desk.client("bot").acting_as(actor)


async def test_a_member_hears_only_what_a_member_may(desk: Desk) -> None:
    with pytest.raises(Forbidden):
        await anext(desk.client("bot").acting_as(Actor(kind="member", id="7", guild_id="1")).events())


# ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("request_", "kind", "said"),
    [
        ({"request": "run.get"}, "invalid", "id"),
        ({"request": "run.get", "id": 3}, "invalid", "id: has to be"),
        ({"request": "run.get", "id": "r", "idd": 1}, "invalid", "idd"),
        ({"request": "no.such"}, "malformed", "no request 'no.such'"),
        ({"request": ["x"]}, "malformed", "no request"),
        ({}, "malformed", "no request"),
        ([1], "malformed", "map"),
        ({"request": "schedule.run", "id": "s", "args": {"a": b"bytes"}}, "invalid", "args.a"),
        ({"request": "schedule.run", "id": "s", "args": {"a": 2**64 - 1}}, "invalid", "64 bits"),
        ({"request": "schedule.run", "id": "s", "args": {"a": float("nan")}}, "invalid", "args.a"),
        ({"request": "schedule.run", "id": "s", "args": {"a": {1: 2}}}, "invalid", "no text"),
    ],
)
async def test_a_wrong_request_is_refused_by_its_number(desk: Desk, request_: Any, kind: str, said: str) -> None:
    stranger = desk.stranger()
    await stranger.login()
    stranger.say(stranger.ask(5, request_), stranger.ask(6, ask.GetStatus()))
    failed = await stranger.hear(asking.Failed)
    assert (failed.number, failed.problem.type.rpartition(":")[2]) == (5, kind)
    assert said in failed.problem.detail
    assert (await stranger.hear(asking.Answer)).number == 6
    assert [type(request) for _, request in desk.slow.asked] == [ask.GetStatus]


async def test_nesting_without_end_is_refused(desk: Desk) -> None:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    stranger = desk.stranger()
    await stranger.login()
    stranger.say(stranger.ask(1, {"request": "schedule.run", "id": "s", "args": {"a": deep}}))
    assert "nested deeper" in (await stranger.hear(asking.Failed)).problem.detail
    stranger.say(asking.Ask(2, msgspec.Raw(b"\x91" * 200_000 + b"\xc0")))
    assert isinstance(views.error_of((await stranger.hear(asking.Refuse)).problem), Malformed)


async def test_a_request_too_large_is_refused_before_it_leaves(desk: Desk) -> None:
    with pytest.raises(TooLarge):
        await desk.client().send(ask.RunSchedule(id="s", args={"a": "x" * 2_000_000}))


async def test_a_defect_is_told_and_the_door_stays_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(actor: Actor, request: Request) -> View:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(desk.slow, "handle", broken)
        with pytest.raises(Exception, match="unforeseen ZeroDivisionError"):
            await desk.client().list_runs()
    await desk.client().list_runs()


@pytest.mark.parametrize("frames", [(b"",), (b"\x07\x90",), (b"\x01garbage",), (b"\x01\x90",) * 3])
async def test_what_cannot_be_read_is_refused_and_others_are_served_on(desk: Desk, frames: tuple[bytes, ...]) -> None:
    stranger = desk.stranger()
    await stranger.login()
    stranger.say_frames(*frames)
    refusal = await stranger.hear(asking.Refuse)
    assert isinstance(views.error_of(refusal.problem), Malformed)
    await desk.client().list_runs()
    await stranger.login()


async def test_a_later_version_is_told_which_one_is_spoken_here(desk: Desk) -> None:
    stranger = desk.stranger()
    stranger.say(asking.Login("i1", (2, 3), "later", "owner"))
    refusal = await stranger.hear(asking.Refuse)
    assert refusal.problem.detail == "this core speaks version 1 of the protocol, you 2 to 3"


# ── how much at once ───────────────────────────────────────────────────────────────────────────────────────────


async def test_who_asks_too_much_at_once_is_told_and_the_rest_is_answered(desk: Desk) -> None:
    desk.slow.gate = asyncio.Event()
    stranger = desk.stranger()
    await stranger.login()
    stranger.say(*(stranger.ask(number, ask.GetStatus()) for number in range(clients.AT_ONCE + 3)))
    told = [await stranger.hear(asking.Failed) for _ in range(3)]
    assert [each.number for each in told] == [clients.AT_ONCE, clients.AT_ONCE + 1, clients.AT_ONCE + 2]
    error = views.error_of(told[0].problem)
    assert isinstance(error, QuotaExceeded)
    assert (error.details["scope"], error.details["allowed"]) == ("connection", clients.AT_ONCE)
    desk.slow.gate.set()
    answered = {(await stranger.hear(asking.Answer)).number for _ in range(clients.AT_ONCE)}
    assert answered == set(range(clients.AT_ONCE))


async def test_who_floods_is_refused_in_the_end(desk: Desk) -> None:
    desk.slow.gate = asyncio.Event()
    stranger = desk.stranger()
    await stranger.login()
    for at in range(0, clients.AT_ONCE + clients.MOST_EXCESS + 1, 50):
        stranger.say(*(stranger.ask(at + number, ask.GetStatus()) for number in range(50)))
    refusal = await stranger.hear(asking.Refuse)
    assert (refusal.again, isinstance(views.error_of(refusal.problem), QuotaExceeded)) == (True, True)
    desk.slow.gate.set()
    assert (await stranger.login()).role == "operator"


async def test_clients_take_turns(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "RUNNING", 1)
    desk.slow.gate = asyncio.Event()
    greedy, modest = desk.stranger(), desk.stranger()
    await greedy.login(instance="greedy")
    await modest.login("bot", instance="modest")
    greedy.say(*(greedy.ask(number, ask.GetStatus()) for number in range(40)))
    await desk.house.until(lambda: len(desk.slow.asked) == 1)
    modest.say(modest.ask(1, ask.ListRuns()))
    await desk.house.until(
        lambda: any(caller.waiting for caller in desk.door._callers.values() if caller.instance == "modest")
    )
    desk.slow.gate.set()
    await modest.hear(asking.Answer)
    assert [actor.id for actor, _ in desk.slow.asked].index("bot") <= 2


async def test_many_requests_are_all_answered(desk: Desk) -> None:
    client = desk.client()
    runs = await asyncio.gather(*(client.list_runs() for _ in range(500)))
    assert len(runs) == 500


async def test_who_no_longer_waits_costs_nothing(desk: Desk) -> None:
    desk.slow.gate = asyncio.Event()
    client = desk.client()
    waiting = [asyncio.create_task(client.list_runs()) for _ in range(100)]
    await desk.house.until(lambda: len(desk.slow.asked) >= 16)
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    await desk.house.until(lambda: all(not caller.asked for caller in desk.door._callers.values()))
    desk.slow.gate = None
    await client.list_runs()


# ── when it breaks ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_core_that_is_not_there_did_nothing() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = ZmqClient(f"tcp://127.0.0.1:{unused.getsockname()[1]}", "t", patience=0.05)
        with pytest.raises(Unavailable, match=r"nothing was done\. Try again shortly"):
            await client.resume_schedule("s")
        await client.close()


async def test_what_was_asked_of_a_core_that_died_is_asked_of_the_next_one_and_done_once(desk: Desk) -> None:
    schedule = await desk.house.schedule()
    desk.slow.gate = asyncio.Event()
    client = desk.client()
    asked = asyncio.create_task(client.run_schedule(schedule.id))
    await desk.house.until(lambda: bool(desk.slow.asked))
    (actor, request) = desk.slow.asked[0]
    await desk.slow._service.handle(actor, request)  # done, and the answer is lost with the core
    await desk.crash()
    desk.slow.gate = None
    desk.open()
    async with asyncio.timeout(10):
        run = await asked
    assert [each.id for each in (await client.list_runs(schedule_id=schedule.id, any_guild=True)).items] == [run.id]


async def test_what_was_asked_and_not_answered_in_time_is_said_to_be_unknown(desk: Desk) -> None:
    desk.slow.gate = asyncio.Event()
    client = desk.client(timeout=0.2)
    with pytest.raises(Unavailable, match="whether it did what was asked is not known"):
        await client.resume_schedule("s")
    with pytest.raises(Unavailable, match=r"did not answer in time\. Try again"):
        await client.list_runs()


async def test_a_client_finds_a_core_that_comes_later(desk: Desk) -> None:
    await desk.shut()
    client = desk.client(patience=10)
    asked = asyncio.create_task(client.status())
    await asyncio.sleep(0)
    desk.open()
    async with asyncio.timeout(10):
        await asked


async def test_a_core_that_stops_answers_what_it_was_asked_and_says_goodbye(desk: Desk) -> None:
    desk.slow.gate = asyncio.Event()
    stranger = desk.stranger()
    await stranger.login()
    stranger.say(stranger.ask(1, ask.GetStatus()))
    await desk.house.until(lambda: bool(desk.slow.asked))
    stopping = asyncio.create_task(desk.shut())
    await desk.house.until(lambda: desk.door._closing)
    stranger.say(stranger.ask(2, ask.GetStatus()))
    assert isinstance(views.error_of((await stranger.hear(asking.Failed)).problem), Unavailable)
    desk.slow.gate.set()
    await stranger.hear(asking.Answer)
    await stranger.hear(asking.Bye)
    await stopping
    desk.open()


async def test_an_unknown_thing_is_not_found_over_the_wire_too(desk: Desk) -> None:
    with pytest.raises(NotFound):
        await desk.client().get_run("run_none")


# ── parts in other processes ───────────────────────────────────────────────────────────────────────────────────


async def test_what_a_bot_reports_is_known_until_it_goes(desk: Desk) -> None:
    client = desk.client("bot")
    client.report("discord", ok=True, detail="connected as us")
    await client.status()
    await desk.house.until(lambda: desk.board.parts == {"discord": Part(ok=True, detail="connected as us")})
    await client.close()
    await desk.house.until(lambda: desk.board.parts == {})


async def test_a_bot_that_falls_silent_is_forgotten_and_reports_again_when_it_comes_back(desk: Desk) -> None:
    client = desk.client("bot")
    client.report("discord", ok=True, detail="x")
    await client.status()
    await desk.house.until(lambda: bool(desk.board.parts))
    desk.house.pass_time(7)
    desk.door.look()
    assert desk.board.parts == {}
    await client.status()
    await desk.house.until(lambda: bool(desk.board.parts))


async def test_no_part_of_the_core_itself_is_reported_from_outside(desk: Desk) -> None:
    client = desk.client("bot")
    client.report("store", ok=False, detail="x")
    confined = desk.client("confined")
    confined.report("discord", ok=False, detail="x")
    await client.status()
    await confined.status()
    assert desk.board.parts == {}


# ── encrypted ──────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
async def sealed(build: Build) -> AsyncIterator[Desk]:
    """A clients' door that encrypts even on loopback."""
    made = Desk(await build(), "on")
    made.open()
    yield made
    await made.close()


def pair_for(desk: Desk, name: str, role: KeyRole, guild_id: str | None = None) -> KeyFile:
    """A key file whose public half the core knows."""
    pair = new_pair()
    row = KeyRow(
        id=f"key_{name}", name=name, role=role, kind="curve", created=0, created_by="operator:owner",
        guild_id=guild_id, public=pair.public,
    )  # fmt: skip
    desk.keyring.put(row)
    return KeyFile(public=pair.public, secret=pair.secret, server=desk.pair.public)


async def test_an_encrypted_client_is_known_by_its_key_and_cut_off_with_it(sealed: Desk) -> None:
    client = sealed.client(pair_for(sealed, "front", "bot"))
    member = Actor(kind="member", id="7", guild_id="1", permissions=MANAGE_MESSAGES, via="discord")
    await client.acting_as(member).list_runs()
    assert sealed.slow.asked[-1][0] == member
    sealed.keyring.put(msgspec.structs.replace(sealed.keyring.rows()[-1], revoked=1))
    with pytest.raises(Unauthorized):
        await client.list_runs()


@pytest.mark.parametrize("who", ["unknown", "handler", "plain"])
async def test_no_other_key_is_let_in_where_it_is_encrypted(sealed: Desk, who: str) -> None:
    stranger = new_pair()
    shown: Any = {
        "unknown": KeyFile(public=stranger.public, secret=stranger.secret, server=sealed.pair.public, token="owner"),
        "handler": pair_for(sealed, "hands", "handler"),
        "plain": "owner",
    }[who]
    with pytest.raises((Unauthorized, Unavailable)):
        await sealed.client(shown, patience=0.3).list_runs()
    assert sealed.slow.asked == []


async def test_who_is_confined_does_not_listen_along_where_it_is_encrypted(sealed: Desk) -> None:
    hints = Hints(sealed.slow, sealed.guard)
    hints.bind("tcp://127.0.0.1:*")
    door = b"zmq.events"
    for role, guild_id, admitted in (("operator", None, True), ("bot", None, True), ("operator", "1", False)):
        keys = pair_for(sealed, "who", role, guild_id)  # type: ignore[arg-type]
        assert keys.public is not None
        assert (sealed.guard._judge(door, b"CURVE", [z85.decode(keys.public.encode())]) is not None) is admitted
    await hints.close()


class Listener:
    """A listener to hints, under CURVE; it connects again by itself."""

    def __init__(self, address: str, keys: KeyFile) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.SUB)
        encrypt(self.socket, keys)
        self.socket.setsockopt(zmq.RECONNECT_IVL, 20)
        self.socket.subscribe(b"seq")
        self.socket.connect(address)

    async def hears(self) -> bool:
        """Whether anything is told, of what is told every second."""
        while self.socket.poll(0):
            self.socket.recv_multipart()
        for _ in range(400):
            if self.socket.poll(0):
                return True
            await asyncio.sleep(0.01)
        return False

    def close(self) -> None:
        self.socket.close(0)
        self._context.term()


@pytest.mark.slow
async def test_a_listener_whose_key_is_revoked_hears_no_more_and_the_others_hear_on(sealed: Desk) -> None:
    hints = Hints(sealed.slow, sealed.guard)
    hints.bind("tcp://127.0.0.1:*")
    running = asyncio.create_task(hints.run())
    one, two = (Listener(hints.address, pair_for(sealed, name, "operator")) for name in ("one", "two"))
    try:
        assert await one.hears()
        assert await two.hears()
        (row,) = [row for row in sealed.keyring.rows() if row.name == "one"]
        before = hints._pump
        sealed.keyring.put(msgspec.structs.replace(row, revoked=1))
        await sealed.house.until(lambda: hints._pump is not before)
        assert await two.hears()
        assert not await one.hears()
    finally:
        one.close()
        two.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await hints.close()
