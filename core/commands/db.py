"""``schedule-zero db``: looking after the database file."""

from __future__ import annotations

from pathlib import Path

import click

from core.commands.explain import Failed
from core.config import Config
from core.ledger import maintenance, migrate
from core.ledger.backup import backup as copy_to
from core.ledger.open import database_path


def upgrade(config: Config) -> None:
    """Bring the database to this build's schema and say what was done. Raises StoreError."""
    path = database_path(config.store, config.data_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = migrate.upgrade(path)
    click.echo(f"{path} has this version's schema" + (f"; before the upgrade it was copied to {kept}" if kept else ""))


def check(config: Config) -> None:
    """Look for damage and contradictions; each is a line on standard error.

    Raises:
        StoreError: there is no database, or it has another schema.
        Failed: something is wrong.
    """
    path = database_path(config.store, config.data_path)
    findings = maintenance.check(path)
    for finding in findings:
        click.echo(finding, err=True)
    if findings:
        raise Failed(f"{path} is not sound; restore a backup, and keep this file to look into")
    click.echo(f"{path} is sound")


def backup(config: Config, target: Path) -> None:
    """Copy the database to a file that does not exist yet. Raises StoreError."""
    path = database_path(config.store, config.data_path)
    copy_to(path, target)
    click.echo(f"{path} was copied to {target}")
