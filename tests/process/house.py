"""The house: a data folder, the Discord beside it, and the lives of `up` that come and go in it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from core.ledger.open import database_path
from core.ledger.settings import StoreSettings
from schedule_zero import instant
from schedule_zero.event import EventKind
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.transport.http import HttpClient
from schedule_zero.trigger import DateTrigger
from tests.discord_server import world
from tests.discord_server.process import DiscordProcess
from tests.process.life import PATIENCE, Life

CONNECTED = "connected to Discord as"
DOOR_OPEN = '"http door open"'
ENDS = (
    EventKind.RUN_SUCCEEDED,
    EventKind.RUN_FAILED,
    EventKind.RUN_TIMED_OUT,
    EventKind.RUN_CANCELLED,
    EventKind.RUN_SKIPPED,
)


class House:
    """Starts `up` again and again on one data folder. Ends every process it started.

    Attributes:
        core: a client to the life that runs now.
        ahead: seconds by which the clock of the next life is ahead of the machine's.
    """

    def __init__(self, folder: Path, discord: DiscordProcess, *, api_base: str | None = None) -> None:
        self.discord = discord
        self.data = folder / "data"
        self.config = folder / "schedule-zero.yaml"
        self.ahead = 0.0
        self.core = HttpClient("http://127.0.0.1:1")
        self._api_base = api_base
        self._lives: list[Life] = []
        settings = {
            "data_dir": str(self.data),
            "http": {"bind": "127.0.0.1:0"},
            "zmq": dict.fromkeys(("handlers", "clients", "events"), "tcp://127.0.0.1:*"),
            "log": {"level": "debug", "format": "json"},
        }
        self.config.write_bytes(msgspec.yaml.encode(settings))

    @property
    def database(self) -> Path:
        """The SQLite file."""
        return database_path(StoreSettings(), self.data)

    @property
    def life(self) -> Life:
        """The newest life."""
        return self._lives[-1]

    # ── lives ────────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, *options: str, config: Path | None = None) -> Life:
        """Start `up` and wait for nothing."""
        life = Life(self._command("up", *options, config or self.config), self.environ)
        self._lives.append(life)
        return life

    async def start(self, *, connected: bool = True) -> Life:
        """Start `up` and wait until it answers, and (`connected`) until it can send to Discord."""
        life = self.open("--debug")
        line = msgspec.json.decode(await life.says(DOOR_OPEN))
        token = (self.data / "api-token").read_text(encoding="utf-8").strip()
        await self.core.close()
        self.core = HttpClient(line["address"], token, timeout=PATIENCE)
        if connected:
            await life.says(CONNECTED)
        return life

    def check(self) -> Life:
        """`db check` as a process of its own."""
        life = Life(self._command("db", "check", self.config), self.environ)
        self._lives.append(life)
        return life

    @property
    def environ(self) -> Mapping[str, str]:
        """What a life sees: this process's own, without anything that configures it, and the way to this Discord."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SCHEDULE_ZERO", "DISCORD_"))}
        return kept | {
            "DISCORD_TOKEN": self.discord.settings.token,
            "DISCORD_API_BASE": self._api_base or self.discord.api_url,
            "PYTHONUNBUFFERED": "1",
        }

    def _command(self, *words: str | Path) -> list[str]:
        *command, config = map(str, words)
        start = ["-m", "tests.process.later", str(self.ahead)] if self.ahead else ["-m", "core.cli"]
        return [sys.executable, *start, *command, "--config", config]

    async def close(self) -> None:
        """End whatever still runs."""
        await self.core.close()
        for number, life in enumerate(self._lives):
            await asyncio.to_thread(life.close)
            self.config.with_name(f"life-{number:02}.log").write_text("\n".join(life.log), encoding="utf-8")

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    # ── what people do ───────────────────────────────────────────────────────────────────────────────────────

    def now(self) -> int:
        """The instant the clock of the running life shows."""
        return int((time.time() + self.ahead) * 1e6)

    async def remind(self, when: str, text: str, channel_id: int = world.GENERAL) -> Schedule:
        """A member types `/remind me`; the schedule that made."""
        answer = await self.discord.invoke(
            "remind me", {"when": when, "text": text, "deliver": "here"}, channel_id=channel_id, timeout=PATIENCE
        )
        page = await self.core.list_schedules(any_guild=True, q=text)
        assert len(page.items) == 1, f"/remind me answered {answer.content!r}"
        return page.items[0]

    async def remind_at(
        self, due: int, text: str, channel_id: int = world.GENERAL, *, owner_id: int = world.MEMBER
    ) -> Schedule:
        """The same reminder made over HTTP, due at an exact instant."""
        made = {"kind": "reminder", "made": str(due // instant.SECOND), "origin": str(channel_id)}
        return await self.post(due, text, channel_id, owner_id=str(owner_id), metadata=made)

    async def post(self, due: int, text: str, channel_id: int = world.GENERAL, **more: Any) -> Schedule:
        """A message that the operator schedules over HTTP."""
        return await self.core.create_schedule(message(DateTrigger(at=instant.spell(due)), text, channel_id, **more))

    async def ended(self, schedules: Iterable[str], *, patience: float = PATIENCE) -> None:
        """Wait until every one of these one-shots has a run that ended."""
        await self.told(schedules, ENDS, patience=patience)

    async def told(self, schedules: Iterable[str], kinds: Sequence[EventKind], *, patience: float = PATIENCE) -> None:
        """Wait until the journal tells one of these things of every one of these schedules.

        Raises:
            TimeoutError: it does not, or the process ended first.
        """
        waiting = set(schedules)
        if not waiting:
            return
        listening = asyncio.create_task(self._strike_out(waiting, kinds))
        dying = asyncio.create_task(self.life.over())
        try:
            await asyncio.wait({listening, dying}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not listening.done():
                words = f"nothing was told of {sorted(waiting)}"
                raise TimeoutError(f"{words} that is one of {list(kinds)}; {self.life.last_words()}")
            listening.result()
        finally:
            for task in (listening, dying):
                task.cancel()
            await asyncio.gather(listening, dying, return_exceptions=True)

    async def _strike_out(self, waiting: set[str], kinds: Sequence[EventKind]) -> None:
        events = self.core.events("0", kinds=tuple(str(kind) for kind in kinds))
        async with contextlib.aclosing(events):  # type: ignore[type-var]  # it is an async generator
            async for event in events:
                waiting.discard(event.schedule_id or "")
                if not waiting:
                    return


def message(trigger: Any, text: str, channel_id: int, **more: Any) -> ScheduleSpec:
    """A schedule that posts a text; of the channel's guild unless `guild_id` says otherwise."""
    guild = world.OTHER_GUILD if channel_id == world.OTHER_GENERAL else world.GUILD
    fields = {"guild_id": str(guild), "args": {"channel_id": str(channel_id), "content": text}} | more
    return ScheduleSpec(handler="discord", method="send_message", trigger=trigger, timezone="UTC", **fields)


async def texts(discord: DiscordProcess, channels: Sequence[int]) -> list[str]:
    """Every message in these channels as it stands there."""
    return [entry["content"] for channel in channels for entry in await discord.history(channel)]
