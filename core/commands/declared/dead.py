"""How ``dead`` is declared."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from core.commands.declaring import Group, asking, paged

if TYPE_CHECKING:
    from core.commands.dead import Dead

F = TypeVar("F", bound=Callable[..., Any])


@click.group("dead", cls=Group)
def dead_group() -> None:
    """Runs of a running core that failed for good."""


def _dead(file: Path | None, as_json: bool) -> Dead:
    from core.commands.dead import Dead
    from core.config import load_config

    return Dead(load_config(file, os.environ), os.environ, as_json=as_json)


def _narrowed(command: F) -> F:
    """A command about those dead letters that a filter finds."""
    command = click.option("--schedule", metavar="ID", help="Only those of this schedule.")(command)
    return click.option("--handler", metavar="NAME", help="Only those of this handler.")(command)


def _changing(command: F) -> F:
    """A command about some dead letters, named or found."""
    command = click.option("--guild", metavar="ID", help="Only this guild's.")(_narrowed(asking(command)))
    return click.argument("ids", nargs=-1, metavar="[RUN]...")(command)


@dead_group.command("list")
@click.option("--guild", metavar="ID", help="Only this guild's; 'null' for those of no guild.")
@_narrowed
@paged
@asking
def dead_list(
    guild: str | None, handler: str | None, schedule: str | None, limit: int, cursor: str | None, file: Path | None,
    as_json: bool,
) -> None:  # fmt: skip
    """List dead letters, newest run first."""
    from core.commands.options import guild_filter

    _dead(file, as_json).show_list(
        **guild_filter(guild), handler=handler, schedule_id=schedule, limit=limit, cursor=cursor
    )


@dead_group.command("replay")
@_changing
def dead_replay(
    ids: tuple[str, ...], guild: str | None, handler: str | None, schedule: str | None, file: Path | None, as_json: bool
) -> None:
    """Run dead letters again, as new runs: those named, or all that the options find."""
    _dead(file, as_json).replay(ids, guild_id=guild, handler=handler, schedule_id=schedule)


@dead_group.command("drop")
@_changing
def dead_drop(
    ids: tuple[str, ...], guild: str | None, handler: str | None, schedule: str | None, file: Path | None, as_json: bool
) -> None:
    """Forget dead letters: those named, or all that the options find."""
    _dead(file, as_json).drop(ids, guild_id=guild, handler=handler, schedule_id=schedule)
