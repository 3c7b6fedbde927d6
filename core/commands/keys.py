"""``schedule-zero keys``: who may connect to a core. Secrets are made here or come once, and go to one place only."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import click
import msgspec

from core.commands.explain import Failed, WrongInput
from core.commands.output import say_card, say_json, say_table
from core.commands.remote import Remote
from schedule_zero.client import CoreClient
from schedule_zero.key import Key, KeyRole
from schedule_zero.transport.curve import new_pair
from schedule_zero.transport.keyfile import KeyFile, text_of

Kind = Literal["pair", "public", "token", "registration"]
Write = Callable[[str], None]

_TITLES = ("id", "name", "role", "guild", "kind", "state", "last used")


class Keys(Remote):
    """The commands over one core."""

    def new(self, name: str, role: KeyRole, *, public: str | None, kind: Kind | None, out: Path | None,
            **options: Any) -> None:  # fmt: skip
        """Make a key, and give its secret out once: into a file for its owner alone, or on standard output."""
        kind = kind or self._usual(role)

        async def work(client: CoreClient, public: str | None) -> Key:
            return await client.new_key(name, role, public=public, register=kind == "registration", **options)

        self._give_out(role, kind, public, out, work)
        if role == "handler":
            click.echo(f"start {name} {_with_key(kind, out)}", err=True)

    def rotate(self, id: str, *, public: str | None, out: Path | None) -> None:
        """Make another key for the holder of one, and give its secret out once."""
        page = self._ask(lambda client: client.list_keys(any_guild=True))
        found = [key for key in page.items if key.id == id]
        if not found:
            raise Failed(f"there is no key {id} in force; see 'schedule-zero keys list'")
        kind: Kind = "token" if found[0].kind == "token" else "public" if public is not None else "pair"

        async def work(client: CoreClient, public: str | None) -> Key:
            return await client.rotate_key(id, public=public)

        self._give_out(found[0].role, kind, public, out, work)
        click.echo(
            f"{_to_its_place(found[0], kind, out)}; then end the older: schedule-zero keys revoke {id}", err=True
        )

    def show_list(self, **filters: Any) -> None:
        """Print the keys there are, and the core's own public key."""
        page = self._ask(lambda client: client.list_keys(**filters))
        if self._as_json:
            say_json(page)
            return
        say_table(_TITLES, (_row(key) for key in page.items), "no keys")
        if page.server is not None:
            click.echo(f"the core's own public key is {page.server}")

    def revoke(self, id: str) -> None:
        """End a key and print it."""
        key = self._ask(lambda client: client.revoke_key(id))
        if self._as_json:
            say_json(key)
        else:
            say_card(_facts(key))

    def _usual(self, role: KeyRole) -> Kind:
        """A token for who asks over HTTP, and where nothing is encrypted; else a pair."""
        if role == "operator":
            return "token"
        page = self._ask(lambda client: client.list_keys())
        return "token" if page.server is None else "pair"

    def _give_out(
        self, role: KeyRole, kind: Kind, public: str | None, out: Path | None, work: Callable[..., Any]
    ) -> None:
        if kind == "pair" and self._as_json and out is None:
            raise WrongInput("--json prints no secret half: say with -o FILE where it goes, or give --public KEY")
        pair = new_pair() if kind == "pair" else None
        shown = public if pair is None else pair.public
        with _given_out_once(out) as write:
            key: Key = self._ask(lambda client: work(client, shown))
            keys = KeyFile(
                public=shown, secret=None if pair is None else pair.secret,
                server=None if kind == "token" else key.server, token=key.token,
            )  # fmt: skip
            secret = _given_out(keys, role, kind)
            if out is not None:
                write(secret)
        if self._as_json:
            say_json(key if out is None else msgspec.structs.replace(key, token=None))
        elif out is None and secret:
            click.echo(secret, nl=False)
        if not self._as_json:
            for name, value in _facts(key):
                if value is not None:
                    click.echo(f"{name}: {value}", err=True)
        if key.keyless is not None:
            click.echo(_of_the_keyless(key.keyless), err=True)


@contextlib.contextmanager
def _given_out_once(out: Path | None) -> Iterator[Write]:
    """A new file for its owner alone; there before anything is asked for, gone again if that fails."""
    if out is None:
        yield lambda _: None
        return
    try:
        handle = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise WrongInput(f"{out} is there already; a key file is not written over") from None
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:

            def write(text: str) -> None:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())

            yield write
    except BaseException:  # however it ended, half a key file is of no use and in the way of the next try
        out.unlink(missing_ok=True)
        raise


def _given_out(keys: KeyFile, role: KeyRole, kind: Kind) -> str:
    """What its holder needs, and has not: a token alone where that is all one shows over HTTP, else lines of a key file."""
    if kind == "public" and keys.token is None:
        return ""
    return f"{keys.token}\n" if role == "operator" and kind == "token" else text_of(keys)


def _to_its_place(old: Key, kind: Kind, out: Path | None) -> str:
    """What to do with the new key of a holder while the older is good, too."""
    if old.role != "handler":
        return f"both are good now: give {old.name} the new one"
    return f"both are good now: start {old.name} anew {_with_key(kind, out)}"


def _with_key(kind: Kind, out: Path | None) -> str:
    """How a handler shows its key."""
    if kind == "public":
        return "with --key FILE, where FILE holds that pair and what was printed"
    return "with --key FILE, where FILE holds what was printed" if out is None else f"with --key {out}"


def _of_the_keyless(count: int) -> str:
    who = "one process of this name is" if count == 1 else f"{count} processes of this name are"
    return f"{who} connected without a key: nothing new is given there, what is held may be finished, and then it is refused"


def _row(key: Key) -> tuple[str, ...]:
    return (key.id, key.name, key.role, key.guild_id or "-", key.kind, key.state, key.last_used or "-")


def _facts(key: Key) -> list[tuple[str, Any]]:
    return [
        ("id", key.id),
        ("name", key.name),
        ("role", key.role),
        ("guild", key.guild_id),
        ("kind", key.kind),
        ("state", key.state),
        ("public", key.public),
        ("good until", key.expires),
        ("last used", key.last_used),
        ("revoked", key.revoked),
        ("core's key", key.server),
    ]
