"""The server as a process of its own, for tests that kill what talks to it."""

import asyncio
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import msgspec

from tests.discord_server.control import PREFIX
from tests.discord_server.faults import Fault
from tests.discord_server.invocation import NotPossible
from tests.discord_server.records import GatewayEntry, Interaction, JournalEntry, JsonObject, RequestEntry
from tests.discord_server.state import Settings

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 30.0
STOP_SECONDS = 10.0
ERRORS: dict[int, type[Exception]] = {404: LookupError, 409: NotPossible, 504: TimeoutError}


class Address(msgspec.Struct, frozen=True):
    """The line the process prints when it is ready."""

    url: str
    api: str
    gateway: str
    token: str
    pid: int


class DiscordProcess:
    """Starts the process, offers the Director's methods over its control endpoints, and ends it with SIGTERM.

    Errors are those of the Director: TimeoutError, NotPossible, LookupError, ValueError.
    """

    def __init__(self, settings: Settings | None = None, *, port: int = 0) -> None:
        self.settings = settings or Settings()
        self.address = Address(url="", api="", gateway="", token=self.settings.token, pid=0)
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def api_url(self) -> str:
        """The value for `DISCORD_API_BASE`."""
        return self.address.api

    async def start(self) -> None:
        """Until the process has told its address; RuntimeError when it ends instead."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            *self._arguments(),
            cwd=ROOT,
            stdin=asyncio.subprocess.PIPE,  # its closing ends the process, even if this one is killed
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), START_SECONDS)
        except BaseException:
            await self.stop()
            raise
        if not line:
            raise RuntimeError(
                f"the simulated Discord ended with {await self._process.wait()}; its words are on stderr"
            )
        self.address = msgspec.json.decode(line, type=Address)
        timeout = aiohttp.ClientTimeout(total=None)
        self._session = aiohttp.ClientSession(self.address.url, timeout=timeout)

    async def let_go(self) -> int:
        """Close its leash, as the end of this process would, and the exit code."""
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await asyncio.wait_for(self._process.wait(), STOP_SECONDS)

    async def stop(self) -> int:
        """SIGTERM, and the exit code."""
        if self._session is not None:
            await self._session.close()
        if self._process is None:
            return 0
        if self._process.returncode is None:
            self._process.terminate()
        try:
            return await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        except TimeoutError:
            self._process.kill()
            return await self._process.wait()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def call(self, act: str, answer: type[T], /, **arguments: Any) -> T:
        """Any method of the Director by name."""
        assert self._session is not None, "the process was not started"
        async with self._session.post(f"{PREFIX}/{act}", data=msgspec.json.encode(arguments)) as response:
            raw = await response.read()
        if response.status != 200:
            sentence = msgspec.json.decode(raw)["error"]
            raise ERRORS.get(response.status, ValueError)(sentence)
        return msgspec.json.decode(raw, type=answer)

    # ── the Director's methods, with their arguments ─────────────────────────────────────────────────────────

    async def messages(self, **filters: Any) -> list[JournalEntry]:
        """Accepted POSTs."""
        return await self.call("messages", list[JournalEntry], **filters)

    async def history(self, channel_id: int) -> list[JsonObject]:
        """A channel as it stands."""
        return await self.call("history", list[JsonObject], channel_id=channel_id)

    async def requests(self, **filters: Any) -> list[RequestEntry]:
        """REST requests."""
        return await self.call("requests", list[RequestEntry], **filters)

    async def interactions(self) -> list[Interaction]:
        """What users did, with the answers."""
        return await self.call("interactions", list[Interaction])

    async def invoke(self, command: str, options: dict[str, Any] | None = None, **more: Any) -> Interaction:
        """Use a slash command."""
        return await self.call("invoke", Interaction, command=command, options=options, **more)

    async def autocomplete(self, command: str, focused: str, value: str, **more: Any) -> list[JsonObject]:
        """Type into an option."""
        return await self.call("autocomplete", list[JsonObject], command=command, focused=focused, value=value, **more)

    async def press(self, message_id: int, custom_id: str, **more: Any) -> Interaction:
        """Press a button."""
        return await self.call("press", Interaction, message_id=message_id, custom_id=custom_id, **more)

    async def submit_modal(self, interaction_id: int, values: dict[str, str], **more: Any) -> Interaction:
        """Send off a modal."""
        return await self.call("submit_modal", Interaction, interaction_id=interaction_id, values=values, **more)

    async def say(self, content: str, **more: Any) -> int:
        """A user writes."""
        return await self.call("say", int, content=content, **more)

    async def direct_messages(self, user_id: int) -> int:
        """The channel between the bot and a user."""
        return await self.call("direct_messages", int, user_id=user_id)

    async def fault(self, route: str, action: str, **more: Any) -> Fault:
        """Put a fault into force."""
        return await self.call("fault", Fault, route=route, action=action, **more)

    async def act(self, name: str, **arguments: Any) -> None:
        """A method that answers nothing: `clear_faults`, `advance_clock`, `set_overwrite`, `delete_channel`, …"""
        await self.call(name, type(None), **arguments)

    async def disconnect(self, **more: Any) -> int:
        """End the gateway connections."""
        return await self.call("disconnect", int, **more)

    async def wait_messages(self, count: int = 1, **filters: Any) -> list[JournalEntry]:
        """At least so many accepted POSTs."""
        return await self.call("wait_messages", list[JournalEntry], count=count, **filters)

    async def wait_requests(self, route: str, count: int = 1, **more: Any) -> list[RequestEntry]:
        """At least so many finished requests."""
        return await self.call("wait_requests", list[RequestEntry], route=route, count=count, **more)

    async def wait_fault(self, fault_id: int, **more: Any) -> Fault:
        """Until a fault has struck."""
        return await self.call("wait_fault", Fault, fault_id=fault_id, **more)

    async def wait_gateway(self, step: str, count: int = 1, **more: Any) -> list[GatewayEntry]:
        """So many steps in the gateway's log."""
        return await self.call("wait_gateway", list[GatewayEntry], step=step, count=count, **more)

    def _arguments(self) -> list[str]:
        settings = self.settings
        arguments = ["-m", "tests.discord_server", "--leashed", "--port", str(self._port), "--token", settings.token]
        arguments += ["--nonce-seconds", str(settings.nonce_seconds), "--shards", str(settings.shards)]
        arguments += ["--interaction-seconds", str(settings.interaction_seconds)]
        return arguments if settings.state_file is None else [*arguments, "--state", str(settings.state_file)]
