"""How ``audit`` is declared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from core.commands.declaring import FILE, Group, asking, asking_about_one, paged, with_config

if TYPE_CHECKING:
    from core.commands.audit import Audit, Form

F = TypeVar("F", bound=Callable[..., Any])


@click.group("audit", cls=Group)
def audit_group() -> None:
    """Who changed what on a running core."""


def _audit(file: Path | None, *, as_json: bool) -> Audit:
    from core.commands.audit import Audit
    from core.config import load_config

    return Audit(load_config(file, os.environ), os.environ, as_json=as_json)


def _narrowed(command: F) -> F:
    """A command about those lines that a filter finds."""
    for option in (
        click.option("--until", metavar="INSTANT", help="Only what was changed before then."),
        click.option("--since", metavar="INSTANT", help="Only what was changed since then."),
        click.option("--target", metavar="ID", help="Only changes of this: an id, or a name."),
        click.option("--action", metavar="ACTION", help="Only this action, such as schedule.pause."),
        click.option("--actor", metavar="WHO", help="Only theirs: a person's Discord id, or KIND:ID."),
        click.option("--guild", metavar="ID", help="Only this guild's; 'null' for those of no guild."),
    ):
        command = option(command)
    return command


def _filters(guild: str | None, **given: Any) -> dict[str, Any]:
    from core.commands.options import guild_filter

    return {**guild_filter(guild), **given}


@audit_group.command("list")
@_narrowed
@paged
@asking
def audit_list(file: Path | None, as_json: bool, guild: str | None, **given: Any) -> None:
    """List changes, newest first: who made them, from where, to what."""
    _audit(file, as_json=as_json).show_list(**_filters(guild, **given))


@audit_group.command("show")
@asking_about_one
def audit_show(id: str, file: Path | None, as_json: bool) -> None:
    """Show a change with what it made different."""
    _audit(file, as_json=as_json).show(id)


@audit_group.command("revert")
@asking_about_one
def audit_revert(id: str, file: Path | None, as_json: bool) -> None:
    """Take a change back, if it still stands."""
    _audit(file, as_json=as_json).revert(id)


@audit_group.command("export")
@click.option("--format", "form", type=click.Choice(["csv", "json"]), default="csv", show_default=True, help="As what.")
@click.option("-o", "out", type=FILE, metavar="FILE", help="Where to; else standard output.")
@_narrowed
@with_config
def audit_export(form: Form, out: Path | None, file: Path | None, guild: str | None, **given: Any) -> None:
    """Write every change that fits, newest first."""
    _audit(file, as_json=False).export(form, out, **_filters(guild, **given))
