"""``keys``: every option reaches the core as what it means, and a secret goes to one place only."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schedule_zero import requests as ask
from schedule_zero.errors import Forbidden
from schedule_zero.key import KeyPage
from schedule_zero.transport.curve import open_key_file, public_of
from schedule_zero.transport.keyfile import KeyFile, read_key_file
from tests.cli.conftest import Command, Core
from tests.web.fake import KEY

PUBLIC, SERVER = "0" * 40, "1" * 40
TOKEN = "sz_secret"


@pytest.fixture(autouse=True)
def answers(core: Core) -> None:
    """The core makes tokens, and its doors are encrypted."""
    made = msgspec.structs.replace(KEY, token=TOKEN, server=SERVER)
    for kind in (ask.NewKey, ask.RotateKey):
        core.door.answers[kind] = made
    core.door.answers[ask.ListKeys] = KeyPage(items=(KEY,), server=SERVER)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list",), ask.ListKeys(any_guild=True)),
        (("list", "--guild", "12", "--over"), ask.ListKeys(guild_id="12", over=True)),
        (("list", "--guild", "null"), ask.ListKeys()),
        (("revoke", "key_1"), ask.RevokeKey(id="key_1")),
        (("rotate", "key_1", "--public", PUBLIC), ask.RotateKey(id="key_1", public=PUBLIC)),
        (("new", "ci", "--role", "operator"), ask.NewKey(name="ci", role="operator")),
        (("new", "far", "--role", "handler", "--guild", "12", "--public", PUBLIC),
         ask.NewKey(name="far", role="handler", guild_id="12", public=PUBLIC)),
        (("new", "far", "--role", "handler", "--token"), ask.NewKey(name="far", role="handler")),
        (("new", "far", "--role", "handler", "--register", "--valid-for", "P1D"),
         ask.NewKey(name="far", role="handler", register=True, valid_for="P1D")),
    ],
    ids=lambda value: " ".join(value)[:40] if isinstance(value, tuple) else "",
)  # fmt: skip
def test_the_request_is_what_the_options_say(
    command: Command, core: Core, arguments: tuple[str, ...], expected: Any
) -> None:
    said = command("keys", *arguments)
    assert (said.code, core.door.last) == (0, expected), said.err


def test_a_pair_is_made_here_and_its_secret_half_never_leaves(command: Command, core: Core, tmp_path: Path) -> None:
    core.door.answers[ask.NewKey] = msgspec.structs.replace(KEY, server=SERVER)
    said = command("keys", "new", "far", "--role", "handler", "-o", "far.key")
    assert said.code == 0, said.err
    path = tmp_path / "far.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    keys = open_key_file(path)
    assert keys.secret is not None
    assert core.door.last == ask.NewKey(name="far", role="handler", public=public_of(keys.secret))
    assert (keys.server, keys.token) == (SERVER, None)
    assert keys.secret not in said.out + said.err


def test_without_a_file_the_secret_is_all_there_is_on_standard_output(command: Command, core: Core) -> None:
    assert command("keys", "new", "ci", "--role", "operator").out == f"{TOKEN}\n"
    said = command("keys", "new", "far", "--role", "handler", "--register")
    assert said.out == f"server {SERVER}\ntoken {TOKEN}\n"
    assert "key_1" in said.err
    assert TOKEN not in said.err


def test_where_nothing_is_encrypted_a_handler_gets_a_token(command: Command, core: Core, tmp_path: Path) -> None:
    core.door.answers[ask.ListKeys] = KeyPage(items=())
    core.door.answers[ask.NewKey] = msgspec.structs.replace(KEY, token=TOKEN)
    assert command("keys", "new", "far", "--role", "handler", "-o", "far.key").code == 0
    assert core.door.last == ask.NewKey(name="far", role="handler")
    assert read_key_file(tmp_path / "far.key") == KeyFile(token=TOKEN)


def test_a_new_handlers_key_comes_with_the_word_how_to_use_it(command: Command, core: Core) -> None:
    said = command("keys", "new", "far", "--role", "handler", "-o", "far.key")
    assert said.err.splitlines()[-1] == "start far with --key far.key"
    assert "start" not in command("keys", "new", "ci", "--role", "operator").err


@pytest.mark.parametrize(("count", "who"), [(1, "one process of this name is"), (3, "3 processes of this name are")])
def test_who_makes_a_key_hears_how_many_are_connected_without_it_and_what_becomes_of_them(
    command: Command, core: Core, count: int, who: str
) -> None:
    core.door.answers[ask.NewKey] = msgspec.structs.replace(KEY, token=TOKEN, keyless=count)
    said = command("keys", "new", "far", "--role", "handler", "--token", "-o", "far.key")
    assert f"{who} connected without a key: nothing new is given there" in said.err
    core.door.answers[ask.NewKey] = msgspec.structs.replace(KEY, token=TOKEN)
    assert "without a key" not in command("keys", "new", "far", "--role", "handler", "--token", "-o", "two.key").err


def test_a_rotated_pair_is_another_pair(command: Command, core: Core, tmp_path: Path) -> None:
    core.door.answers[ask.RotateKey] = msgspec.structs.replace(KEY, server=SERVER)
    said = command("keys", "rotate", "key_1", "-o", "new.key")
    assert core.door.last == ask.RotateKey(id="key_1", public=read_key_file(tmp_path / "new.key").public)
    assert "start far anew with --key new.key; then end the older: schedule-zero keys revoke key_1" in said.err
    core.door.answers[ask.ListKeys] = KeyPage(items=())
    assert command("keys", "rotate", "key_2").code == 1


def test_a_pair_that_goes_to_a_plain_door_has_its_token_beside_it(command: Command, core: Core, tmp_path: Path) -> None:
    core.door.answers[ask.RotateKey] = msgspec.structs.replace(KEY, token=TOKEN)
    assert command("keys", "rotate", "key_1", "-o", "new.key").code == 0
    keys = open_key_file(tmp_path / "new.key")
    assert (keys.public, keys.server, keys.token) == (core.door.last.public, None, TOKEN)
    said = command("keys", "rotate", "key_1", "--public", PUBLIC)
    assert said.out == f"public {PUBLIC}\ntoken {TOKEN}\n"
    assert "start far anew with --key FILE, where FILE holds that pair and what was printed" in said.err


def test_a_refusal_leaves_no_file_and_a_file_is_not_written_over(command: Command, core: Core, tmp_path: Path) -> None:
    core.door.answers[ask.NewKey] = Forbidden("Not you.")
    assert command("keys", "new", "far", "--role", "handler", "-o", "far.key").code == 1
    assert not (tmp_path / "far.key").exists()
    (tmp_path / "far.key").write_text("mine")
    before = len(core.door.asked)
    said = command("keys", "new", "far", "--role", "handler", "--token", "-o", "far.key")
    assert (said.code, said.err) == (2, "far.key is there already; a key file is not written over\n")
    assert (tmp_path / "far.key").read_text() == "mine"
    assert len(core.door.asked) == before


def test_json_is_what_the_api_answers_and_holds_no_secret_that_went_to_a_file(command: Command, core: Core) -> None:
    said = command("keys", "new", "ci", "--role", "operator", "--json")
    assert json.loads(said.out)["token"] == TOKEN
    said = command("keys", "new", "ci", "--role", "operator", "--json", "-o", "ci.token")
    assert json.loads(said.out)["token"] is None
    said = command("keys", "new", "far", "--role", "handler", "--json")
    assert (said.code, said.out) == (2, "")
    assert "say with -o FILE where it goes" in said.err
    assert json.loads(command("keys", "list", "--json").out)["server"] == SERVER


def test_what_excludes_each_other_is_said(command: Command, core: Core) -> None:
    said = command("keys", "new", "far", "--role", "handler", "--public", PUBLIC, "--register")
    assert said.code == 2
    assert "--public, --token and --register exclude each other" in said.err
    said = command("keys", "new", "far", "--role", "handler", "--token", "--register")
    assert said.code == 2
    assert "--public, --token and --register exclude each other" in said.err


def test_how_long_a_key_is_valid_is_asked_of_registrations_alone(command: Command, core: Core) -> None:
    said = command("keys", "new", "far", "--role", "handler", "--token", "--valid-for", "PT1H")
    assert (said.code, said.out) == (2, "")
    assert "--valid-for is for a registration" in said.err


def test_the_list_can_be_read(command: Command, core: Core) -> None:
    said = command("keys", "list")
    assert "key_1" in said.out
    assert f"the core's own public key is {SERVER}" in said.out


def test_a_role_that_is_missing_is_one_sentence(command: Command) -> None:
    said = command("keys", "new", "a b")
    assert said.code == 2
    assert (
        said.err
        == "Missing option '--role'. Choose from: operator, bot, handler (see 'schedule-zero keys new --help')\n"
    )
