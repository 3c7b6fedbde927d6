"""Built-in handlers and somebody's own functions where the configuration puts them: inside `up`, as a process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from schedule_zero.errors import Invalid, ScheduleZeroError
from schedule_zero.run import Run, RunState
from schedule_zero.schedule import ScheduleSpec
from schedule_zero.transport.http import HttpClient
from schedule_zero.trigger import TextTrigger
from tests.handlers.test_command import alive, gone
from tests.up import Process, running

pytestmark = pytest.mark.slow
OVER = {RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED, RunState.SKIPPED}
OWN = """
import time
from schedule_zero import Context, Reject, method

def process_data(ctx: Context, rows: int) -> dict:
    time.sleep(0.01)
    ctx.progress(0.5)
    return {"rows": rows, "run": ctx.run_id}

async def backup_db(target: str = "disk") -> str:
    if target == "moon":
        raise Reject("too far away")
    return target

@method(at_most_once=True)
def once() -> None: ...
"""


TALKER = """
import logging
from schedule_zero import Handler, method

class Talker(Handler):
    def __init__(self, key: str) -> None:
        self.key = key

    async def start(self) -> None:
        logging.getLogger("talker").warning("the key is %s", self.key)

    @method
    def do(self) -> None: ...
"""


LEAVER = """
import asyncio, sys
from schedule_zero import Handler, method

class Leaver(Handler):
    def _leave(self, args: dict) -> None:
        sys.exit(3)

    async def leave(self) -> None:
        sys.exit(2)

    @method
    async def gathered(self) -> None:
        await asyncio.gather(self.leave(), asyncio.sleep(0))

    @method(check=_leave)
    async def checked(self) -> None: ...

    @method
    async def work(self) -> str:
        return "unharmed"
"""


def configure(folder: Path, *entries: dict[str, Any]) -> None:
    """Write the configuration with these handlers. JSON is YAML."""
    (folder / "schedule-zero.yaml").write_text(json.dumps({"handlers": {"builtin": entries}}))


async def run(client: HttpClient, handler: str, method: str, **args: Any) -> Run:
    """A run of a schedule made for it, begun now."""
    spec = ScheduleSpec(handler=handler, method=method, args=args, trigger=TextTrigger(text="in 1 hour"))
    return await client.run_schedule((await client.create_schedule(spec)).id)


async def over(client: HttpClient, run_id: str) -> Run:
    """The run, once it has ended."""
    async with asyncio.timeout(30):
        while (found := await client.get_run(run_id)).state not in OVER:
            await asyncio.sleep(0.01)
    return found


async def ended(client: HttpClient, handler: str, method: str, **args: Any) -> Run:
    return await over(client, (await run(client, handler, method, **args)).id)


async def test_functions_of_somebodys_own_run_inside_up(tmp_path: Path) -> None:
    (tmp_path / "myapp").mkdir()
    (tmp_path / "myapp" / "handlers.py").write_text(OWN)
    configure(tmp_path, {"module": "myapp.handlers", "methods": ["process_data", "backup_db", "once"]})
    with running(tmp_path) as service:
        client = service.client()
        first = await ended(client, "local", "process_data", rows=3)
        assert (first.state, first.result) == (RunState.SUCCEEDED, {"rows": 3, "run": first.id})
        assert (await ended(client, "local", "backup_db")).result == "disk"
        refused = await ended(client, "local", "backup_db", target="moon")
        assert (refused.state, refused.attempts[0].cause, refused.attempts[0].error) == (
            RunState.FAILED, "lasting", "too far away",
        )  # fmt: skip
        with pytest.raises(Invalid, match="rows"):
            await run(client, "local", "process_data", rows="many")
        assert (await ended(client, "local", "once")).state is RunState.SUCCEEDED
        await client.close()
        assert service.ended(signal.SIGTERM)[0] == 0


async def test_somebodys_code_that_leaves_ends_neither_the_core_nor_what_else_it_does(tmp_path: Path) -> None:
    (tmp_path / "leaver.py").write_text(LEAVER)
    configure(tmp_path, {"module": "leaver:Leaver"})
    with running(tmp_path) as service:
        client = service.client()
        begun = await run(client, "leaver", "gathered")
        async with asyncio.timeout(30):
            while not (found := await client.get_run(begun.id)).attempts or found.attempts[0].error is None:
                await asyncio.sleep(0.01)
        assert found.attempts[0].error == "SystemExit: 2"
        with pytest.raises(ScheduleZeroError):
            await run(client, "leaver", "checked")
        assert (await ended(client, "leaver", "work")).result == "unharmed"
        await client.close()
        assert service.ended(signal.SIGTERM)[0] == 0


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"module": "nowhere"}, "handlers.builtin[0].module: nowhere cannot be imported"),
        ({"module": "own", "methods": ["missing"]}, "handlers.builtin[0].methods: own has no function missing"),
        ({"module": "own:Late"}, "the handler late could not start: ConnectionError: nobody is there (own.py, line 6)"),
        ({"module": "own:Gone"}, "the handler gone could not start: SystemExit: 4 (own.py, line 10)"),
        (
            {"module": "handlers.webhook", "options": {"secret": "${NOT_SET}"}},
            "the environment variable NOT_SET is not set",
        ),
        (
            {"module": "handlers.webhook", "options": {"allow": ["x"]}},
            "handlers.builtin[0].options.allow[0] cannot be used: 'x'",
        ),
    ],
)
def test_what_cannot_be_served_ends_the_start_with_one_sentence(
    tmp_path: Path, entry: dict[str, Any], words: str
) -> None:
    (tmp_path / "own.py").write_text(
        "from schedule_zero import Handler, method\nclass Late(Handler):\n    @method\n    def do(self) -> None: ...\n"
        "    async def start(self) -> None:\n        raise ConnectionError('nobody is there')\n"
        "class Gone(Handler):\n    @method\n    def do(self) -> None: ...\n    async def start(self) -> None: raise SystemExit(4)\n"
    )
    configure(tmp_path, entry)
    service = Process(tmp_path)
    try:
        code, said = service.ended()
    finally:
        service.clear_away()
    assert code in {1, 2}
    assert words in said.splitlines()[-1]
    assert "Traceback" not in said


@pytest.fixture
async def site() -> AsyncIterator[tuple[int, list[web.Request]]]:
    """A server on loopback, and what it was asked."""
    asked: list[web.Request] = []

    async def take(request: web.Request) -> web.Response:
        asked.append(request)
        return web.Response(text="thanks")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], asked
    await runner.cleanup()


async def test_a_webhook_is_called_with_secrets_that_no_log_shows(
    tmp_path: Path, site: tuple[int, list[web.Request]]
) -> None:
    port, asked = site
    url = f"http://127.0.0.1:{port}/hook"
    options = {
        "allow": [url],
        "private": True,
        "headers": {"Authorization": "Key ${HOOK_KEY}"},
        "secret": "${HOOK_SIGN}",
    }
    (tmp_path / "talker.py").write_text(TALKER)
    configure(
        tmp_path,
        {"module": "handlers.webhook", "options": options},
        {"module": "talker", "options": {"key": "${HOOK_KEY}"}},
    )
    with running(tmp_path, HOOK_KEY="k3y-of-the-hook", HOOK_SIGN="s1gn-of-the-hook") as service:
        client = service.client()
        result = await ended(client, "webhook", "post", url=url, body={"n": 1})
        assert result.result == {"status": 200, "body": "thanks"}
        (request,) = asked
        assert request.headers["Authorization"] == "Key k3y-of-the-hook"
        assert request.headers["Idempotency-Key"] == result.id
        with pytest.raises(Invalid, match="not among the addresses the operator has allowed"):
            await run(client, "webhook", "post", url=url + "/other")
        await client.close()
        code, said = service.ended(signal.SIGTERM)
    assert code == 0
    assert "the key is …" in said
    assert "the-hook" not in said


async def test_a_site_is_checked_and_what_is_wrong_with_it_is_how_its_run_failed(
    tmp_path: Path, site: tuple[int, list[web.Request]]
) -> None:
    port, asked = site
    url = f"http://127.0.0.1:{port}/health"
    configure(tmp_path, {"module": "handlers.http_check", "options": {"allow": [url], "private": True}})
    with running(tmp_path) as service:
        client = service.client()
        well = await ended(client, "http_check", "get", url=url, contains="thanks", within=10)
        assert (well.state, well.result["status"], well.result["bytes"]) == (RunState.SUCCEEDED, 200, len("thanks"))
        spec = ScheduleSpec(
            handler="http_check", method="get", args={"url": url, "lacks": "thanks"},
            trigger=TextTrigger(text="in 1 hour"), policy={"retry": {"max_attempts": 1}, "failure_threshold": 1},
        )  # fmt: skip
        schedule = await client.create_schedule(spec)
        wrong = await over(client, (await client.run_schedule(schedule.id)).id)
        assert (wrong.state, [(each.cause, each.error) for each in wrong.attempts]) == (
            RunState.FAILED,
            [("unknown", "CheckFailed: 127.0.0.1 answered 200 with 'thanks', which must not be in it")],
        )
        assert (await client.get_schedule(schedule.id)).state == "active"
        with pytest.raises(Invalid, match="not among the addresses the operator has allowed"):
            await run(client, "http_check", "head", url=url + "/other")
        await client.close()
        assert service.ended(signal.SIGTERM)[0] == 0
    assert [request.path for request in asked] == ["/health"] * 2


async def test_a_command_is_not_doubled_and_not_left_behind_when_up_is_killed(tmp_path: Path) -> None:
    note, pid = tmp_path / "started", tmp_path / "pid"
    code = (
        f"import os, time; open({str(note)!r}, 'a').write(os.environ['SCHEDULE_ZERO_RUN'] + '\\n');"
        f"open({str(pid)!r} + '.new', 'w').write(str(os.getpid())); os.rename({str(pid)!r} + '.new', {str(pid)!r});"
        "time.sleep(600)"
    )
    commands = {"long": {"argv": [sys.executable, "-S", "-c", code], "at_most_once": True, "timeout": 900}}
    configure(tmp_path, {"module": "handlers.command", "options": {"commands": commands}})
    with running(tmp_path) as service:
        client = service.client()
        begun = await run(client, "command", "long")
        async with asyncio.timeout(20):
            while not pid.exists():
                await asyncio.sleep(0.01)
        assert alive(int(pid.read_text()))
        await client.close()
        service.ended(signal.SIGKILL)
    await gone([int(pid.read_text())])
    with running(tmp_path) as service:
        client = service.client()
        lost = await over(client, begun.id)
        assert (lost.state, lost.reason) == (RunState.FAILED, "lost")
        await client.close()
        assert service.ended(signal.SIGTERM)[0] == 0
    assert note.read_text().splitlines() == [begun.id]
