"""How ``chains`` is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.declaring import Group, asking, asking_about_one

if TYPE_CHECKING:
    from core.commands.chains import Chains
    from schedule_zero.schedule import AfterWhen

_WHEN = click.Choice(["success", "failure", "any", "all"])


@click.group("chains", cls=Group)
def chains_group() -> None:
    """Schedules of a running core that run after each other."""


def _chains(file: Path | None, as_json: bool) -> Chains:
    from core.commands.chains import Chains
    from core.config import load_config

    return Chains(load_config(file, os.environ), os.environ, as_json=as_json)


@chains_group.command("add")
@click.option("--after", required=True, metavar="ID", help="The schedule that it runs after.")
@click.option("--when", type=_WHEN, default="success", show_default=True, help="How that one's run has to end.")
@click.option("--delay", default="PT0S", metavar="DURATION", help="How long after, as PT10M.")
@asking_about_one
def chains_add(id: str, after: str, when: AfterWhen, delay: str, file: Path | None, as_json: bool) -> None:
    """Let a schedule run after another."""
    _chains(file, as_json).add(id, after, when, delay)


@chains_group.command("remove")
@click.option("--after", required=True, metavar="ID", help="The schedule that it ran after.")
@click.option("--when", type=_WHEN, help="Only in this case.")
@asking_about_one
def chains_remove(id: str, after: str, when: AfterWhen | None, file: Path | None, as_json: bool) -> None:
    """Let a schedule run after that one no more."""
    _chains(file, as_json).remove(id, after, when)


@chains_group.command("show")
@asking_about_one
def chains_show(id: str, file: Path | None, as_json: bool) -> None:
    """Draw the chain that a schedule belongs to."""
    _chains(file, as_json).show(id)


@chains_group.command("check")
@click.option("--guild", metavar="ID", help="Only this guild's; 'null' for those of no guild.")
@asking
def chains_check(guild: str | None, file: Path | None, as_json: bool) -> None:
    """Look for circles, for links to what is gone, and for schedules that nothing starts."""
    from core.commands.options import guild_filter

    _chains(file, as_json).check(**guild_filter(guild))
