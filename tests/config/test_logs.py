"""Logging: one way out for every library, in two forms, turned over by size, and no secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from core.log_settings import LogSettings, RotateSettings
from core.logs import configure

DISCORD_TOKEN = "MTIzNDU2Nzg5MDEyMzQ1Njc4OQ.GhIjKl.abcdefghijklmnopqrstuvwxyz0123456789AB"


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for handler in handlers:
        root.removeHandler(handler)
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    structlog.reset_defaults()


def logged(settings: LogSettings, *secrets: str) -> tuple[Any, io.StringIO]:
    stream = io.StringIO()
    configure(settings, secrets=secrets, stream=stream)
    return structlog.get_logger("core.test"), stream


JSON = LogSettings(format="json", level="debug")


def test_json_is_one_object_per_line_with_time_level_and_logger() -> None:
    log, stream = logged(JSON)
    with structlog.contextvars.bound_contextvars(run_id="run_1"):
        log.warning("run lost", attempt=2)
    line = json.loads(stream.getvalue())
    assert line.pop("timestamp").endswith("Z")
    assert line == {"event": "run lost", "attempt": 2, "run_id": "run_1", "level": "warning", "logger": "core.test"}


def test_records_of_libraries_take_the_same_way() -> None:
    _, stream = logged(JSON)
    for name in ("discord.gateway", "apscheduler", "uvicorn.error", "anything"):
        logging.getLogger(name).warning("said %s", name)
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["logger"], line["event"]) for line in lines] == [
        (name, f"said {name}") for name in ("discord.gateway", "apscheduler", "uvicorn.error", "anything")
    ]


def test_libraries_are_quiet_below_warning_unless_everything_is_wanted() -> None:
    _, stream = logged(LogSettings(format="json", level="info"))
    logging.getLogger("uvicorn.error").info("started")
    logging.getLogger("core.x").info("ours")
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["ours"]
    _, stream = logged(JSON)
    logging.getLogger("uvicorn.error").info("started")
    assert "started" in stream.getvalue()


def test_who_was_silenced_by_a_librarys_own_setting_up_is_heard_again() -> None:
    before = logging.getLogger("discord.gateway")
    before.disabled = True  # what dictConfig does, unless it is told otherwise, to every logger there is
    _, stream = logged(JSON)
    before.warning("still here")
    assert json.loads(stream.getvalue())["event"] == "still here"


def test_the_level_is_a_threshold() -> None:
    log, stream = logged(LogSettings(level="error"))
    log.warning("not this")
    log.error("but this")
    logging.getLogger("x").warning("nor this")
    assert "but this" in stream.getvalue()
    assert "this" not in stream.getvalue().replace("but this", "")


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_traceback_shows_lines_and_no_values(form: Any) -> None:
    log, stream = logged(LogSettings(format=form))
    hushed = "value-in-a-frame"
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        log.exception("failed")
    assert "RuntimeError: broken" in stream.getvalue()
    assert hushed not in stream.getvalue()


@pytest.mark.parametrize("form", ["json", "console"])
def test_no_secret_gets_out(form: Any) -> None:
    log, stream = logged(LogSettings(format=form), "sz_the-api-token", "")
    log.info(
        "asked", token="hush-a", api_key="hush-b", Authorization="hush-c", client_secret="hush-d",
        header="Bearer hush-eeeeeeeeeeee", text="with sz_the-api-token inside", bot=DISCORD_TOKEN,
        url="postgresql+asyncpg://user:hush-f@db:5432/x",
    )  # fmt: skip
    logging.getLogger("discord.http").warning("sent Authorization: Bot %s", DISCORD_TOKEN)
    try:
        raise ValueError("postgresql://user:hush-g@db")
    except ValueError:
        log.exception("failed with sz_the-api-token")
    text = stream.getvalue()
    assert "hush" not in text
    assert "sz_the-api-token" not in text
    assert DISCORD_TOKEN not in text
    assert "postgresql+asyncpg://user:" in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_not_even_debug_writes_down_what_discord_and_the_bot_say_to_each_other(form: Any) -> None:
    _, stream = logged(LogSettings(format=form, level="debug"))
    for name in ("discord.gateway", "discord.http", "discord.webhook.async_", "discord.webhook.sync"):
        logging.getLogger(name).debug("WebSocket Event: %s", {"d": {"token": "hush", "content": "hush"}})
        logging.getLogger(name).info("connected %s", name)
    logging.getLogger("discord.client").debug("Dispatching event ready")
    text = stream.getvalue()
    assert "hush" not in text
    assert text.count("connected") == 4
    assert "Dispatching" in text


@pytest.mark.parametrize("form", ["json", "console"])
def test_the_token_in_an_address_of_discord_is_hidden_in_every_line(form: Any) -> None:
    log, stream = logged(LogSettings(format=form, level="debug"))
    token = "aW50ZXJhY3Rpb246MTIz_hush-" + "Zm9v" * 30
    log.debug("sent", url=f"https://discord.com/api/v10/interactions/110000000000000123/{token}/callback?with=1")
    log.debug("POST https://discord.com/api/v10/webhooks/110000000000000123/%s?wait=true has returned 200", token)
    logging.getLogger("discord.http").warning("/webhooks/1/%s/messages/@original was limited", token)
    logging.getLogger("aiohttp.client").error("failed: %s", f"%2Fwebhooks%2F12%2F{token}%2Fmessages")
    try:
        raise OSError(f"no way to https://discord.com/api/webhooks/5/{token}")
    except OSError:
        log.exception("failed")
    text = stream.getvalue()
    assert "hush" not in text
    assert "Zm9v" not in text
    assert "/webhooks/1/…/messages/@original" in text


def test_what_only_looks_alike_stays() -> None:
    log, stream = logged(JSON)
    log.info(
        "run", run_id="run_01h2xcejqtf2nbrexx3vqjhp41", tokens_left=3, author="ann", url="http://127.0.0.1:8080/x@y"
    )
    line = json.loads(stream.getvalue())
    assert (line["run_id"], line["tokens_left"], line["author"]) == ("run_01h2xcejqtf2nbrexx3vqjhp41", 3, "ann")
    assert line["url"] == "http://127.0.0.1:8080/x@y"


def test_the_file_is_turned_over_by_size_and_old_ones_go(tmp_path: Path) -> None:
    file = tmp_path / "logs" / "core.log"
    settings = LogSettings(format="json", file=str(file), rotate=RotateSettings(size="1KB", keep=2))
    log, stream = logged(settings)
    for number in range(60):
        log.info("line", number=number)
    assert sorted(path.name for path in file.parent.iterdir()) == ["core.log", "core.log.1", "core.log.2"]
    assert all(path.stat().st_size <= 1000 for path in file.parent.iterdir())
    assert json.loads(file.read_text().splitlines()[-1])["number"] == 59
    assert len(stream.getvalue().splitlines()) == 60


@pytest.mark.parametrize(("text", "size"), [("50MB", 50_000_000), ("1 GB", 1_000_000_000), ("500KB", 500_000)])
def test_sizes_are_read(text: str, size: int) -> None:
    assert RotateSettings(size=text).size_bytes == size


def test_setting_up_again_replaces_what_was() -> None:
    first, old = logged(JSON)
    _, new = logged(LogSettings(format="json", level="error"))
    first.info("too little")
    first.error("once")
    assert old.getvalue() == ""
    assert len(new.getvalue().splitlines()) == 1


def test_an_object_without_json_form_is_logged_by_its_repr() -> None:
    log, stream = logged(JSON)
    log.info("odd", what=object)
    assert json.loads(stream.getvalue())["what"] == "<class 'object'>"
