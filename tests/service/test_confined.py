"""Who is confined to a guild finds nothing of another: every request there is, and every route, walked.

The requests are made from the union itself, filled with what belongs to others. A request, or a field, that is new fails
here until it is said what of others it could name.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from functools import partial
from typing import Any, get_args

import aiohttp
import msgspec
import pytest

from core.ledger.port import AuditFilter, RunFilter, ScheduleFilter, Transaction
from core.ledger.rows import DeadRow
from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero import requests as ask
from schedule_zero.actor import MANAGE_MESSAGES, Actor
from schedule_zero.client import CoreClient
from schedule_zero.closings import CalendarDays, HoursWindows, NewBlackout
from schedule_zero.errors import Forbidden, Gone, Invalid, NotFound, ScheduleZeroError
from schedule_zero.routes import METRICS_PATHS, PREFIX, ROUTES
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.curve import new_pair
from schedule_zero.transport.http import HttpClient
from schedule_zero.transport.zmq_client import ZmqClient
from schedule_zero.trigger import CronTrigger, DateTrigger
from tests.batches import batches
from tests.engine.house import House, Mute
from tests.gateway.desk import Desk
from tests.service.people import REMINDER, as_

pytestmark = pytest.mark.slow

OURS, THEIRS, PERSON, BANNED = "1", "2", "person", "banned"
# What others have says one of these words; nothing that is answered may hold one.
WORDS = ("beta", "gamma", "Chatham")
KINDS: tuple[type[Any], ...] = get_args(ask.Request)
# Each may walk in the world of those before it: what they asked for has changed nothing there.
WALKS = batches(KINDS)


class World(msgspec.Struct):
    """What there is of others: in guild 2, and of nobody's guild."""

    house: House
    ids: dict[str, list[str]]
    token: str


Fill = Callable[[World, type[Any]], list[Any]]


def spec_for(world: World, guild_id: str | None, name: str = "beta new") -> ScheduleSpec:
    at = world.house.clock.in_s(9000)
    return ScheduleSpec(
        handler="hands", method="work", trigger=DateTrigger(at=at), guild_id=guild_id, name=name, owner_id=PERSON
    )  # fmt: skip


def _ids(world: World, kind: type[Any]) -> list[Any]:
    return world.ids[str(kind.__struct_config__.tag).partition(".")[0]]


def _changes(world: World, kind: type[Any]) -> list[Any]:
    if kind is ask.PatchGuildQuota:
        return [{"running": 77}]
    return [{"hour24": False}] if kind is ask.PutGuildSettings else [{"name": "beta renamed"}]


def _names(world: World, kind: type[Any]) -> list[Any]:
    return ["beta-handler", "hands"] if kind in (ask.GetHandler, ask.DrainHandler, ask.ResumeHandler) else ["beta-name"]


def _calendars(world: World, kind: type[Any]) -> list[Any]:
    return [CalendarDays(dates=("12-24",))] if kind is ask.PutCalendar else ["beta-name"]


def _after(world: World, kind: type[Any]) -> list[Any]:
    """What a link follows; else a place in a list, which names nothing of anybody."""
    if kind in (ask.AddLink, ask.RemoveLink):
        return world.ids["schedule"]
    return [next(field.default for field in msgspec.structs.fields(kind) if field.name == "after")]


FILL: dict[str, Fill] = {
    "after": _after,
    "actor": lambda world, _: [f"member:{PERSON}", "operator:operator"],
    "target": lambda world, _: [*world.ids["schedule"], THEIRS],
    "spec": lambda world, _: [spec_for(world, THEIRS), spec_for(world, None)],
    "items": lambda world, _: [tuple(msgspec.to_builtins(spec_for(world, guild)) for guild in (THEIRS, None))],
    "id": _ids,
    "ids": lambda world, _: [tuple(world.ids["run"])],
    "schedule_id": lambda world, _: world.ids["schedule"],
    "schedule": lambda world, _: world.ids["schedule"],
    "item": lambda world, _: world.ids["schedule"],
    "token": lambda world, kind: world.ids["settings" if kind is ask.UndoGuildSettings else "undo"],
    "guild_id": lambda world, _: [THEIRS],
    "any_guild": lambda world, _: [True],
    "owner_id": lambda world, _: [PERSON],
    "user_id": lambda world, kind: [BANNED] if kind is ask.UnbanUser else [PERSON],
    "reminders": lambda world, _: [True],
    "changes": _changes,
    "document": lambda world, _: [{"running": 78}],
    "name": _names,
    "instance": lambda world, _: ["beta-handler@elsewhere"],
    "role": lambda world, _: ["operator", "bot", "handler"],
    "trigger": lambda world, _: [DateTrigger(at=world.house.clock.in_s(9000))],
    "when": lambda world, kind: ["success" if kind in (ask.AddLink, ask.RemoveLink) else "tomorrow at 9"],
    "field": lambda world, _: ["when"],
    "kind": lambda world, _: ["calendar", "hours"],
    "text": lambda world, _: [""],
    "timezone": lambda world, _: ["Europe/Rome"],
    "present": lambda world, _: [False],
    "over": lambda world, _: [True],
    "secrets": lambda world, _: [True],
    "register": lambda world, _: [True],
    "to": lambda world, _: ["in 300 days"],
    "calendar": _calendars,
    "active_hours": lambda world, _: ["beta-name"],
    "hours": lambda world, _: [HoursWindows(windows=("09:00-17:00",))],
    "blackout": lambda world, _: [NewBlackout(begin="tomorrow", end="in 3 days")],
}
# Fields that narrow or shape what is asked for, and name nothing of anybody.
HARMLESS = {
    "idempotency_key", "state", "handler", "q", "metadata", "limit", "cursor", "revision", "until", "note", "args", "n",
    "policy", "start", "occurrence", "past", "repeat", "since", "kinds", "public", "valid_for", "jobs", "in_place", "delay", "guilds", "history",
    "by", "reset", "end", "code", "why", "message", "shard", "shards", "format", "action", "shared",
}  # fmt: skip


def variants(world: World, kind: type[Any]) -> Iterator[Any]:
    """Requests of a kind that reach for what is others'."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    unsaid = set(fields) - set(FILL) - HARMLESS
    assert not unsaid, f"{kind.__name__}: say in FILL what of others {unsaid} could name, or in HARMLESS that nothing"
    needed = [name for name, field in fields.items() if field.required]
    optional = [name for name in fields if name in FILL and name not in needed]
    for values in itertools.product(*(FILL[name](world, kind) for name in needed)):
        base = dict(zip(needed, values, strict=True))
        yield kind(**base)
        for name in optional:
            yield from (kind(**base, **{name: value}) for value in FILL[name](world, kind))
        yield kind(**base, **{name: FILL[name](world, kind)[0] for name in optional})


@pytest.fixture
async def world(house: House) -> World:
    """Something of every kind, in guild 2 and in none; and in guild 1 for who is confined to it."""
    house.service.keyring.trust("sz_beta")  # of who runs the service
    ids: dict[str, list[str]] = {"schedule": [], "run": [], "undo": [], "settings": [], "key": [], "blackout": []}
    for guild_id, word in ((THEIRS, "beta"), (None, "gamma")):
        for metadata in ({}, REMINDER):
            name = f"{word} {len(ids['schedule'])}"
            trigger = CronTrigger(expression="0 9 1 1 *") if not metadata else DateTrigger(at=house.clock.in_s(9000))
            made = await house.schedule(trigger, guild_id=guild_id, name=name, owner_id=PERSON, metadata=metadata)
            assert made.undo is not None
            ids["schedule"].append(made.id)
            ids["undo"].append(made.undo.token)
            ids["run"].append((await house.client.run_schedule(made.id)).id)
        await house.client.cancel_run(ids["run"][-1])  # it can be retried, the one before cancelled
        ids["key"].append((await house.client.new_key(word, "handler", guild_id=guild_id)).id)
        ids["key"].append((await house.client.new_key(word, "operator", public=new_pair().public)).id)
    await house.client.add_link(ids["schedule"][1], ids["schedule"][0])
    await house.ledger.write(partial(_bury, ids["run"]))
    changed = await house.client.change_guild_settings(THEIRS, {"channels": {"log": "beta"}})
    assert changed.undo is not None
    ids["settings"].append(changed.undo.token)
    await house.client.note_guild(THEIRS, "beta")
    await house.client.put_calendar(THEIRS, "beta-name", CalendarDays(dates=("12-24 beta",)))
    await house.client.put_hours(THEIRS, "beta-name", HoursWindows(windows=("09:00-17:00",)))
    rest = NewBlackout(begin="in 300 days", end="in 301 days", reason="beta")
    ids["blackout"].append((await house.client.add_blackout(THEIRS, rest)).id)
    await house.client.set_user_timezone(PERSON, "Pacific/Chatham")
    await house.client.ban_user(BANNED)
    house.engine.join(_bound(house, "beta-handler", THEIRS))
    everything = await house.ledger.reader.audit.page(AuditFilter(any_guild=True), None, 1000)
    ids["audit"] = [str(line.id) for line in everything]
    await house.schedule(guild_id=OURS, name="ours")
    # The name is that of a person with schedules in guild 2, so that nobody takes the one for the other.
    key = await house.client.new_key(PERSON, "operator", guild_id=OURS)
    assert key.token is not None
    return World(house, ids, key.token)


async def _bury(run_ids: list[str], tx: Transaction) -> None:
    """Make dead letters of runs, as if they had failed for good."""
    await tx.dead.add(
        [
            DeadRow(
                run_id=run.id, guild_id=run.guild_id, schedule_id=run.schedule_id, handler="hands", method="work", at=1
            )
            for run in (await tx.runs.get_many(run_ids)).values()
        ]
    )


def _bound(house: House, handler: str, guild_id: str | None) -> Mute:
    link = Mute(house.engine, name=f"{handler}@elsewhere", handler=handler)
    link.instance.guild_id = guild_id
    return link


@pytest.fixture(params=["local", "http", "zmq"])
async def confined(world: World, request: pytest.FixtureRequest) -> AsyncIterator[CoreClient]:
    """The client of who is confined to guild 1, over each carrier."""
    if request.param == "local":
        yield as_(world.house, Actor(kind="operator", id=PERSON, guild_id=OURS))
        return
    door = serving if request.param == "http" else listening
    async with door(world) as address:
        client: CoreClient = (HttpClient if request.param == "http" else ZmqClient)(address, world.token)
        yield client
        await client.close()


@contextlib.asynccontextmanager
async def serving(world: World) -> AsyncIterator[str]:
    """The HTTP door of a house; its address."""
    settings = HttpSettings(bind="127.0.0.1:0")
    service = world.house.service
    server = HttpServer(build_web(service, settings, service.keyring.api_actor), settings)
    await server.start()
    yield server.address
    await server.stop()


@contextlib.asynccontextmanager
async def listening(world: World) -> AsyncIterator[str]:
    """Its door for clients over ZeroMQ; its address."""
    desk = Desk(world.house)
    desk.open()
    yield desk.address
    await desk.close()


async def of_others(world: World) -> Any:
    """All that is kept of anybody but guild 1."""
    reader = world.house.ledger.reader
    schedules = await reader.schedules.page(ScheduleFilter(any_guild=True), None, 1000)
    runs = await reader.runs.page(RunFilter(any_guild=True), None, 1000)
    dead = await reader.dead.page(RunFilter(any_guild=True), None, 1000)
    keys = world.house.service.keyring.rows()
    events = await reader.journal.after(0, 10_000)
    audit = await reader.audit.page(AuditFilter(any_guild=True), None, 1000)
    return (
        [row for row in schedules if row.guild_id != OURS], [row for row in runs if row.guild_id != OURS],
        [row for row in keys if row.guild_id != OURS], [event for event in events if event.guild_id != OURS],
        {key: text for key, text in (await reader.notes.all("guild")).items() if key != OURS},
        {key: text for key, text in (await reader.notes.all("measures")).items() if key != OURS},
        await reader.notes.all("user"), [row for row in dead if row.guild_id != OURS],
        [row for row in audit if row.guild_id != OURS],
    )  # fmt: skip


async def asked(client: CoreClient, request: Any) -> tuple[str, ScheduleZeroError | None]:
    """What is answered, or the refusal."""
    try:
        return msgspec.json.encode(await client.send(request)).decode(), None
    except ScheduleZeroError as error:
        return error.sentence, error


@pytest.mark.parametrize("kinds", WALKS)
async def test_no_request_reads_or_changes_anything_of_others(
    world: World, confined: CoreClient, kinds: Sequence[type[Any]]
) -> None:
    before = await of_others(world)
    # The numbers of audit lines are short, and stand in many an answer that has nothing to do with them.
    secrets = {id for noun, ids in world.ids.items() if noun != "audit" for id in ids}
    for request in (request for kind in kinds for request in variants(world, kind)):
        answer, refusal = await asked(confined, request)
        said = msgspec.json.encode(request).decode()
        found = [word for word in (*WORDS, *secrets) if word in answer and word not in said]
        assert found == [], f"{request} is answered {answer}"
        assert refusal is None or isinstance(refusal, Forbidden | NotFound | Gone | Invalid), f"{request}: {answer}"
        assert await of_others(world) == before, f"{request} changed something"


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
async def test_each_of_these_requests_reaches_others_where_nobody_is_confined(world: World, kind: type[Any]) -> None:
    """Else the walk would walk past closed doors."""
    if kind is ask.ResumeGuild:
        await world.house.client.suspend_guild(THEIRS)
    outcomes = [await asked(world.house.client, request) for request in variants(world, kind)]
    assert any(refusal is None for _, refusal in outcomes), outcomes


async def test_in_ones_own_guild_everything_works(world: World, confined: CoreClient) -> None:
    made = await confined.create_schedule(spec_for(world, OURS, "mine"))
    assert {each.name for each in (await confined.list_schedules(any_guild=True)).items} == {"ours", "mine"}
    assert {each.name for each in (await confined.list_schedules(guild_id=OURS)).items} == {"ours", "mine"}
    assert (await confined.patch_schedule(made.id, {"name": "other"})).name == "other"
    run = await confined.run_schedule(made.id)
    assert [each.id for each in (await confined.list_runs(any_guild=True)).items] == [run.id]
    assert (await confined.cancel_run(run.id)).state == "cancelled"
    assert (await confined.retry_run(run.id)).id != run.id
    assert {event.guild_id for event in (await confined.list_events()).items} == {OURS}
    deleted = await confined.delete_schedule(made.id)
    assert deleted.undo is not None
    assert (await confined.undo(deleted.undo.token)).state == "active"
    assert (await confined.change_guild_settings(OURS, {"hour24": False})).hour24 is False
    key = await confined.new_key("mine", "handler", guild_id=OURS)
    listed = (await confined.list_keys(any_guild=True)).items
    assert {PERSON, "mine"} <= {each.name for each in listed}
    assert {each.guild_id for each in listed} == {OURS}
    assert (await confined.revoke_key(key.id)).state == "revoked"
    assert [each.name for each in (await confined.suggest_schedules("")).items] != []


async def test_followed_events_are_of_ones_own_guild(world: World, confined: CoreClient) -> None:
    events = confined.events("1-0")
    await world.house.schedule(guild_id=THEIRS, name="beta later")
    last = await world.house.schedule(guild_id=OURS, name="ours later")
    async for event in events:
        assert event.guild_id == OURS
        if event.schedule_id == last.id:
            break
    await events.aclose()  # type: ignore[attr-defined]


async def test_every_route_is_walked_and_what_is_the_services_own_is_refused(world: World) -> None:
    assert {route.request for route in ROUTES} | {ask.GetStatus} == set(KINDS)
    async with (
        serving(world) as address,
        aiohttp.ClientSession(address, headers={"Authorization": f"Bearer {world.token}"}) as http,
    ):
        for path in METRICS_PATHS:
            async with http.get(path) as answer:
                assert answer.status == 403
        async with http.get(f"{PREFIX}/schedules/{world.ids['schedule'][0]}/runs") as answer:
            assert answer.status == 404


async def test_a_token_that_is_revoked_is_nobodys_at_once_and_its_stream_ends(world: World) -> None:
    key = await world.house.client.new_key("watch", "operator")
    async with (
        serving(world) as address,
        aiohttp.ClientSession(address, headers={"Authorization": f"Bearer {key.token}"}) as http,
    ):
        stream = await http.get(f"{PREFIX}/events", headers={"Accept": "text/event-stream"})
        assert (await stream.content.readline()).startswith(b"retry")
        await world.house.client.revoke_key(key.id)
        async with http.get(f"{PREFIX}/runs") as answer:
            assert answer.status == 401
        await world.house.schedule(guild_id=THEIRS, name="beta unseen")
        assert b"beta unseen" not in await stream.content.read()


async def test_a_guilds_handler_is_there_for_that_guild_alone(world: World) -> None:
    def wanted(guild_id: str | None) -> ScheduleSpec:
        return msgspec.structs.replace(spec_for(world, guild_id), handler="beta-handler")

    made = await world.house.client.create_schedule(wanted(THEIRS))
    assert made.handler == "beta-handler"
    for guild_id in (OURS, None):
        with pytest.raises(Invalid) as refused:
            await world.house.client.create_schedule(wanted(guild_id))
        assert refused.value.sentence == "handler: there is no handler 'beta-handler'; known are discord, hands"
    telling = asyncio.create_task(world.house.engine.herald.run())
    await world.house.heard("handler.connected", handler="beta-handler")
    telling.cancel()
    told = [event for event in await world.house.told("handler.connected") if "beta-handler" in str(event.data)]
    for actor, sees in (
        (Actor(kind="operator", id="a"), True),
        (Actor(kind="operator", id="a", guild_id=THEIRS), True),
        (Actor(kind="member", id="m", guild_id=THEIRS, permissions=MANAGE_MESSAGES), True),
        (Actor(kind="operator", id="a", guild_id=OURS), False),
        (Actor(kind="member", id="m", guild_id=OURS, permissions=MANAGE_MESSAGES), False),
    ):
        page = await as_(world.house, actor).list_events(kinds=("handler.connected",))
        assert [event for event in page.items if "beta-handler" in str(event.data)] == (told if sees else [])
