"""No guild's things are another's: every request there is, at every entrance, with the ids of another guild.

A member of another guild, its manager, and who holds a key confined to it ask for all of it. They see not one byte of it, and
when they have asked, every row of every table is as it was. What of others a request could name is said where requests are
walked for keys (``test_confined``); a request or a field that is new fails there and here until it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import msgspec
import pytest
from sqlalchemy import Table, select
from yarl import URL

from core.ledger.statement import Query
from core.ledger.tables import metadata
from core.local import LocalClient
from core.service.feeding import Wish
from core.service.sessions import Session, TheirGuilds
from core.web.app import build_web
from core.web.settings import HttpSettings
from core.web.sign_in.cookies import SESSION
from schedule_zero.actor import ADMINISTRATOR, Actor
from schedule_zero.asks.base_request import BaseRequest
from schedule_zero.client import CoreClient
from schedule_zero.errors import Forbidden, Gone, Invalid, NotFound, ScheduleZeroError
from schedule_zero.routes import HEALTH_PATHS, METRICS_PATHS, PREFIX, READY_PATHS, ROUTES
from schedule_zero.transport.http import HttpClient
from schedule_zero.transport.zmq_client import ZmqClient
from schedule_zero.views import View
from tests.engine.house import House
from tests.service.people import as_
from tests.service.test_confined import (
    KINDS,
    OURS,
    THEIRS,
    WALKS,
    WORDS,
    World,
    asked,
    listening,
    serving,
    variants,
    world,
)
from tests.web.signing import browser_at, csrf_at, sign_in

__all__ = ["world"]  # a fixture

pytestmark = pytest.mark.slow

MEMBER = Actor(kind="member", id="stranger", guild_id=OURS)
MANAGER = Actor(kind="member", id="stranger", guild_id=OURS, permissions=ADMINISTRATOR, owner=True)
WHO = {"member": MEMBER, "manager": MANAGER}


def _every_row(table: Table) -> Query[Any]:
    return Query(select(*table.columns), tuple[tuple(str | int | None for _ in table.columns)])  # type: ignore[misc]


# Made once: each is compiled when it is asked for the first time, and they are asked after every single request.
TABLES = {table.name: (tuple(table.columns.keys()), _every_row(table)) for table in metadata.sorted_tables}


async def rows_of(house: House) -> dict[str, list[str]]:
    """Every row of every table, but what is the asker's own: the answers that are kept under their keys, the links to sign in
    that they made, and that they did."""
    found = {}
    for name, (columns, query) in TABLES.items():
        rows = await house.ledger.reader.notes._reading.fetch(query)
        found[name] = sorted(str(row) for row in rows if not _is_own(name, dict(zip(columns, row, strict=True))))
    return found


def _is_own(table: str, row: dict[str, Any]) -> bool:
    if table == "audit":
        return bool(row["guild_id"] == OURS)
    return table == "answers" or (table == "notes" and row["kind"] == "sign-in")


def leaks(world: World, said: str, answered: str) -> list[str]:
    """What of others stands in an answer, and did not stand in the question."""
    ids = {id for ids in world.ids.values() for id in ids if not id.isdecimal()}  # a line's number stands in many texts
    secrets = {*WORDS, *ids}
    return [word for word in secrets if word in answered and word not in said]


class SignedIn(LocalClient):
    """Who is signed in to the pages with Discord: in the guild that a request is about they are what Discord says."""

    def __init__(self, house: House, session: Session) -> None:
        super().__init__(house.service)
        self._session = session

    async def send(self, request: Any) -> View:
        return await self._service.handle(await self._service.sessions.actor(self._session, request), request)


async def signed_in_owner(house: House) -> str:
    """What the browser shows of somebody who owns guild 1, signed in with Discord."""
    await house.client.note_guild(OURS, "ours")
    theirs = TheirGuilds({OURS: ADMINISTRATOR}, (OURS,))
    return await house.service.sessions.by_discord("stranger", "Stranger", theirs, "", "")


@pytest.fixture(
    params=[
        "member-local",
        "member-zmq",
        "manager-local",
        "manager-zmq",
        "key-local",
        "key-http",
        "key-zmq",
        "owner-page",
    ]
)
async def outsider(world: World, request: pytest.FixtureRequest) -> AsyncIterator[CoreClient]:
    """Somebody of guild 1, over each carrier that takes their word."""
    who, _, door = request.param.partition("-")
    if door == "page":
        session = await world.house.service.sessions.find(await signed_in_owner(world.house))
        assert session is not None
        yield SignedIn(world.house, session)
        return
    if door == "local":
        yield as_(world.house, WHO.get(who) or Actor(kind="operator", id="theirs", guild_id=OURS))
        return
    if door == "http":
        async with serving(world) as address:
            client: CoreClient = HttpClient(address, world.token)
            yield client
            await client.close()
        return
    async with listening(world) as address:
        bot = ZmqClient(address, world.token if who == "key" else "bot")
        yield bot.acting_as(WHO[who]) if who in WHO else bot
        await bot.close()


def test_every_request_there_is_is_walked() -> None:
    def leaves(kind: type[Any]) -> set[type[Any]]:
        below = {each for child in kind.__subclasses__() for each in leaves(child)}
        return below or {kind}

    assert leaves(BaseRequest) == set(KINDS)


@pytest.mark.parametrize("kinds", WALKS)
async def test_no_request_shows_or_changes_a_byte_of_another_guild(
    world: World, outsider: CoreClient, kinds: Sequence[type[Any]]
) -> None:
    before = await rows_of(world.house)
    for request in (request for kind in kinds for request in variants(world, kind)):
        answer, refusal = await asked(outsider, request)
        said = msgspec.json.encode(request).decode()
        assert leaks(world, said, answer) == [], f"{request} is answered {answer}"
        assert refusal is None or isinstance(refusal, Forbidden | NotFound | Gone | Invalid), f"{request}: {answer}"
        assert await rows_of(world.house) == before, f"{request} changed something"


# ── over HTTP, byte by byte ──


async def test_no_route_brings_a_byte_of_another_guild(world: World) -> None:
    """Also where no client of ours would ask like this: every route, filled with what is others'."""
    before = await rows_of(world.house)
    names = {"id": world.ids["run"][0], "guild_id": THEIRS, "user_id": "person", "name": "beta-name", "item": world.ids["schedule"][0],
             "after": world.ids["schedule"][1], "schedule": world.ids["schedule"][0], "schedule_id": world.ids["schedule"][0]}  # fmt: skip
    headers = {"Authorization": f"Bearer {world.token}"}
    async with serving(world) as address, aiohttp.ClientSession(address, headers=headers) as http:
        for route in ROUTES:
            for id in (names["id"], *world.ids["schedule"], *world.ids["key"], *world.ids["blackout"]):
                path = PREFIX + route.path.format(**{name: {**names, "id": id}[name] for name in route.path_fields})
                query = f"?guild_id={THEIRS}" if not route.has_body and route.takes("guild_id") else ""
                async with http.request(route.method, path + query, data=b"{}" if route.has_body else None) as answer:
                    body = (await answer.read()).decode()
                    assert leaks(world, path, body) == [], f"{route.method} {path + query}: {body}"
                    assert answer.status < 500, f"{route.method} {path}: {body}"
    assert await rows_of(world.house) == before


OF_NOBODY = {
    "/", "/account", "/account/end-all", "/account/{id:str}/end", "/handlers", "/runs/live.js", "/sign-in", "/sign-in/token",
    "/sign-in/link", "/sign-in/discord", "/sign-in/discord/callback", "/sign-out", "/style.css", "/guilds",
}  # fmt: skip
"""Pages whose addresses name nothing of anybody's, but one's own sessions."""


def pages(world: World) -> dict[str, list[str]]:
    """Every page whose address can name what is others', with addresses that do."""
    runs = world.ids["run"]
    return {
        "/runs": [
            f"/runs?guild_id={THEIRS}",
            f"/runs?schedule_id={world.ids['schedule'][0]}",
            "/runs?guild_id=null",
            "/runs",
        ],
        "/runs/{id:str}": [f"/runs/{run}" for run in runs],
        "/runs/{id:str}/live": [f"/runs/{run}/live" for run in runs],
        "/runs/{id:str}/cancel": [f"/runs/{run}/cancel" for run in runs],
        "/runs/{id:str}/retry": [f"/runs/{run}/retry" for run in runs],
        "/guilds/{id:str}": [f"/guilds/{THEIRS}"],
        "/calendar/{whose:str}/{name:str}": [
            f"/calendar/guild/{THEIRS}.ics?key=guessed",
            "/calendar/user/person.ics?key=x",
        ],
        "/guilds/{id:str}/verification": [f"/guilds/{THEIRS}/verification"],
        "/guilds/{id:str}/erasure": [f"/guilds/{THEIRS}/erasure"],
    }


def test_every_page_there_is_is_walked(house: House) -> None:
    settings = HttpSettings(bind="127.0.0.1:0")
    web = build_web(house.service, settings, house.service.keyring.api_actor)
    there = {route.path for route in web.app._api.routes if not route.path.startswith((PREFIX, "/api/"))}  # type: ignore[attr-defined]
    probes = {*HEALTH_PATHS, *READY_PATHS, *METRICS_PATHS}
    named = set(pages(World(house, {"run": ["r"], "schedule": ["s"]}, "")))
    assert there - probes == named | OF_NOBODY, "a page is new: say what of others its address could name"


def verbs_of(pattern: str) -> tuple[str, ...]:
    """How a page is asked for: a form is sent, and some are a page of their own as well."""
    if pattern.endswith("/erasure"):
        return "GET", "POST"
    return ("POST",) if pattern.endswith(("/cancel", "/retry", "/verification")) else ("GET",)


@pytest.mark.parametrize("who", ["key", "owner"])
async def test_no_page_shows_a_byte_of_another_guild(world: World, who: str) -> None:
    async with serving(world) as address, browser_at(address) as browser:
        if who == "owner":
            browser.cookie_jar.update_cookies({SESSION: await signed_in_owner(world.house)}, URL(address))
        else:
            assert (await sign_in(browser, world.token)).status == 200
        csrf = await csrf_at(browser, "/account")
        before = await rows_of(world.house)
        for pattern, paths in pages(world).items():
            for path, verb in itertools.product(paths, verbs_of(pattern)):
                body = {"csrf": csrf, "words": "beta"} if verb == "POST" else None
                async with browser.request(verb, path, data=body, allow_redirects=False) as answer:
                    text = (await answer.read()).decode()
                    assert leaks(world, path, text) == [], f"{path}: {text}"
                    assert answer.status < 500
        for path in sorted(OF_NOBODY - {"/account/{id:str}/end", "/sign-out", "/account/end-all"}):
            async with browser.get(path, allow_redirects=False) as answer:
                assert leaks(world, path, (await answer.read()).decode()) == [], path
        assert await rows_of(world.house) == before


# ── events, wherever they are told (topics of ZeroMQ are tested with the gateway: that door lets nobody in who is confined) ──


@pytest.mark.parametrize("who", ["member", "manager", "key"])
async def test_events_of_another_guild_are_told_to_nobody_else(world: World, who: str) -> None:
    actor = WHO.get(who) or Actor(kind="operator", id="theirs", guild_id=OURS)
    service = world.house.service
    await world.house.schedule(guild_id=THEIRS, name="beta later")
    last = await world.house.schedule(guild_id=OURS, name="ours later")
    for wish in (
        Wish(after="1-0", guild_id=THEIRS), Wish(after="1-0"), Wish(after="1-0", buckets=frozenset(range(64))),
        Wish(after="1-0", kinds=("schedule.created",)),
    ):  # fmt: skip
        with contextlib.suppress(Forbidden, NotFound):
            await heard_until((await service.feed(actor, wish)).portions(), last.id)
    with contextlib.suppress(Forbidden, NotFound):
        await heard_until(as_(world.house, actor).events("1-0"), last.id)
    for run_id in world.ids["run"]:
        with pytest.raises(NotFound):
            await anext(service.follow_log(actor, run_id, 0))


async def heard_until(told: Any, last: str) -> None:
    """Listen until an event of guild 1; nothing of others may come before."""
    async with asyncio.timeout(10):
        async for each in told:
            for event in getattr(each, "events", [each]):
                assert event.guild_id == OURS, event
                if event.schedule_id == last:
                    await told.aclose()
                    return


@pytest.mark.parametrize("path", ["/events", f"/events?guild_id={THEIRS}", "/events?after=1-0"])
async def test_a_stream_of_events_brings_ones_own_guilds_alone(world: World, path: str) -> None:
    headers = {"Authorization": f"Bearer {world.token}", "Accept": "text/event-stream"}
    async with (
        serving(world) as address,
        aiohttp.ClientSession(address, headers=headers) as http,
        http.get(PREFIX + path) as answer,
    ):
        if "guild_id" in path:
            assert answer.status == 403
            return
        assert answer.status == 200
        assert (await answer.content.readline()).startswith(b"retry")
        await world.house.schedule(guild_id=THEIRS, name="beta later")
        await world.house.schedule(guild_id=OURS, name="ours later")
        text = ""
        async with asyncio.timeout(10):
            while text.count('"schedule.created"') < (2 if "after" in path else 1):
                text += (await answer.content.readline()).decode()
        assert leaks(world, "", text) == []
        assert f'"guild_id":"{THEIRS}"' not in text


async def test_the_walk_walks_past_no_closed_door(world: World) -> None:
    """To who runs the service the same questions show and change what they should."""
    shown = 0
    for kind in KINDS:
        for request in variants(world, kind):
            with contextlib.suppress(ScheduleZeroError):
                answer = await world.house.client.send(request)
                shown += bool(leaks(world, "", msgspec.json.encode(answer).decode()))
    assert shown > 50
