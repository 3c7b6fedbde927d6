"""The stretch of network is as silent as it says, and a handler finds its way back when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time

import pytest

from schedule_zero.worker import Worker
from tests.engine.house import Hands
from tests.faults.proxy import Proxy


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.closing(writer):
        while data := await reader.read(1000):
            writer.write(data)


async def test_what_is_said_while_it_is_cut_arrives_when_it_is_healed_and_a_stranger_gets_no_answer() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"before ")
        assert await reader.readexactly(7) == b"before "
        proxy.cut()
        writer.write(b"meanwhile")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)
        with socket.socket() as stranger:
            stranger.settimeout(0.2)
            with pytest.raises(TimeoutError):
                stranger.connect(("127.0.0.1", proxy.port))
        proxy.heal()
        assert await reader.readexactly(9) == b"meanwhile"
        writer.close()


async def test_what_waited_is_lost_when_it_is_dropped_and_the_next_connection_works() -> None:
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"x")
        await reader.readexactly(1)
        proxy.to_handler.cut()
        writer.write(b"lost")
        await proxy.drop()
        with contextlib.suppress(ConnectionError):
            assert await reader.read() == b""
        again, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"y")
        assert await again.readexactly(1) == b"y"
        writer.close()


@pytest.mark.slow
async def test_after_a_long_silence_a_handler_is_back_before_the_system_would_try_again() -> None:
    """The system asks again ever later: after some seconds of silence 4 s later, in the end a minute. The handler does
    not leave it at that."""
    back = asyncio.Event()

    async def core(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back.set()
        writer.close()

    server = await asyncio.start_server(core, "127.0.0.1", 0)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        proxy.cut()
        began = time.monotonic()
        running = asyncio.create_task(Worker(Hands(), proxy.address).run())
        await asyncio.sleep(7.3)
        proxy.heal()
        await asyncio.wait_for(back.wait(), 10)
        assert time.monotonic() - began < 10.9
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
