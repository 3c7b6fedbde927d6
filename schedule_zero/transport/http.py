"""The client over HTTP, with nothing but the standard library.

Requests run in a thread each (``http.client`` blocks), at most as many as there are connections; the stream of
events keeps a connection and a thread of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import select
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from schedule_zero import requests as ask
from schedule_zero import views
from schedule_zero.actor import Actor
from schedule_zero.client import CoreClient
from schedule_zero.errors import (
    Forbidden,
    NotFound,
    ScheduleZeroError,
    Unauthorized,
    Unavailable,
)
from schedule_zero.event import Event
from schedule_zero.routes import EVENTS_PATH, NO_GUILD, PREFIX, READY_PATHS, Route, route_of

_CONNECTIONS: Final = 8
_STREAM_SILENCE: Final = 45.0  # seconds; the server says something at least every 15
_AHEAD: Final = 1_000  # events read before somebody wanted them; then the server has to wait
_LOST: Final = "the core at {} did not answer ({}); whether it did what was asked is not known"
_PATIENCE: Final = (0.25, 0.5, 1.0, 2.0, 5.0)  # seconds between attempts to open the stream again


class HttpClient(CoreClient):
    """Asks a core over HTTP.

    Args:
        address: ``http://host:port``, with a path in front of ``/api`` if a proxy adds one.
        token: the API token; None for a door that needs none.
        timeout: seconds to wait for an answer.
        software: what asks, for the core to note.
    """

    def __init__(
        self, address: str, token: str | None = None, *, timeout: float = 30.0, software: str = "schedule-zero-client"
    ) -> None:
        parts = urlsplit(address)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{address!r} is not an address such as http://127.0.0.1:8080")
        self._host, self._port = parts.hostname, parts.port
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._base = parts.path.rstrip("/")
        self._headers = {"Accept": "application/json", "User-Agent": software}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout
        self._idle: list[http.client.HTTPConnection] = []
        self._slots = asyncio.Semaphore(_CONNECTIONS)
        self.address = address

    async def send(self, request: ask.Request) -> views.View:
        """Carry one request; problem documents come back as the errors they stand for."""
        call = _status_call() if isinstance(request, ask.GetStatus) else _call(request)
        async with self._slots:
            status, body = await asyncio.to_thread(self._exchange, call)
        if status >= 400 and not (status == 503 and isinstance(request, ask.GetStatus)):
            raise problem_error(status, body)
        try:
            view: views.View = msgspec.json.decode(body, type=call.answer)
        except msgspec.DecodeError as error:
            if status >= 400:
                raise problem_error(status, body) from None
            raise Unavailable(f"{self.address} answered something else than this version expects: {error}") from None
        return view

    async def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        """Every event after a place, for ever; a broken connection is opened again where it broke.

        Raises:
            ScheduleZeroError: the core refused the place or the token; that does not mend by itself.
        """
        place = after
        failures = 0
        while True:
            stream = _Stream(self._connect(_STREAM_SILENCE), self._base, self._headers, place, kinds)
            try:
                async for event in stream.events():
                    place = f"{event.epoch}-{event.seq}"
                    failures = 0
                    yield event
            except _Broken:
                await asyncio.sleep(_PATIENCE[min(failures, len(_PATIENCE) - 1)])
                failures += 1
            finally:
                stream.close()

    def acting_as(self, actor: Actor) -> CoreClient:
        """Refused: over HTTP a token speaks for its own holder."""
        raise Forbidden(f"an API token cannot speak for {actor.kind} {actor.id}; connect with a key of role bot")

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        return self._kind(self._host, self._port, timeout=timeout)

    def _exchange(self, call: _Call) -> tuple[int, bytes]:
        """One request and its answer, on a kept connection if there is one. Runs in a thread."""
        while self._idle:
            kept = self._idle.pop()
            if _is_alive(kept):
                try:
                    return self._over(kept, call)
                except (http.client.HTTPException, OSError) as error:
                    kept.close()
                    if not call.repeatable:
                        raise Unavailable(_LOST.format(self.address, _reason(error))) from None
            kept.close()
        connection = self._connect(self._timeout)
        try:
            return self._over(connection, call)
        except ConnectionRefusedError as error:
            raise Unavailable(f"no core answers at {self.address} ({_reason(error)}); is it running?") from None
        except (http.client.HTTPException, OSError) as error:
            connection.close()
            raise Unavailable(_LOST.format(self.address, _reason(error))) from None

    def _over(self, connection: http.client.HTTPConnection, call: _Call) -> tuple[int, bytes]:
        connection.request(call.method, self._base + call.path, body=call.body, headers=self._headers | call.headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.will_close:
            connection.close()
        else:
            self._idle.append(connection)
        return answer.status, body


class _Call(msgspec.Struct):
    """One HTTP request, ready to be written."""

    method: str
    path: str
    answer: Any
    body: bytes | None = None
    headers: dict[str, str] = {}
    repeatable: bool = False


def _status_call() -> _Call:
    return _Call(method="GET", path=READY_PATHS[0], answer=views.Status, repeatable=True)


def _call(request: ask.Request) -> _Call:
    """Write a request down as HTTP, by the table of routes."""
    route = route_of(request)
    if route is None:
        raise Unavailable(f"{type(request).__name__} does not travel over HTTP")
    path = route.path.format(**{name: _segment(name, str(getattr(request, name))) for name in route.path_fields})
    call = _Call(
        method=route.method,
        path=PREFIX + path,
        answer=route.answer,
        repeatable=route.method in ("GET", "PUT", "DELETE"),
    )
    if route.has_body:
        call.body = msgspec.json.encode(_body(route, request))
        call.headers = {"Content-Type": "application/json"}
        if request.idempotency_key is not None and route.method == "POST":
            call.headers["Idempotency-Key"] = request.idempotency_key
            call.repeatable = True
    else:
        query = _query(route, request)
        call.path += f"?{urlencode(query)}" if query else ""
    revision = getattr(request, "revision", None)
    if revision is not None:
        call.headers = call.headers | {"If-Match": f'"{revision}"'}
    return call


def _segment(name: str, value: str) -> str:
    """One part of a path. Servers take even a quoted slash for a boundary, and no id holds one."""
    if not value or "/" in value:
        raise NotFound(f"{value!r} is no {name.replace('_', ' ')}; nothing has it.")
    return quote(value, safe="")


def _body(route: Route, request: ask.Request) -> Any:
    if route.whole is not None:
        return getattr(request, route.whole)
    return {field.encode_name: getattr(request, field.name) for field in route.fields}


def _query(route: Route, request: ask.Request) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for field in route.fields:
        value = getattr(request, field.name)
        if field.name == "guild_id" and route.spans_guilds and value is None:
            if not request.any_guild:  # type: ignore[union-attr]  # spans_guilds says that the field is there
                pairs.append(("guild_id", NO_GUILD))
        elif isinstance(value, dict):
            pairs.extend((f"{field.encode_name}.{key}", each) for key, each in value.items())
        elif isinstance(value, tuple):
            pairs.extend((field.encode_name, each) for each in value)
        elif isinstance(value, bool):
            pairs.append((field.encode_name, "true" if value else "false"))
        elif value is not None:
            pairs.append((field.encode_name, str(value)))
    return pairs


def problem_error(status: int, body: bytes) -> ScheduleZeroError:
    """The error a problem document stands for; a status alone says less, but never nothing."""
    try:
        problem = msgspec.json.decode(body, type=views.Problem)
    except msgspec.DecodeError:
        if status == Unauthorized.status:
            return Unauthorized("the core wants another token")
        return Unavailable(f"the core answered with status {status} and no word why")
    return views.error_of(problem)


class _Broken(Exception):
    """The stream ended or was cut; what it has not brought can be asked for again."""


class _Stream:
    """One connection to the stream of events, read line by line in a thread."""

    def __init__(
        self,
        connection: http.client.HTTPConnection,
        base: str,
        headers: dict[str, str],
        after: str | None,
        kinds: tuple[str, ...],
    ) -> None:
        self._connection = connection
        self._path = base + EVENTS_PATH + (f"?{urlencode([('kinds', kind) for kind in kinds])}" if kinds else "")
        self._headers = headers | {"Accept": "text/event-stream"} | ({"Last-Event-ID": after} if after else {})
        self._socket: socket.socket | None = None
        self._room = threading.Semaphore(_AHEAD)
        self._closed = False

    async def events(self) -> AsyncIterator[Event]:
        """The events as they come. Raises _Broken at the end of the connection, or the refusal as it is."""
        loop = asyncio.get_running_loop()
        arrived: asyncio.Queue[Event | Exception] = asyncio.Queue()

        def tell(item: Event | Exception) -> None:
            self._room.acquire()
            if not self._closed:
                loop.call_soon_threadsafe(arrived.put_nowait, item)

        threading.Thread(target=self._read, args=(tell,), name="schedule-zero-events", daemon=True).start()
        while True:
            item = await arrived.get()
            self._room.release()
            if isinstance(item, Exception):
                raise item
            yield item

    def close(self) -> None:
        """Cut the connection; the reading thread notices and ends."""
        self._closed = True
        self._room.release()
        if self._socket is not None:
            # Closing alone would leave a thread that is inside recv() there.
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _read(self, tell: Callable[[Event | Exception], None]) -> None:
        try:
            self._connection.connect()
            self._socket = self._connection.sock
            self._connection.request("GET", self._path, headers=self._headers)
            with self._connection.getresponse() as answer:
                if answer.status == 200:
                    for data in _messages(answer):
                        if self._closed:
                            return
                        tell(msgspec.json.decode(data, type=Event))
                else:
                    refusal = problem_error(answer.status, answer.read())
                    tell(_Broken() if isinstance(refusal, Unavailable) else refusal)
        except (http.client.HTTPException, OSError, msgspec.DecodeError):
            pass  # cut by the server, by silence or by close(): whoever reads on opens it again
        finally:
            self._connection.close()
            with contextlib.suppress(RuntimeError):  # the loop was closed before us
                tell(_Broken())


def _is_alive(connection: http.client.HTTPConnection) -> bool:
    """Whether a kept connection is still open: an idle one with something to read has been closed by the server."""
    if connection.sock is None:
        return False
    try:
        return not select.select([connection.sock], [], [], 0)[0]
    except ValueError:  # more open files than select can name
        return False


def _messages(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """The ``data`` of each event of a stream (WHATWG HTML, 9.2.6); comments and other fields carry nothing for us."""
    data: list[bytes] = []
    for line in answer:
        text = line.rstrip(b"\r\n")
        if text.startswith(b"data:"):
            data.append(text[5:].removeprefix(b" "))
        elif not text and data:
            yield b"\n".join(data)
            data = []


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__
