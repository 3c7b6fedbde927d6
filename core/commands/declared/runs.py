"""How ``runs`` is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.declaring import Group, asking, asking_about_one, paged

if TYPE_CHECKING:
    from core.commands.runs import Runs


@click.group("runs", cls=Group)
def runs_group() -> None:
    """Runs of a running core."""


def _runs(file: Path | None, as_json: bool) -> Runs:
    from core.commands.runs import Runs
    from core.config import load_config

    return Runs(load_config(file, os.environ), os.environ, as_json=as_json)


@runs_group.command("list")
@click.option("--guild", metavar="ID", help="Only this guild's; 'null' for those of no guild.")
@click.option("--schedule", metavar="ID", help="Only those of this schedule.")
@click.option("--state", help="Only those in this state, as waiting or failed.")
@click.option("--since", metavar="INSTANT", help="Only those due since then.")
@paged
@asking
def runs_list(
    guild: str | None, schedule: str | None, state: str | None, since: str | None, limit: int, cursor: str | None,
    file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """List runs, newest first."""
    from core.commands.options import guild_filter

    _runs(file, as_json).show_list(
        **guild_filter(guild), schedule_id=schedule, state=state, since=since, limit=limit, cursor=cursor
    )


@runs_group.command("show")
@asking_about_one
def runs_show(id: str, file: Path | None, as_json: bool) -> None:
    """Show a run with its attempts."""
    _runs(file, as_json).show(id)


@runs_group.command("log")
@click.option("--follow", is_flag=True, help="Go on with what is logged, until the run has ended.")
@click.option("--after", metavar="N", type=click.IntRange(min=0), default=0, help="Only what was said after that line.")
@asking_about_one
def runs_log(id: str, follow: bool, after: int, file: Path | None, as_json: bool) -> None:
    """Show what a run logged."""
    _runs(file, as_json).log(id, after, follow=follow)


@runs_group.command("cancel")
@asking_about_one
def runs_cancel(id: str, file: Path | None, as_json: bool) -> None:
    """Cancel a run."""
    _runs(file, as_json).cancel(id)


@runs_group.command("retry")
@asking_about_one
def runs_retry(id: str, file: Path | None, as_json: bool) -> None:
    """Run again what ended, as a new run."""
    _runs(file, as_json).retry(id)
