"""How ``guilds`` is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.declaring import Group, asking, paged

if TYPE_CHECKING:
    from core.commands.guilds import Guilds


@click.group("guilds", cls=Group)
def guilds_group() -> None:
    """Guilds of a running core: what they may use, and use."""


def _guilds(file: Path | None, as_json: bool) -> Guilds:
    from core.commands.guilds import Guilds
    from core.config import load_config

    return Guilds(load_config(file, os.environ), os.environ, as_json=as_json)


@guilds_group.command("list")
@click.option("--q", metavar="TEXT", help="Only those whose id or name begins so.")
@paged
@asking
def guilds_list(q: str | None, limit: int, cursor: str | None, file: Path | None, as_json: bool) -> None:
    """List the guilds that are known, with their plans."""
    _guilds(file, as_json).show_list(q=q, limit=limit, cursor=cursor)


@guilds_group.command("show")
@click.argument("guild")
@asking
def guilds_show(guild: str, file: Path | None, as_json: bool) -> None:
    """Show a guild: each limit with what is used of it, and who has most schedules."""
    _guilds(file, as_json).show(guild)


@guilds_group.command("quota")
@click.argument("guild")
@click.argument("settings", nargs=-1, metavar="[LIMIT=VALUE]...")
@click.option("--until", metavar="WHEN", help="They hold so long: an instant, or a time in words such as 'in 1 hour'.")
@click.option("--reset", multiple=True, metavar="LIMIT", help="Lastingly as in the plan again. May be repeated.")
@click.option("--end", multiple=True, metavar="LIMIT", help="Its newest value with an end ends now. May be repeated.")
@asking
def guilds_quota(
    guild: str, settings: tuple[str, ...], until: str | None, reset: tuple[str, ...], end: tuple[str, ...],
    file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Show what a guild may use, or set some of it: running=50, rate=30/min, schedules=null (no limit),
    handlers=echo,discord, plan=verified."""
    commands = _guilds(file, as_json)
    if settings or reset or end:
        commands.change_quota(guild, settings, until, reset, end)
    elif until is not None:
        raise click.UsageError("--until says how long a limit holds; name one, such as running=50")
    else:
        commands.quota(guild)


@guilds_group.command("verify")
@click.argument("guild")
@asking
def guilds_verify(guild: str, file: Path | None, as_json: bool) -> None:
    """Give a guild the plan of verified ones."""
    _guilds(file, as_json).verify(guild)


@guilds_group.command("suspend")
@click.argument("guild")
@click.option("--why", default="", metavar="TEXT", help="The reason, which the guild is told.")
@asking
def guilds_suspend(guild: str, why: str, file: Path | None, as_json: bool) -> None:
    """Let a guild start nothing until it is resumed; nothing of it is lost."""
    _guilds(file, as_json).suspend(guild, why)


@guilds_group.command("resume")
@click.argument("guild")
@asking
def guilds_resume(guild: str, file: Path | None, as_json: bool) -> None:
    """Let a suspended guild go on."""
    _guilds(file, as_json).resume(guild)
