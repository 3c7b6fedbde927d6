"""The examples in Python, as processes against a real core. The one in Node: ``test_protocol.py``."""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path
from typing import Any

import pytest

from handlers.examples.checksum import Checksum
from handlers.examples.report import Report
from handlers.examples.site import Site
from schedule_zero.run import Cause, RunState
from schedule_zero.testing import begin, call, started
from tests.handlers.site import Site as Server
from tests.handlers.site import site
from tests.kit.conftest import Open, Start, came, done

__all__ = ["site"]


@pytest.mark.slow
async def test_each_does_its_work_for_a_core_and_stops_in_order(
    open_core: Open, start: Start, tmp_path: Path, site: Server
) -> None:
    (tmp_path / "data").write_bytes(b"x" * 3_000_000)
    door = await open_core()
    fars = [
        await start(f"handlers.examples.{place}", "--core", door.address)
        for place in ("report:Report", "checksum:Checksum", "site:Site")
    ]
    await came(door, 3)
    report = await done(door, "report", "build", day="2026-03-03", rows=2)
    assert report.result == {"day": "2026-03-03", "about": "sales", "rows": 2, "total": 21, "key": report.id}
    checksum = await done(door, "checksum", "file", name="data")
    assert checksum.result["sha256"] == hashlib.sha256(b"x" * 3_000_000).hexdigest()
    assert (await done(door, "site", "check", url=site.url)).result["status"] == 200
    schedule = await door.house.schedule(handler="report", method="build", args={"day": "2026-03-03", "rows": 10_000})
    run = await door.house.run_now(schedule)
    await door.house.heard("run.started", run_id=run.id)
    await door.house.client.cancel_run(run.id)
    assert (await door.house.ended(run.id)).state is RunState.CANCELLED
    for far in fars:
        assert await far.ended(signal.SIGTERM) == 0


async def test_the_report_tells_how_far_it_is_and_refuses_what_nobody_keeps() -> None:
    async with started(Report()) as report:
        outcome = await call(report, "build", {"day": "2026-03-03", "rows": 25})
        assert [round(fraction, 2) for fraction, _ in outcome.progress] == [0.0, 0.4, 0.8]
        refused = await call(report, "build", {"day": "2026-03-03", "about": "rent"})
        assert (refused.cause, refused.error) == (Cause.LASTING, "nobody keeps rent")


async def test_the_checksum_stays_in_its_folder_and_stops_when_it_is_asked_to(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "out").touch()
    with (folder / "large").open("wb") as file:
        file.truncate(20_000_000_000)
    for name in ("../out", "/etc/passwd", "nothing", "."):
        assert (await call(Checksum(folder), "file", {"name": name})).cause is Cause.LASTING
    played = begin(Checksum(folder), "file", {"name": "large"})
    await played.told()
    played.cancel()
    assert (await played.outcome()).status == "cancelled"


@pytest.mark.parametrize(
    ("status", "headers", "cause", "retry_after"),
    [
        (404, {}, Cause.LASTING, None),
        (503, {}, Cause.PASSING, None),
        (429, {"Retry_After": "5"}, Cause.PASSING, 5.0),
    ],
)
async def test_the_site_check_tells_what_is_worth_another_try(
    site: Server, status: int, headers: dict[str, Any], cause: Cause, retry_after: float | None
) -> None:
    site.answers(status, **headers)
    outcome = await call(Site(), "check", {"url": site.url})
    assert (outcome.cause, outcome.retry_after) == (cause, retry_after)
    assert (await call(Site(), "check", {"url": "http://127.0.0.1:1/"})).cause is Cause.PASSING
    assert (await call(Site(), "check", {"url": "file:///etc/passwd"})).cause is Cause.LASTING
