"""``schedule-zero db``: looking after the store."""

from __future__ import annotations

from pathlib import Path

import click

from core.commands.explain import Failed
from core.config import Config
from core.ledger.keeping import keeping_of


def upgrade(config: Config) -> None:
    """Bring the store to this build's schema and say what was done. Raises StoreError."""
    store = keeping_of(config.store, config.data_path)
    done = store.upgrade()
    click.echo(f"{store.name} has this version's schema" + (f"; {done}" if done else ""))


def check(config: Config) -> None:
    """Look for damage and contradictions; each is a line on standard error.

    Raises:
        StoreError: there is no database, or it has another schema.
        Failed: something is wrong.
    """
    store = keeping_of(config.store, config.data_path)
    findings = store.check()
    for finding in findings:
        click.echo(finding, err=True)
    if findings:
        raise Failed(f"{store.name} is not sound; restore a backup, and keep this one to look into")
    click.echo(f"{store.name} is sound")


def backup(config: Config, target: Path) -> None:
    """Copy the store to a file that does not exist yet. Raises StoreError."""
    store = keeping_of(config.store, config.data_path)
    store.backup(target)
    click.echo(f"{store.name} was copied to {target}")
