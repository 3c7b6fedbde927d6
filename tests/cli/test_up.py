"""``up`` as a process: it comes up and says where, fires, stops in order, and fails with one sentence."""

from __future__ import annotations

import asyncio
import signal
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from core.web.token import FILE, read_token
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.trigger import TextTrigger
from tests.up import Process

pytestmark = pytest.mark.slow
OWN = """
from schedule_zero import Handler, method

async def note(text: str) -> str:
    return text.upper()

class Keeper(Handler):
    def __init__(self, shelf: str) -> None:
        self.shelf = shelf

    @method()
    async def keep(self, what: str) -> str:
        return f"{what} on {self.shelf}"
"""
CONFIG = """
handlers:
  builtin:
    - {module: own, methods: [note]}
    - {module: own, options: {shelf: top}}
"""


@pytest.fixture
def started(tmp_path: Path) -> Iterator[list[Process]]:
    """Processes that a test starts; none survives it."""
    processes: list[Process] = []
    yield processes
    for each in processes:
        each.clear_away()


def up(started: list[Process], folder: Path, **environ: str) -> Process:
    started.append(Process(folder, **environ))
    return started[-1]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_order_with_code_0(started: list[Process], tmp_path: Path, number: int) -> None:
    service = up(started, tmp_path).came_up()
    code, err = service.ended(number)
    assert code == 0, err
    assert "Traceback" not in err
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(service.address.rpartition(":")[2]))) != 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_while_it_starts_ends_it_with_code_0(started: list[Process], tmp_path: Path, number: int) -> None:
    (tmp_path / "slow.py").write_text("import sys\nprint('loading', flush=True)\nsys.stdin.read()\n")
    (tmp_path / "schedule-zero.yaml").write_text("handlers: {builtin: [{module: slow}]}\n")
    service = up(started, tmp_path)
    assert service.out.readline() == "loading\n"
    code, err = service.ended(number)
    assert (code, err) == (0, "")


async def test_it_runs_the_handlers_of_the_configuration(started: list[Process], tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "schedule-zero.yaml").write_text(CONFIG)
    service = up(started, tmp_path).came_up()
    client = service.client()
    results = []
    for handler, method, args in (("local", "note", {"text": "tea"}), ("keeper", "keep", {"what": "tea"})):
        place = (await client.list_events(limit=1000)).next
        await client.create_schedule(
            ScheduleSpec(handler=handler, method=method, args=args, trigger=TextTrigger(text="in 1 second"))
        )
        events = client.events(place, kinds=("run.succeeded",))
        event = await asyncio.wait_for(anext(events), 15)
        await events.aclose()  # type: ignore[attr-defined]
        assert event.run_id is not None
        results.append((await client.get_run(event.run_id)).result)
    await client.close()
    assert results == ["TEA", "tea on top"]
    assert service.ended(signal.SIGTERM)[0] == 0


async def test_after_kill_9_it_goes_on_with_the_same_token_and_schedules(
    started: list[Process], tmp_path: Path
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "schedule-zero.yaml").write_text(CONFIG)
    first = up(started, tmp_path).came_up()
    client = first.client()
    spec = ScheduleSpec(handler="local", method="note", args={"text": "x"}, trigger=TextTrigger(text="every day at 9"))
    made = await client.create_schedule(spec)
    await client.close()
    token = read_token(tmp_path / "data")
    first.ended(signal.SIGKILL)
    second = up(started, tmp_path).came_up()
    assert read_token(tmp_path / "data") == token
    client = second.client()
    assert (await client.get_schedule(made.id)).next_fire_times == made.next_fire_times
    await client.close()


@pytest.mark.parametrize("public", [None, "https://schedule.example.org/"])
async def test_links_of_calendars_begin_with_where_it_is_reached(
    started: list[Process], tmp_path: Path, public: str | None
) -> None:
    if public is not None:
        (tmp_path / "schedule-zero.yaml").write_text(f"http: {{public_url: '{public}'}}\n")
    service = up(started, tmp_path).came_up()
    client = service.client()
    link = await client.new_calendar_link(user_id="7")
    await client.close()
    assert link.url is not None
    begins, path = (public or f"{service.address}/").rstrip("/"), link.url.partition("/calendar/")[2]
    assert link.url == f"{begins}/calendar/{path}"
    async with aiohttp.ClientSession() as session, session.get(f"{service.address}/calendar/{path}") as answer:
        assert answer.status == 200
        assert (await answer.text()).startswith("BEGIN:VCALENDAR")


def test_a_port_in_use_is_one_sentence(started: list[Process], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, err = up(started, tmp_path, SCHEDULE_ZERO__HTTP__BIND=f"127.0.0.1:{port}").ended()
    assert code == 1
    assert f"port {port} is in use" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_a_port_for_handlers_that_is_in_use_is_one_sentence(started: list[Process], tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, err = up(started, tmp_path, SCHEDULE_ZERO__ZMQ__HANDLERS=f"tcp://127.0.0.1:{port}").ended()
    assert code == 1
    assert f"port {port} is in use" in err.splitlines()[-1]
    assert "set zmq.handlers" in err.splitlines()[-1]
    assert "Traceback" not in err


def test_two_on_one_data_folder_are_refused(started: list[Process], tmp_path: Path) -> None:
    up(started, tmp_path).came_up()
    code, err = up(started, tmp_path).ended()
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "schedule-zero.sqlite3" in err


def test_a_data_folder_that_cannot_be_used_is_one_sentence(started: list[Process], tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file")
    code, err = up(started, tmp_path).ended()
    assert code == 1
    assert len(err.splitlines()) == 1
    assert "data" in err


def test_secrets_and_data_are_for_their_owner_and_appear_nowhere(started: list[Process], tmp_path: Path) -> None:
    service = up(started, tmp_path, SCHEDULE_ZERO__LOG__LEVEL="debug").came_up()
    token = read_token(tmp_path / "data")
    assert stat.S_IMODE((tmp_path / "data" / FILE).stat().st_mode) == 0o600
    for path in [tmp_path / "data", *(tmp_path / "data").rglob("*")]:
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, f"others may look into {path.name}"
    service.process.send_signal(signal.SIGTERM)
    out, err = service.process.communicate(timeout=30)
    assert token not in out + err
