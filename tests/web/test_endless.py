"""Bodies that never end, or never come: a sentence, a closed connection, and nothing that grows or hangs."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator
from typing import NamedTuple
from urllib.parse import urlsplit

import aiohttp
import pytest

from core.web import intake
from core.web.intake import LINGER_S, MOST_DROPPED
from core.web.server import HttpServer
from schedule_zero.routes import PREFIX
from tests.web.conftest import TOKEN
from tests.web.fake import FakeDoor

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

PATIENCE_S = 20.0
PIECE = b"x" * 65_536
CHUNK = b"%x\r\n%b\r\n" % (len(PIECE), PIECE)
PART = b'--b\r\ncontent-disposition: form-data; name="a"\r\n\r\n' + PIECE + b"\r\n"
PART_CHUNK = b"%x\r\n%b\r\n" % (len(PART), PART)
JSON = "content-type: application/json"
MULTIPART = "content-type: multipart/form-data; boundary=b"
CHUNKED = "transfer-encoding: chunked"
AUTHORIZED = f"authorization: Bearer {TOKEN}"


class Ended(NamedTuple):
    """How a connection ended: what was answered, and how much could be sent until then."""

    answer: str
    sent: int


@contextlib.asynccontextmanager
async def connected(server: HttpServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    parts = urlsplit(server.address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        yield reader, writer
    finally:
        writer.close()


def head(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"{line} HTTP/1.1", "host: 127.0.0.1", *headers, "", ""]).encode()


async def sent_for_ever(server: HttpServer, beginning: bytes, piece: bytes) -> Ended:
    """Send without end, until the server closes the connection; and read meanwhile, as a client that wants an answer does."""
    async with asyncio.timeout(PATIENCE_S), connected(server) as (reader, writer):
        answering = asyncio.create_task(_read(reader))
        writer.write(beginning)
        sent = 0
        with contextlib.suppress(ConnectionError):
            while not answering.done():
                writer.write(piece)
                await writer.drain()
                sent += len(piece)
                await asyncio.sleep(0)
        return Ended((await answering).decode(), sent)


async def _read(reader: asyncio.StreamReader) -> bytes:
    """All that comes, also where the connection is reset in the end."""
    found = b""
    with contextlib.suppress(ConnectionError):
        while more := await reader.read(65_536):
            found += more
    return found


@pytest.mark.parametrize(
    ("line", "headers", "piece", "status"),
    [
        (f"POST {PREFIX}/schedules", (JSON, AUTHORIZED, CHUNKED), CHUNK, 413),
        (f"POST {PREFIX}/schedules", (MULTIPART, AUTHORIZED, CHUNKED), PART_CHUNK, 413),
        (f"POST {PREFIX}/schedules", (MULTIPART, AUTHORIZED, "content-length: 99999999999999"), PART, 413),
        ("POST /sign-in/token", (MULTIPART, CHUNKED), PART_CHUNK, 413),
        (f"POST {PREFIX}/schedules", (JSON, CHUNKED), CHUNK, 401),
        (f"GET {PREFIX}/schedules", (AUTHORIZED, CHUNKED), CHUNK, 200),
        ("POST /nowhere", (CHUNKED,), CHUNK, 404),
        (f"POST {PREFIX}/schedules", (AUTHORIZED, CHUNKED, "origin: https://elsewhere.example"), CHUNK, 403),
    ],
)
async def test_a_body_without_end_is_answered_and_the_connection_closed(
    server: HttpServer, door: FakeDoor, line: str, headers: tuple[str, ...], piece: bytes, status: int
) -> None:
    ended = await sent_for_ever(server, head(line, *headers), piece)
    assert ended.answer.startswith(f"HTTP/1.1 {status} "), ended.answer[:200]
    assert "\r\nconnection: close\r\n" in ended.answer
    if status == 413:
        assert ended.answer.count("The body is larger than 1 MiB; send less, or several requests.") == 1
    assert ended.sent < 2 * MOST_DROPPED  # what the sockets hold on the way comes to what was dropped
    assert not any(type(request).__name__ == "CreateSchedule" for _, request in door.asked)


async def test_others_are_served_while_many_send_without_end(
    server: HttpServer, http: aiohttp.ClientSession, door: FakeDoor
) -> None:
    beginning = head(f"POST {PREFIX}/schedules", JSON, AUTHORIZED, CHUNKED)
    flood = [asyncio.create_task(sent_for_ever(server, beginning, CHUNK)) for _ in range(8)]
    for _ in range(20):
        async with asyncio.timeout(PATIENCE_S), http.get(f"{PREFIX}/runs/r") as answer:
            assert answer.status == 200
    assert all(ended.answer.startswith("HTTP/1.1 413 ") for ended in await asyncio.gather(*flood))


@pytest.mark.parametrize("length", [CHUNKED, "content-length: 100"])
async def test_a_body_that_does_not_come_is_not_waited_for_for_ever(
    server: HttpServer, door: FakeDoor, monkeypatch: pytest.MonkeyPatch, length: str
) -> None:
    monkeypatch.setattr(intake, "BODY_S", 0.2)
    monkeypatch.setattr(intake, "LINGER_S", 0.1)
    async with asyncio.timeout(PATIENCE_S), connected(server) as (reader, writer):
        writer.write(head(f"POST {PREFIX}/schedules", JSON, AUTHORIZED, length))
        writer.write(b"1\r\n{\r\n" if length == CHUNKED else b"{")
        answer = (await reader.read()).decode()
    assert answer.startswith("HTTP/1.1 400 ")
    assert "The body did not come whole within 30 seconds." in answer
    assert not door.asked


async def test_a_body_in_the_smallest_pieces_is_read_and_the_connection_kept(
    server: HttpServer, door: FakeDoor
) -> None:
    async with asyncio.timeout(PATIENCE_S), connected(server) as (reader, writer):
        for _ in range(2):
            writer.write(head(f"POST {PREFIX}/undo", JSON, AUTHORIZED, CHUNKED))
            for each in b'{"token":"und_1"}':
                writer.write(b"1\r\n%c\r\n" % each)
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            answer = await reader.readuntil(b"\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 200 ")
            assert b"connection: close" not in answer
            length = int(answer.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            await reader.readexactly(length)
    assert len(door.asked) == 2


async def test_a_large_body_gets_its_refusal_although_it_is_not_read(http: aiohttp.ClientSession) -> None:
    for _ in range(3):
        async with http.post(f"{PREFIX}/schedules", data=io.BytesIO(b"x" * (8 << 20))) as answer:
            assert answer.status == 413
            assert (await answer.json(content_type=None))["detail"].startswith("The body is larger than 1 MiB")
    assert LINGER_S < 5  # within what an orderly stop waits for answers
