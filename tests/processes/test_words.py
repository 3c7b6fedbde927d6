"""`up`, `core` and `handler` tell whoever keeps them alive, systemd or a governor, that they are ready and still turn."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.conftest import Open, Start, came, clock, done, logged, open_core, start
from tests.ports import Port
from tests.up import Process

__all__ = ["clock", "logged", "open_core", "start"]
pytestmark = pytest.mark.slow


class Keeper:
    """What systemd is to a service: a socket that it listens at."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self.environ = {"NOTIFY_SOCKET": str(line.getsockname()), "WATCHDOG_USEC": "600000"}

    def hears(self) -> str:
        """The next message."""
        return self._line.recv(4096).decode()

    def hears_ready(self) -> list[str]:
        """All messages up to the first that says so."""
        heard = [self.hears()]
        while "READY=1" not in heard[-1].splitlines():
            heard.append(self.hears())
        return heard


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(str(Path(os.environ["TMPDIR"]) / "n"))
        line.settimeout(40)
        yield Keeper(line)


@pytest.fixture
def unused() -> Iterator[Port]:
    with Port() as port:
        yield port


@pytest.mark.parametrize("command", ["up", "core"])
def test_a_service_says_that_it_is_ready_when_its_doors_answer_and_then_beats(
    tmp_path: Path, keeper: Keeper, command: str
) -> None:
    service = Process(tmp_path, command, **keeper.environ)
    try:
        service.came_up()
        ready = keeper.hears_ready()[-1]
        assert f"STATUS=answers at {service.address}" in ready
        with urllib.request.urlopen(f"{service.address}/ready", timeout=20) as answer:
            assert answer.status == 200
        assert "WATCHDOG=1" in keeper.hears()
        code, err = service.ended(signal.SIGTERM)
        assert code == 0, err
    finally:
        service.clear_away()


async def test_a_handler_says_that_it_is_ready_once_a_core_knows_it(
    open_core: Open, start: Start, tmp_path: Path, keeper: Keeper, unused: Port
) -> None:
    (tmp_path / "own.py").write_text(
        "from schedule_zero import Handler, method\n\nclass Own(Handler):\n    @method\n    async def do(self) -> None: ...\n"
    )
    nowhere = f"tcp://127.0.0.1:{unused.number}"
    alone = await start("own:Own", "--core", nowhere, **keeper.environ)
    words = [await asyncio.to_thread(keeper.hears) for _ in range(4)]
    assert words[-1] == "WATCHDOG=1\nSTATUS=no core knows this handler yet"
    assert not any("READY" in each for each in words)
    await alone.ended(signal.SIGKILL)
    door = await open_core()
    await start("own:Own", "--core", nowhere, "--core", door.address, **keeper.environ)
    heard = await asyncio.to_thread(keeper.hears_ready)
    assert f"STATUS=known to the core at {door.address}" in heard[-1]
    await came(door)
    assert "WATCHDOG=1" in await asyncio.to_thread(keeper.hears)


async def test_a_handler_tells_before_an_attempt_that_it_may_be_silent_for_its_declared_lease(
    open_core: Open, start: Start, tmp_path: Path, keeper: Keeper
) -> None:
    (tmp_path / "own.py").write_text(
        "import time\nfrom schedule_zero import Handler, method\n\nclass Own(Handler):\n"
        "    @method(lease=60)\n    async def hold(self) -> None:\n        time.sleep(0.9)\n"
    )
    door = await open_core()
    await start("own:Own", "--core", door.address, **keeper.environ)
    await asyncio.to_thread(keeper.hears_ready)
    await done(door, "own", "hold")
    heard = [await asyncio.to_thread(keeper.hears)]
    while not heard[-1].endswith("WATCHDOG_USEC=600000"):
        heard.append(await asyncio.to_thread(keeper.hears))
    assert heard[-2].endswith("WATCHDOG_USEC=60600000")  # and not a word in between
