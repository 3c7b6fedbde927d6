"""The stage: a core and its handlers, each a process of its own, on ports that stay theirs through every restart."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec

from core.engine.ports import ADOPTION_S, LEASE_S
from schedule_zero.transport.curve import new_pair
from schedule_zero.transport.http import HttpClient
from schedule_zero.transport.keyfile import KeyFile, text_of
from tests.faults.effects import FOLDER, Effects
from tests.faults.follower import Follower
from tests.faults.proxy import Proxy
from tests.faults.store import SqliteStore, Store
from tests.ports import Port
from tests.process.life import PATIENCE, Life

DOOR_OPEN = '"http door open"'
CLAIMED = '"buckets claimed"'
AWAKE_S = 1.0
"""Seconds in which a core that was woken says whether it can go on."""
GENEROUS: dict[str, Any] = {"running": 100_000, "rate": "1000000/s", "burst": 1_000_000}
"""Limits that do not bind."""


ANY_PORT = "tcp://127.0.0.1:*"


class Episode(msgspec.Struct):
    """A fault, from its first moment to its healing, wall microseconds; ``grace``: seconds after which nothing that it
    interrupted may still be open."""

    what: str
    began: int
    healed: int
    grace: float


class Hands:
    """A handler process, the stretch of network before it if there is one, and its key if it needs one."""

    def __init__(self, arguments: list[str], proxy: Proxy | None) -> None:
        self.arguments = arguments
        self.proxy = proxy
        self.key_id: str | None = None
        self.key_file: Path | None = None
        self.life: Life


class Stage:
    """Starts processes, and ends every one that it started.

    Attributes:
        config: the configuration of the core, and of a bot beside it.
        client: speaks to whichever core runs now.
        keyed: whether the core speaks to handlers encrypted, and each has a key of its own.
        proxied: whether handlers and follower connect by way of a proxy each; ``hearing`` is the follower's.
        episodes: the faults there were.
        wrong: what went wrong beside the accounts: a process that ended by itself, or not when it was asked to.
        notes: what else is worth telling, in a few words each.
    """

    def __init__(
        self, folder: Path, random: Random, *, store: Store | None = None, proxied: bool = False, keyed: bool = False,
        level: str = "info",
    ) -> None:  # fmt: skip
        self.folder = folder
        self.random = random
        self.proxied = proxied
        self.keyed = keyed
        self.hearing: Proxy | None = None
        self.data = folder / "data"
        self.store = store or SqliteStore(self.data)
        self.effects = Effects(folder / "effects")
        self.episodes: list[Episode] = []
        self.wrong: list[str] = []
        self.notes: list[str] = []
        self.hands: list[Hands] = []
        self._http, self._zmq, self._clients = Port(), Port(), Port()
        self._lives: list[Life] = []
        self.config = folder / "schedule-zero.yaml"
        settings = {
            "data_dir": str(self.data), "store": self.store.settings(),
            "http": {"bind": f"127.0.0.1:{self._http.number}"},
            "zmq": {"handlers": self.handlers_at, "clients": f"tcp://127.0.0.1:{self._clients.number}", "events": ANY_PORT, "curve": "on" if keyed else "auto"},
            "log": {"level": level, "format": "json"},
            "governor": {"global": GENEROUS, "plans": {"verified": {**GENEROUS, "schedules": 1_000_000}},
                         "default_plan": "verified"},
        }  # fmt: skip
        self.config.write_bytes(msgspec.yaml.encode(settings))
        self.core: Life
        self.client: HttpClient
        self.follower: Follower

    @property
    def handlers_at(self) -> str:
        """Where the core listens for handlers."""
        return f"tcp://127.0.0.1:{self._zmq.number}"

    @property
    def port(self) -> int:
        """The port of that."""
        return self._zmq.number

    # ── processes ────────────────────────────────────────────────────────────────────────────────────────────

    async def open(self) -> None:
        """The first core, a client and a follower."""
        await self.start_core()
        token = (self.data / "api-token").read_text(encoding="utf-8").strip()
        self.client = HttpClient(f"http://127.0.0.1:{self._http.number}", token, timeout=PATIENCE)
        if self.proxied:
            self.hearing = Proxy(self._http.number)
            self.follower = Follower(HttpClient(f"http://127.0.0.1:{self.hearing.port}", token))
        else:
            self.follower = Follower(self.client)

    async def start_core(self) -> None:
        """A core, and wait until it answers."""
        self.core = self.start([sys.executable, "-m", "core.cli", "core", "--config", str(self.config)])
        await self.core.says(DOOR_OPEN)

    async def core_works(self) -> None:
        """Until the core works for its guilds: on a server it waits for the lease of the one before it."""
        if self.store.on_a_server:
            await self.core.says(CLAIMED)

    def start(self, command: list[str], **environ: str) -> Life:
        """Any process; its effects are this stage's."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCHEDULE_", "DISCORD_"))}
        life = Life(command, kept | {FOLDER: str(self.effects.folder), "PYTHONUNBUFFERED": "1"} | environ)
        self._lives.append(life)
        return life

    def proxies(self) -> list[Proxy]:
        """All there are."""
        proxies = [self.hearing, *(hands.proxy for hands in self.hands)]
        return [proxy for proxy in proxies if proxy is not None]

    async def add_hands(self, module: str = "tests.faults.works:Works") -> Hands:
        """A handler process more."""
        proxy = Proxy(self._zmq.number) if self.proxied else None
        address = self.handlers_at if proxy is None else proxy.address
        hands = Hands([sys.executable, "-m", "schedule_zero", "handler", module, "--core", address], proxy)
        if self.keyed:
            await self.new_key(hands)
        self.hands.append(hands)
        self.start_again(hands)
        return hands

    async def new_key(self, hands: Hands) -> None:
        """A key of its own for a handler."""
        pair = new_pair()
        key = await self.client.new_key("works", "handler", public=pair.public)
        hands.key_id, hands.key_file = key.id, self.folder / f"{key.id}.key"
        hands.key_file.touch(mode=0o600)
        hands.key_file.write_text(
            text_of(KeyFile(public=pair.public, secret=pair.secret, server=key.server)), encoding="utf-8"
        )

    def start_again(self, hands: Hands) -> None:
        """A process in the place of one that is gone, or was never there."""
        key = [] if hands.key_file is None else ["--key", str(hands.key_file)]
        hands.life = self.start([*hands.arguments, *key])

    # ── faults ───────────────────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def episode(self, what: str, grace: float = LEASE_S) -> Iterator[None]:
        """A fault lasts as long as the block."""
        began = time.time_ns() // 1000
        try:
            yield
        finally:
            self.episodes.append(Episode(what, began, time.time_ns() // 1000, grace))

    async def kill_core(self, *, away: float = 0.0) -> None:
        """`kill -9`, and the next one after so many seconds."""
        with self.episode("core killed", ADOPTION_S):
            self.core.kill()
            await self.replace_core(away)

    async def replace_core(self, away: float = 0.0) -> None:
        """See the killed core's end, and start the next."""
        code = await self.core.end()
        if code != -signal.SIGKILL:
            self.wrong.append(f"the core ended by itself with code {code}; {self.core.last_words()}")
        await asyncio.sleep(away)
        await self.start_core()

    async def kill_hands(self, hands: Hands, *, away: float = 0.0) -> None:
        """`kill -9` of a handler, and another after so many seconds."""
        with self.episode("handler killed"):
            hands.life.kill()
            await hands.life.end()
            await asyncio.sleep(away)
            self.start_again(hands)

    async def freeze(self, life: Life, seconds: float, what: str) -> None:
        """SIGSTOP, and SIGCONT after so many seconds."""
        with self.episode(f"{what} frozen for {seconds:.1f} s"):
            life.send(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            life.send(signal.SIGCONT)

    async def freeze_core(self, seconds: float) -> None:
        """The same of the core. On a server it may end then, because the server has ended its transaction; a supervisor
        starts it again."""
        with self.episode(f"core frozen for {seconds:.1f} s", ADOPTION_S):
            self.core.send(signal.SIGSTOP)
            await asyncio.sleep(seconds)
            self.core.send(signal.SIGCONT)
            try:
                code = await self.core.end(patience=AWAKE_S)
            except TimeoutError:
                return
            if code != 1 or not self.store.on_a_server:
                self.wrong.append(f"the core ended with code {code} when it was woken; {self.core.last_words()}")
            self.notes.append("ended when it was woken, and was started again")
            await self.start_core()

    async def cut(self, hands: Hands, seconds: float) -> None:
        """Silence between a handler and the core."""
        assert hands.proxy is not None
        with self.episode(f"handler cut off for {seconds:g} s"):
            hands.proxy.cut()
            await asyncio.sleep(seconds)
            hands.proxy.heal()

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────

    async def end(self) -> None:
        """End the handlers, then the core, as an operator does; whoever does not end in order is written down."""
        for hands in self.hands:
            hands.life.send(signal.SIGTERM)
        for hands in self.hands:
            await self._ended(hands.life, "a handler")
        self.core.send(signal.SIGTERM)
        await self._ended(self.core, "the core")

    async def _ended(self, life: Life, who: str) -> None:
        try:
            code = await life.end(patience=PATIENCE / 2)
        except TimeoutError as error:
            self.wrong.append(f"{who} does not end: {error}")
            return
        if code != 0:
            self.wrong.append(f"{who} ended with code {code}; {life.last_words()}")

    async def close(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "follower"):
            await self.follower.close()
            await self.client.close()
        for life in self._lives:
            await asyncio.to_thread(life.close)
        for proxy in self.proxies():
            await proxy.close()
        for port in (self._http, self._zmq, self._clients):
            port.close()
        for number, life in enumerate(self._lives):
            (self.folder / f"life-{number:03}.log").write_text("\n".join(life.log), encoding="utf-8")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def until(condition: Callable[[], bool], otherwise: str, patience: float = PATIENCE) -> None:
    """Look again and again until it is so.

    Raises:
        TimeoutError: it did not become so; ``otherwise`` says what was instead.
    """
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{otherwise} for {patience:g} s")
        await asyncio.sleep(0.02)
