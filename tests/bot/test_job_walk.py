"""An admin, Discord, `up` and a handler in a process of its own: a job made, failing, mended, retried; a chain of three."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schedule_zero.client import CoreClient
from schedule_zero.run import Run
from tests.discord_server import world
from tests.discord_server.app import DiscordServer
from tests.discord_server.drafts import walk_components
from tests.discord_server.records import Interaction
from tests.up import ROOT, Process

pytestmark = pytest.mark.slow
PATIENCE = 40.0


class Admin:
    """Somebody who owns a server, and what stands on their screen."""

    def __init__(self, server: DiscordServer, client: CoreClient) -> None:
        self._server = server
        self.client = client

    async def asks(self, command: str, **options: Any) -> Interaction:
        """Use a slash command."""
        return await self._server.invoke(command, options, user_id=world.OPERATOR, timeout=PATIENCE)

    async def presses(self, shown: Interaction, label: str) -> Interaction:
        """Press a button of an answer."""
        assert shown.message is not None
        parts = [part for _, part in walk_components(shown.message["components"])]
        (custom_id,) = [part["custom_id"] for part in parts if part.get("label") == label]
        return await self._server.press(int(shown.message["id"]), custom_id, user_id=world.OPERATOR, timeout=PATIENCE)

    async def fills(self, shown: Interaction, **values: str) -> Interaction:
        """Send a form off; what is not named stays as it begins."""
        assert shown.modal is not None
        sent = {}
        for label in shown.modal["components"]:
            field = label["component"]
            options = field.get("options", [])
            begins = next((option["value"] for option in options if option.get("default")), field.get("value", ""))
            text = values.get(label["label"], begins)
            sent[field["custom_id"]] = next((each["value"] for each in options if each["label"] == text), text)
        return await self._server.submit_modal(int(shown.id), sent, timeout=PATIENCE)

    async def sees(self, shown: Interaction, words: str) -> None:
        """Wait until an answer, which is kept up to date, says that."""
        async with asyncio.timeout(PATIENCE):
            while words not in said(shown):
                await asyncio.sleep(0.05)

    async def ended(self, run_id: str) -> Run:
        """A run, once it is over."""
        async with asyncio.timeout(PATIENCE):
            while (run := await self.client.get_run(run_id)).state in ("waiting", "dispatched", "running"):
                await asyncio.sleep(0.05)
        return run


def said(shown: Interaction) -> str:
    """All words of an answer."""
    assert shown.message is not None
    texts = [part["content"] for _, part in walk_components(shown.message["components"]) if part["type"] == 10]
    return "\n".join([shown.message["content"], *texts])


@pytest.fixture
async def admin(server: DiscordServer, tmp_path: Path) -> AsyncIterator[Admin]:
    environ = {"DISCORD_TOKEN": server.settings.token, "DISCORD_API_BASE": server.api_url}
    up = Process(tmp_path, "up", **environ)
    far: subprocess.Popen[bytes] | None = None
    try:
        await asyncio.to_thread(up.came_up)
        address = await asyncio.to_thread(up.handlers_at)
        command = [
            sys.executable,
            "-m",
            "schedule_zero",
            "handler",
            "handlers.examples.report:Report",
            "--core",
            address,
        ]
        far = subprocess.Popen(command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
        client = up.client()
        async with asyncio.timeout(PATIENCE):
            while (found := (await client.status()).parts.get("discord")) is None or not found.ok:
                await asyncio.sleep(0.05)
            while "report" not in [handler.name for handler in (await client.list_handlers()).items]:
                await asyncio.sleep(0.05)
        yield Admin(server, client)
        await client.close()
    finally:
        if far is not None:
            far.kill()
            far.wait()
        up.clear_away()


async def test_a_job_is_made_from_its_form_fails_is_mended_and_retried(server: DiscordServer, admin: Admin) -> None:
    form = await admin.asks("job create", handler="report.build", when="every day at 9", name="rent", notify=world.NEWS)
    made = await admin.fills(form, day="2026-12-24", about="rent", rows="3")
    assert "Job made: rent" in said(made)

    ran = await admin.asks("job run", item="rent")
    await admin.sees(ran, "❌ **Failed**")
    assert "**Why**: rejected: nobody keeps rent." in said(ran)
    assert "mend the arguments" in said(ran)
    await server.wait_messages(1, channel_id=world.NEWS, contains="**rent** failed: nobody keeps rent")

    mending = await admin.presses(ran, "Edit arguments")
    mended = await admin.fills(mending, about="sales")
    assert "- about: sales" in said(mended)
    again = await admin.presses(mended, "Retry")
    await admin.sees(again, "✅ **Succeeded**")
    assert '"about": "sales"' in said(again)
    (newest, first) = (await admin.client.list_runs(any_guild=True)).items
    assert (newest.state, first.state) == ("succeeded", "failed")

    log = await admin.asks("job log", run=newest.id)
    assert "sales of 2026-12-24 for attempt 1" in said(log)
    assert re.search(r"report\*\* · healthy · build", said(await admin.asks("job handlers")))


async def test_a_chain_of_three_runs_on_its_success(admin: Admin) -> None:
    args = "day=2026-12-24 rows=3"
    await admin.asks("job create", handler="report.build", when="every day at 9", name="first", args=args)
    await admin.asks("job create", handler="report.build", name="second", args=args, after="first")
    linked = await admin.asks("job create", handler="report.build", name="third", args=args, after="second")
    assert "Job made: third" in said(linked)
    drawn = await admin.asks("chain show", item="first")
    assert "first\n└─ on success: second\n   └─ on success: third" in said(drawn)
    await admin.asks("job run", item="first")
    async with asyncio.timeout(PATIENCE):
        while len((await admin.client.list_runs(any_guild=True, state="succeeded")).items) < 3:
            await asyncio.sleep(0.05)
    assert said(await admin.asks("chain show", item="third")).count("last run succeeded") == 3
