"""``login``: a link, where nobody else reads it on its way; and the one that ``up`` prints signs in."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from core.commands.explain import WrongInput
from core.commands.login import base_of
from core.config import Config, CoreSettings
from core.web.settings import HttpSettings
from schedule_zero import requests as ask
from tests.cli.conftest import Command, Core
from tests.up import running
from tests.web.signing import browser_at


def test_it_prints_a_link_and_nothing_else_on_standard_output(command: Command, core: Core) -> None:
    said = command("login")
    assert (said.code, said.out) == (0, f"{core.address}/sign-in/link?code=x\n")
    assert said.err == "open it before 2026-11-21T09:05:00+00:00; it signs in once\n"
    assert core.door.last == ask.NewSignIn()
    assert json.loads(command("login", "--json").out)["path"] == "/sign-in/link?code=x"


@pytest.mark.parametrize(
    ("http", "address", "base"),
    [
        ({}, None, "http://127.0.0.1:8080"),
        ({"bind": "[::1]:80"}, None, "http://[::1]:80"),
        ({"public_url": "https://schedule.example.org/"}, None, "https://schedule.example.org"),
        ({"bind": "0.0.0.0:80", "public_url": "https://schedule.example.org"}, None, "https://schedule.example.org"),
        ({}, "https://core.example.org", "https://core.example.org"),
        ({}, "http://localhost:99", "http://localhost:99"),
        ({"bind": "0.0.0.0:80"}, None, None),
        ({"bind": "10.0.0.1:80"}, None, None),
        ({"public_url": "http://schedule.example.org"}, None, None),
        ({}, "http://core:8080", None),
        ({}, "http://127.0.0.1.example.org", None),
        ({}, "tcp://core:4243", None),
    ],
)
def test_a_link_goes_over_https_or_to_this_machine_alone(
    http: dict[str, Any], address: str | None, base: str | None
) -> None:
    config = Config(http=HttpSettings(**http), core=CoreSettings(address=address))
    if base is None:
        with pytest.raises(WrongInput):
            base_of(config)
    else:
        assert base_of(config) == base


def test_where_others_could_read_it_no_link_is_made(
    command: Command, core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SCHEDULE_ZERO__CORE__ADDRESS", "http://core.example.org")
    said = command("login")
    assert (said.code, said.out) == (2, "")
    assert "http.public_url" in said.err
    assert core.door.asked == []


@pytest.mark.slow
async def test_the_link_that_up_prints_signs_in_once(tmp_path: Path) -> None:
    with running(tmp_path) as service:
        link = await asyncio.to_thread(service.sign_in_link)
        assert link.startswith(f"{service.address}/sign-in/link?code=")
        async with browser_at(service.address) as browser:
            async with browser.get(link) as answer:
                assert answer.url.path == "/"
            async with browser.get("/account") as answer:
                assert "and operate this service" in await answer.text()
        async with browser_at(service.address) as other, other.get(link) as answer:
            assert answer.status == 410
            assert "This link was used already" in await answer.text()
