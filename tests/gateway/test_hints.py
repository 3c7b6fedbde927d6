"""Live hints: who listens hears at once, nobody is waited for, and no listener is another's silence."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import zmq

from core.gateway.hints import Hints
from schedule_zero.event import Event
from tests.gateway.desk import Desk, tell

pytestmark = pytest.mark.slow


class Listener:
    """Somebody who listens to hints."""

    def __init__(self, address: str, *topics: str) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.SUB)
        self.socket.sndhwm = 0  # of its own topics
        self.socket.connect(address)
        for topic in topics:
            self.socket.setsockopt_string(zmq.SUBSCRIBE, topic)

    async def hear(self) -> tuple[str, Any]:
        async with asyncio.timeout(10):
            while not self.socket.poll(0):
                await asyncio.sleep(0.01)
        topic, body = self.socket.recv_multipart()
        return topic.decode(), msgspec.json.decode(body)

    def close(self) -> None:
        self.socket.close(0)
        self._context.term()


@pytest.fixture
async def hints(desk: Desk) -> AsyncIterator[Hints]:
    made = Hints(desk.slow, desk.guard)
    made.bind("tcp://127.0.0.1:*")
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await made.close()


async def listened_to(desk: Desk, hints: Hints, *topics: str) -> None:
    """Until so much was asked for, and is told."""
    asked = sum(1 + len(topic) for topic in topics)
    await desk.house.until(lambda: hints._place is not None and hints._asked >= asked)


def raw_listener(address: str, *frames: bytes) -> socket.socket:
    """One that says what no SUB would: greeting and READY of ZMTP 3.0 (rfc.zeromq.org/spec/23), then these frames."""
    host, port = address.removeprefix("tcp://").split(":")
    made = socket.create_connection((host, int(port)), timeout=10)
    made.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    made.recv(64, socket.MSG_WAITALL)
    ready = b"\x05READY\x0bSocket-Type\x00\x00\x00\x03SUB"
    made.sendall(b"\x04" + bytes([len(ready)]) + ready)
    made.recv(made.recv(2, socket.MSG_WAITALL)[1], socket.MSG_WAITALL)
    made.sendall(b"".join(b"\x00" + bytes([len(frame)]) + frame for frame in frames))
    return made


async def test_a_listener_hears_what_happens_in_its_guild_as_it_happens(desk: Desk, hints: Hints) -> None:
    listener = Listener(hints.address, "g.1.run.")
    await listened_to(desk, hints, "g.1.run.")
    await tell(desk.house, 1, guild="2")
    await tell(desk.house, 1, kind="schedule.created")
    seq = await tell(desk.house, 1)
    topic, body = await listener.hear()
    assert topic == "g.1.run.failed"
    assert msgspec.convert(body, Event).seq == seq
    listener.close()
    await desk.house.until(lambda: not hints._listened_to.is_set())


async def test_who_takes_back_what_it_never_asked_for_silences_nobody(desk: Desk, hints: Hints) -> None:
    listener = Listener(hints.address, "g.")
    await listened_to(desk, hints, "g.")
    stranger = raw_listener(hints.address, b"\x00g.", b"\x01seen")
    await listened_to(desk, hints, "g.", "seen")
    for _ in range(2):  # while it is there, and when it is gone
        seq = await tell(desk.house, 1)
        assert (await listener.hear())[1]["seq"] == seq
        assert hints._listened_to.is_set()
        stranger.close()
        await desk.house.until(lambda: len(hints._attendance._connections) == 1)
    listener.close()


async def test_who_leaves_with_more_topics_than_anybody_counts_takes_nobody_elses_along(
    desk: Desk, hints: Hints
) -> None:
    topics = [f"g.{n}." for n in range(10_000)]
    greedy = Listener(hints.address, *topics)
    await listened_to(desk, hints, *topics)
    listener = Listener(hints.address, "g.1.run.")
    await listened_to(desk, hints, *topics, "g.1.run.")
    greedy.close()
    await desk.house.until(lambda: len(hints._attendance._connections) == 1)
    seq = await tell(desk.house, 1)
    assert (await listener.hear())[1]["seq"] == seq
    assert hints._listened_to.is_set()
    listener.close()


async def test_who_asks_for_topics_without_end_is_cut_off_and_the_others_come_back(
    desk: Desk, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.gateway.hints.MOST_ASKED", 20_000)
    listener = Listener(hints.address, "g.")
    await listened_to(desk, hints, "g.")
    before = hints._attendance
    greedy = raw_listener(hints.address, *(b"\x01" + b"%0200d" % n for n in range(120)))
    await desk.house.until(lambda: hints._attendance is not before)
    assert await asyncio.to_thread(closed, greedy)
    # A SUB says its topics again when its owner turns to it.
    await desk.house.until(lambda: bool(listener.socket.poll(0)) or hints._asked >= len("\1g."))
    seq = await tell(desk.house, 1)
    assert (await listener.hear())[1]["seq"] == seq
    listener.close()


def closed(peer: socket.socket) -> bool:
    """Whether the other end closes a connection soon."""
    with peer, contextlib.suppress(ConnectionError):
        while peer.recv(65536):
            continue
    return True


async def test_a_listener_is_told_the_newest_number(desk: Desk, hints: Hints) -> None:
    last = await tell(desk.house, 3)
    listener = Listener(hints.address, "seq")
    assert await listener.hear() == ("seq", {"epoch": 1, "seq": last})
    listener.close()


async def test_a_listener_that_does_not_listen_holds_nobody_up(
    desk: Desk, hints: Hints, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf, keen = Listener(hints.address, "g."), Listener(hints.address, "seq")
    await listened_to(desk, hints, "g.", "seq")
    text = '{"text": "' + "x" * 2000 + '"}'
    for _ in range(20):
        await tell(desk.house, 1000, data=text)
    _, last = await desk.house.ledger.reader.journal.head()
    while (await keen.hear())[1]["seq"] < last:
        pass
    deaf.close()
    keen.close()
