"""How ``handlers`` and ``events`` are declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.declaring import Command, Group, asking

if TYPE_CHECKING:
    from core.commands.handlers import Handlers


@click.group("handlers", cls=Group)
def handlers_group() -> None:
    """Handlers of a running core."""


def _handlers(file: Path | None, as_json: bool) -> Handlers:
    from core.commands.handlers import Handlers
    from core.config import load_config

    return Handlers(load_config(file, os.environ), os.environ, as_json=as_json)


@handlers_group.command("list")
@asking
def handlers_list(file: Path | None, as_json: bool) -> None:
    """List handlers, with their health and how their runs went lately."""
    _handlers(file, as_json).show_list()


@handlers_group.command("show")
@click.argument("name")
@asking
def handlers_show(name: str, file: Path | None, as_json: bool) -> None:
    """Show a handler with its processes and methods."""
    _handlers(file, as_json).show(name)


@handlers_group.command("drain")
@click.argument("name")
@click.option("--instance", metavar="ID", help="Only this process of it.")
@asking
def handlers_drain(name: str, instance: str | None, file: Path | None, as_json: bool) -> None:
    """Give a handler nothing new; its processes finish what they hold, and leave."""
    _handlers(file, as_json).drain(name, instance)


@handlers_group.command("resume")
@click.argument("name")
@asking
def handlers_resume(name: str, file: Path | None, as_json: bool) -> None:
    """Give a drained handler that lives inside the core work again."""
    _handlers(file, as_json).resume(name)


@click.command("events", cls=Command)
@click.option("--follow", is_flag=True, help="Go on with what happens, until stopped.")
@click.option("--after", metavar="SEQ", help="Only what came after this; with --follow the default is now.")
@click.option("--kinds", metavar="KINDS", help="Only these, with commas between: run.failed,run.succeeded.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="How many at most, without --follow."
)
@asking
def events(follow: bool, after: str | None, kinds: str | None, limit: int, file: Path | None, as_json: bool) -> None:
    """Print what happened, oldest first: an event a line, with --json as JSON."""
    from core.commands.events import Events
    from core.config import load_config
    from schedule_zero.event import EventKind

    wanted = tuple(kind.strip() for kind in (kinds or "").split(",") if kind.strip())
    if unknown := [kind for kind in wanted if kind not in set(EventKind)]:
        raise click.UsageError(f"--kinds: {unknown[0]} is no kind of event; there are {', '.join(EventKind)}")
    commands = Events(load_config(file, os.environ), os.environ, as_json=as_json)
    if follow:
        commands.follow(after, wanted)
    else:
        commands.page(after, wanted, limit)
