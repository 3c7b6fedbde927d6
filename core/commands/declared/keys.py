"""How ``keys`` is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.declaring import FILE, Group, asking, asking_about_one

if TYPE_CHECKING:
    from core.commands.keys import Keys, Kind
    from schedule_zero.key import KeyRole

out_once = click.option(
    "-o", "out", type=FILE, metavar="FILE", help="Where the secret goes, for its owner alone; else standard output."
)


@click.group("keys", cls=Group)
def keys_group() -> None:
    """Who may connect to a running core: keys of handlers, bots and operators."""


def _keys(file: Path | None, as_json: bool) -> Keys:
    from core.commands.keys import Keys
    from core.config import load_config

    return Keys(load_config(file, os.environ), os.environ, as_json=as_json)


@keys_group.command("new")
@click.argument("name")
@click.option("--role", type=click.Choice(["operator", "bot", "handler"]), required=True, help="What it is for.")
@click.option("--guild", "guild_id", metavar="ID", help="The one guild it is confined to; all without.")
@click.option("--token", is_flag=True, help="A token instead of a CURVE pair.")
@click.option("--register", is_flag=True, help="A token that registers a handler's own pair, once.")
@click.option("--public", metavar="KEY", help="The public half of a pair that was made elsewhere.")
@click.option("--valid-for", metavar="DURATION", help="Of a registration; PT1H without.")
@out_once
@asking
def keys_new(
    name: str, role: KeyRole, guild_id: str | None, token: bool, register: bool, public: str | None,
    valid_for: str | None, out: Path | None, file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Make a key for NAME; its secret is shown once."""
    if token + register + (public is not None) > 1:
        raise click.UsageError("--public, --token and --register exclude each other")
    if valid_for is not None and not register:
        raise click.UsageError("--valid-for is for a registration; add --register, or leave it out")
    kind: Kind | None = "token" if token else "registration" if register else None if public is None else "public"
    keys = _keys(file, as_json)
    keys.new(name, role, guild_id=guild_id, kind=kind, public=public, valid_for=valid_for, out=out)


@keys_group.command("list")
@click.option("--guild", metavar="ID", help="Only those confined to this guild; 'null' for those of none.")
@click.option("--over", is_flag=True, help="Also those that were revoked or ran out.")
@asking
def keys_list(guild: str | None, over: bool, file: Path | None, as_json: bool) -> None:
    """List keys, and show the core's own public key."""
    from core.commands.options import guild_filter

    _keys(file, as_json).show_list(**guild_filter(guild), over=over)


@keys_group.command("revoke")
@asking_about_one
def keys_revoke(id: str, file: Path | None, as_json: bool) -> None:
    """End a key; whoever uses it is cut off at once."""
    _keys(file, as_json).revoke(id)


@keys_group.command("rotate")
@click.option("--public", metavar="KEY", help="The public half of a new pair that was made elsewhere.")
@out_once
@asking_about_one
def keys_rotate(id: str, public: str | None, out: Path | None, file: Path | None, as_json: bool) -> None:
    """Make another key for the holder of one; both are good until the older is revoked."""
    _keys(file, as_json).rotate(id, public=public, out=out)
