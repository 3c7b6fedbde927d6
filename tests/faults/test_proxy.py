"""The stretch of network is as silent as it says, and a handler finds its way back when it is over."""

from __future__ import annotations

import asyncio
import contextlib
import socket as sockets

import pytest
import zmq

from schedule_zero.transport.connecting import connect
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.transport.pump import Pump
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
        with sockets.socket() as stranger:
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
async def test_in_a_long_silence_a_handler_tries_anew_and_does_not_leave_it_to_the_system() -> None:
    """The system asks again ever later, in the end a minute apart: whoever waits for that is back long after the way is.
    So a try that nobody answers is given up, and another one begins."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    context = zmq.Context()
    socket: zmq.Socket[bytes] = context.socket(zmq.DEALER)
    async with server, Proxy(server.sockets[0].getsockname()[1]) as proxy:
        proxy.cut()
        tries: asyncio.Queue[int] = asyncio.Queue()
        watch = Pump(socket.get_monitor_socket(zmq.EVENT_CONNECT_RETRIED), lambda batch: tries.put_nowait(len(batch)))
        try:
            connect(socket, proxy.address, KeyFile(), largest=1000)
            for _ in range(2):
                await asyncio.wait_for(tries.get(), 20)
        finally:
            socket.disable_monitor()
            await watch.close(0)
            socket.close(0)
            context.term()
