"""The server: a taken port is one sentence, signals stay ours, and it stops in order."""

from __future__ import annotations

import asyncio
import signal
import socket

import aiohttp
import pytest

from core.listening import CannotListen
from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero.requests import GetRun
from tests.web.conftest import SETTINGS, TOKEN, holding
from tests.web.fake import RUN, FakeDoor

pytestmark = pytest.mark.slow


def server_on(bind: str, door: FakeDoor | None = None) -> HttpServer:
    settings = HttpSettings(bind=bind)
    return HttpServer(build_web(door or FakeDoor(), settings, holding(TOKEN)), settings)


async def test_a_port_in_use_is_named_with_the_remedy() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CannotListen, match=rf"port {port} is in use.*http\.bind"):
            await server_on(f"127.0.0.1:{port}").start()


async def test_an_address_that_is_not_ours_is_named() -> None:
    with pytest.raises(CannotListen, match="no address of this machine"):
        await server_on("192.0.2.1:0").start()
    with pytest.raises(CannotListen, match="no address of this machine"):
        await server_on("no-such-host.invalid:0").start()


async def test_port_0_takes_a_free_one_and_tells_it() -> None:
    server = server_on("127.0.0.1:0")
    await server.start()
    assert server.port != 0
    assert server.address == f"http://127.0.0.1:{server.port}"
    await server.stop()


async def test_answers_are_not_held_back_for_more() -> None:
    server = server_on(SETTINGS.bind)
    await server.start()
    async with aiohttp.ClientSession() as session, session.get(f"{server.address}/health"):
        assert server._server is not None
        (connection,) = server._server.server_state.connections
        accepted = connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    await server.stop()


async def test_a_port_just_left_can_be_taken_again_at_once() -> None:
    server = server_on("127.0.0.1:0")
    await server.start()
    async with aiohttp.ClientSession() as session, session.get(f"{server.address}/health"):
        pass
    await server.stop()
    again = server_on(f"127.0.0.1:{server.port}")
    await again.start()
    await again.stop()


async def test_signals_are_left_to_the_core() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    server = server_on(SETTINGS.bind)
    await server.start()
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    await server.stop()


async def test_an_answer_under_way_is_still_given() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    class SlowDoor(FakeDoor):
        async def handle(self, actor: object, request: object) -> object:
            if isinstance(request, GetRun):
                begun.set()
                await go_on.wait()
            return RUN

    server = server_on(SETTINGS.bind, SlowDoor())
    await server.start()
    async with aiohttp.ClientSession(server.address, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        asking = asyncio.create_task(session.get("/api/v1/runs/r").__aenter__())
        await begun.wait()
        stopping = asyncio.create_task(server.stop())
        go_on.set()
        answer = await asking
        assert answer.status == 200
        answer.release()
        await stopping
        with pytest.raises(aiohttp.ClientError):
            await session.get("/health")


async def test_stopping_twice_or_without_a_start_is_harmless() -> None:
    server = server_on(SETTINGS.bind)
    await server.stop()
    await server.start()
    await server.stop()
    await server.stop()
