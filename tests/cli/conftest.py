from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from core.cli import run
from core.web.app import build_web
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from core.web.token import FILE
from tests.web.conftest import holding
from tests.web.fake import FakeDoor

TOKEN = "sz_cli"


class Said(NamedTuple):
    """What a command left behind."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run a command in an empty folder, with nothing in the environment."""
    monkeypatch.chdir(tmp_path)
    for name in ("SCHEDULE_ZERO_CONFIG", "SCHEDULE_ZERO_TOKEN", "DISCORD_TOKEN", "DISCORD_API_BASE"):
        monkeypatch.delenv(name, raising=False)

    def called(*arguments: str) -> Said:
        code = run(arguments)
        return Said(code, *capsys.readouterr())

    return called


class Core(NamedTuple):
    """A core that runs in another thread, behind a real port."""

    door: FakeDoor
    address: str


@pytest.fixture(scope="module")
def serving() -> Iterator[Core]:
    """The HTTP door with a loop of its own; commands have theirs."""
    door = FakeDoor()
    settings = HttpSettings(bind="127.0.0.1:0")
    server = HttpServer(build_web(door, settings, holding(TOKEN)), settings)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    yield Core(door, server.address)
    asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def core(serving: Core, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Core:
    """A running core that the configuration of ``command`` leads to."""
    serving.door.reset()
    monkeypatch.setenv("SCHEDULE_ZERO__CORE__ADDRESS", serving.address)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / FILE).write_text(TOKEN)
    return serving
