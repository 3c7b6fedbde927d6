"""``schedule-zero db``: looking after the store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from core.commands.explain import Failed
from core.config import Config
from core.ledger.keeping import keeping_of
from core.ledger.port import Ledger

if TYPE_CHECKING:
    from core.engine.afresh import Missed, PassedOver


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


_CAUGHT_UP: Final = "what was due since then is caught up with by each schedule's policy"

_TO_DO_AGAIN: Final = "revoke, ban and erase again what was revoked, banned and erased since then"


def restore(config: Config, source: Path | None, missed: Missed) -> None:
    """Put a backup in the store's place and say what was done. Raises StoreError."""
    from core.engine.afresh import begin_afresh  # the other commands do without the engine
    from core.engine.ports import SystemClock

    def renewing(ledger: Ledger) -> Awaitable[PassedOver]:
        return begin_afresh(ledger, SystemClock().now(), missed)

    store = keeping_of(config.store, config.data_path)
    done = asyncio.run(store.restore(source, renewing))
    click.echo(f"{store.name} is now what {source} holds" if source else f"{store.name} begins afresh")
    if done.kept is not None:
        click.echo(f"what was there before is in {done.kept}")
    if done.migrated:
        click.echo("the backup was of an older version, and has this version's schema now")
    click.echo(_passed_over(done.renewed) if missed == "skip" else _CAUGHT_UP)
    links = done.renewed.links
    click.echo(f"{links} calendar link{'' if links == 1 else 's'} ended, and everybody is signed out; {_TO_DO_AGAIN}")


def _passed_over(passed: PassedOver) -> str:
    schedules = f"{passed.schedules} schedule{'' if passed.schedules == 1 else 's'}"
    runs = f"{passed.runs} run{'' if passed.runs == 1 else 's'}"
    return f"what was due since then is missed: times of {schedules}, and {runs} that waited or were under way"
