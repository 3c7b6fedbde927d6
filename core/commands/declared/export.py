"""How ``export`` is declared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from core.commands.declaring import FILE, Command, with_config

if TYPE_CHECKING:
    from schedule_zero.asks.export import ExportFormat


@click.command("export", cls=Command)
@click.option("--guild", "guild_id", metavar="ID", help="Only what is kept of this guild.")
@click.option("--user", "user_id", metavar="ID", help="Only what is kept of this person.")
@click.option(
    "--format", "format_", type=click.Choice(["json", "csv", "ics"]), default="json", show_default=True,
    help="json holds everything; csv is for a spreadsheet, ics for a calendar program.",
)  # fmt: skip
@click.option("--secrets", is_flag=True, help="Write out arguments that are secret.")
@click.option("-o", "out", type=FILE, metavar="FILE", help="Where it goes, for its owner alone; else standard output.")
@with_config
def export(
    guild_id: str | None, user_id: str | None, format_: ExportFormat, secrets: bool, out: Path | None, file: Path | None
) -> None:
    """Write down what a running core keeps: everything, or of one guild or person."""
    from core.commands.export import Export
    from core.config import load_config

    if guild_id is not None and user_id is not None:
        raise click.UsageError("--guild and --user exclude each other")
    commands = Export(load_config(file, os.environ), os.environ, as_json=False)
    commands.write(out, guild_id=guild_id, user_id=user_id, format=format_, secrets=secrets)
