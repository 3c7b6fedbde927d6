"""The gateway: sessions that outlive their connections, so that a bot can resume after a cut.

Source: developer documentation, "Gateway": opcodes, close codes, intents, sharding and resuming.
"""

import asyncio
import uuid
from collections import deque
from enum import IntEnum
from typing import Any, Literal

import msgspec
from aiohttp import WSCloseCode, WSMsgType, web

from tests.discord_server.changes import Changes
from tests.discord_server.clock import Clock
from tests.discord_server.payloads import guild_create_json, user_json
from tests.discord_server.records import GatewayEntry, JsonObject, World

HEARTBEAT_MS = 41250
REPLAYED_AT_MOST = 2000
"""Events a session keeps for a bot that resumes."""
SESSIONS_KEPT = 64

DECODE_ERROR = 4002
NOT_AUTHENTICATED = 4003
AUTHENTICATION_FAILED = 4004
INVALID_SHARD = 4010
DISALLOWED_INTENTS = 4014


class Opcode(IntEnum):
    """What a frame is about."""

    DISPATCH = 0
    HEARTBEAT = 1
    IDENTIFY = 2
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Intent(IntEnum):
    """Which events a bot asks for; the last three must be granted by Discord."""

    GUILDS = 1 << 0
    GUILD_MESSAGES = 1 << 9
    DIRECT_MESSAGES = 1 << 12
    GUILD_MEMBERS = 1 << 1
    GUILD_PRESENCES = 1 << 8
    MESSAGE_CONTENT = 1 << 15


PRIVILEGED = Intent.GUILD_MEMBERS | Intent.GUILD_PRESENCES | Intent.MESSAGE_CONTENT
ALWAYS = 0
"""The intent of events every bot gets, interactions above all."""


class Identify(msgspec.Struct):
    """The body of IDENTIFY, as far as it matters here."""

    token: str
    intents: int = 0
    shard: tuple[int, int] = (0, 1)


class Resume(msgspec.Struct):
    """The body of RESUME."""

    token: str
    session_id: str
    seq: int | None = None


class Frame(msgspec.Struct):
    """What a bot sends."""

    op: int
    d: Any = None


class Connection:
    """One open websocket; what is put into its outbox is sent in order."""

    def __init__(self, socket: web.WebSocketResponse, transport: asyncio.Transport | None) -> None:
        self.socket = socket
        self.transport = transport
        self.outbox: asyncio.Queue[str] = asyncio.Queue()
        self.session: Session | None = None
        self.ended_here: int | None = None

    async def end(self, code: int) -> None:
        """Close from this side."""
        self.ended_here = code
        await self.socket.close(code=code)

    def send(self, op: Opcode, data: Any) -> None:
        """A frame that belongs to the connection, not to the session."""
        self.outbox.put_nowait(msgspec.json.encode({"op": op, "d": data, "s": None, "t": None}).decode())

    async def write(self) -> None:
        """Send what is in the outbox until the socket is gone."""
        while True:
            frame = await self.outbox.get()
            try:
                await self.socket.send_str(frame)
            except ConnectionError:
                return


class Session:
    """What IDENTIFY started: it numbers and keeps its events, connected or not."""

    def __init__(self, identify: Identify, connection: Connection) -> None:
        self.id = uuid.uuid4().hex
        self.intents = identify.intents
        self.shard, self.shard_count = identify.shard
        self.connection: Connection | None = connection
        self._seq = 0
        self._sent: deque[tuple[int, str]] = deque(maxlen=REPLAYED_AT_MOST)

    def dispatch(self, name: str, data: JsonObject) -> None:
        """Number an event, keep it, and send it if the bot is there."""
        self._seq += 1
        frame = msgspec.json.encode({"op": Opcode.DISPATCH, "t": name, "s": self._seq, "d": data}).decode()
        self._sent.append((self._seq, frame))
        if self.connection is not None:
            self.connection.outbox.put_nowait(frame)

    def can_replay(self, after: int) -> bool:
        """Whether every event after that number is still kept."""
        return after <= self._seq and (not self._sent or self._sent[0][0] <= after + 1)

    def replay(self, after: int, connection: Connection) -> None:
        """Go on over another connection with everything the bot has missed."""
        self.connection = connection
        for seq, frame in self._sent:
            if seq > after:
                connection.outbox.put_nowait(frame)
        self.dispatch("RESUMED", {})

    def serves(self, guild_id: int | None) -> bool:
        """Whether this shard is the one of a guild; direct messages belong to shard 0."""
        return self.shard == (0 if guild_id is None else (guild_id >> 22) % self.shard_count)

    def wants(self, intent: int) -> bool:
        """Whether the bot asked for this kind of event."""
        return intent == ALWAYS or bool(self.intents & intent)


class Gateway:
    """All sessions, newest last."""

    def __init__(self, world: World, clock: Clock, changes: Changes, token: str) -> None:
        self.url = ""
        self.log: list[GatewayEntry] = []
        self._world = world
        self._clock = clock
        self._changes = changes
        self._token = token
        self._sessions: dict[str, Session] = {}

    # ── what the rest of the server uses ─────────────────────────────────────────────────────────────────────

    def dispatch(self, name: str, data: JsonObject, *, guild_id: int | None, intent: int = Intent.GUILDS) -> bool:
        """Send an event to every session it concerns; True when a connected one was among them."""
        reached = False
        for session in self._sessions.values():
            if session.serves(guild_id) and session.wants(intent):
                session.dispatch(name, data)
                reached = reached or session.connection is not None
        return reached

    def connected(self) -> list[Session]:
        """Sessions with a bot at the other end."""
        return [session for session in self._sessions.values() if session.connection is not None]

    async def disconnect(self, *, code: int | None = 4000, forget: bool = False) -> int:
        """End every connection with a close code, or cut it (None); forgotten sessions cannot be resumed.

        Returns how many connections there were.
        """
        connections = [session.connection for session in self.connected()]
        if forget:
            self._sessions.clear()
        for connection in connections:
            if connection is None:
                continue
            if code is None and connection.transport is not None:
                connection.transport.abort()
            else:
                await connection.end(code or WSCloseCode.GOING_AWAY)
        return len(connections)

    # ── one connection ───────────────────────────────────────────────────────────────────────────────────────

    async def connect(self, request: web.Request) -> web.WebSocketResponse:
        """HELLO, then whatever the bot sends, until either side ends it."""
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        connection = Connection(socket, request.transport)
        connection.send(Opcode.HELLO, {"heartbeat_interval": HEARTBEAT_MS})
        writer = asyncio.create_task(connection.write())
        try:
            await self._listen(connection)
        finally:
            writer.cancel()
            self._leave(connection)
        return socket

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.socket:
            if message.type is not WSMsgType.TEXT:
                continue
            try:
                close_code = self._answer(connection, msgspec.json.decode(message.data, type=Frame))
            except msgspec.MsgspecError:
                close_code = DECODE_ERROR
            if close_code is not None:
                self._note("refused", connection.session, code=close_code)
                await connection.end(close_code)

    def _answer(self, connection: Connection, frame: Frame) -> int | None:
        """React to a frame; the close code when the bot must go."""
        if frame.op == Opcode.HEARTBEAT:
            connection.send(Opcode.HEARTBEAT_ACK, None)
        elif frame.op == Opcode.IDENTIFY:
            return self._identify(connection, msgspec.convert(frame.d, Identify))
        elif frame.op == Opcode.RESUME:
            return self._resume(connection, msgspec.convert(frame.d, Resume))
        elif connection.session is None:
            return NOT_AUTHENTICATED
        return None

    def _identify(self, connection: Connection, identify: Identify) -> int | None:
        refused = self._refusal(identify)
        if refused is not None:
            return refused
        session = Session(identify, connection)
        self._sessions[session.id] = session
        connection.session = session
        self._drop_old_sessions()
        guilds = [guild for guild in self._world.bot_guilds() if session.serves(guild.id)]
        session.dispatch("READY", self._ready(session, [guild.id for guild in guilds]))
        if session.wants(Intent.GUILDS):
            for guild in guilds:
                session.dispatch("GUILD_CREATE", guild_create_json(guild, self._world))
        self._note("identified", session)
        return None

    def _refusal(self, identify: Identify) -> int | None:
        shard, count = identify.shard
        if identify.token != self._token:
            return AUTHENTICATION_FAILED
        if not 0 <= shard < count:
            return INVALID_SHARD
        return DISALLOWED_INTENTS if identify.intents & PRIVILEGED else None

    def _resume(self, connection: Connection, resume: Resume) -> int | None:
        if resume.token != self._token:
            return AUTHENTICATION_FAILED
        session = self._sessions.get(resume.session_id)
        if session is None or not session.can_replay(resume.seq or 0):
            self._sessions.pop(resume.session_id, None)
            connection.send(Opcode.INVALID_SESSION, False)
            return None
        connection.session = session
        session.replay(resume.seq or 0, connection)
        self._note("resumed", session)
        return None

    def _leave(self, connection: Connection) -> None:
        session = connection.session
        if session is None or session.connection is not connection:
            return
        session.connection = None
        code = connection.ended_here or connection.socket.close_code
        if connection.ended_here is None and code in (WSCloseCode.OK, WSCloseCode.GOING_AWAY):
            self._sessions.pop(session.id, None)  # Discord ends a session that its bot closes in order
        self._note("closed", session, code=code)

    def _drop_old_sessions(self) -> None:
        idle = [session.id for session in self._sessions.values() if session.connection is None]
        for session_id in idle[: max(0, len(self._sessions) - SESSIONS_KEPT)]:
            del self._sessions[session_id]

    def _ready(self, session: Session, guild_ids: list[int]) -> JsonObject:
        return {
            "v": 10,
            "user": user_json(self._world.users[self._world.bot_id]),
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in guild_ids],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "shard": [session.shard, session.shard_count],
            "application": {"id": str(self._world.application_id), "flags": 0},
            "private_channels": [],
            "relationships": [],
            "presences": [],
        }

    def _note(
        self,
        step: Literal["identified", "resumed", "refused", "closed"],
        session: Session | None,
        *,
        code: int | None = None,
    ) -> None:
        entry = GatewayEntry(
            seq=len(self.log) + 1,
            at=self._clock.stamp(),
            step=step,
            session_id=None if session is None else session.id,
            shard=0 if session is None else session.shard,
            code=code,
        )
        self.log.append(entry)
        self._changes.notify()
