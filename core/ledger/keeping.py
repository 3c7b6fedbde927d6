"""Looking after a store from the command line, wherever it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from core.ledger import backup, maintenance, migrate
from core.ledger.open import database_path
from core.ledger.port import StoreError
from core.ledger.settings import StoreSettings


class Keeping(Protocol):
    """What can be done for a store no matter whether a core uses it, unless said otherwise."""

    @property
    def name(self) -> str:
        """What to call the store in a sentence."""
        ...

    def upgrade(self) -> str:
        """Bring it to this build's schema; what was done besides, or nothing. No core may use it. Raises StoreError."""
        ...

    def check(self) -> list[str]:
        """What is wrong with it, a sentence each. Raises StoreError."""
        ...

    def backup(self, target: Path) -> None:
        """Copy it to a file that does not exist yet. Raises StoreError."""
        ...


def keeping_of(settings: StoreSettings, data_dir: Path) -> Keeping:
    """How to look after the store a setting means.

    Raises:
        StoreError: there is nothing to look after.
    """
    if settings.on_a_server:
        return OnServer(settings.url or "")
    return InFile(database_path(settings, data_dir))


class InFile:
    """A database file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)

    def upgrade(self) -> str:
        """See ``Keeping``; a copy is made first."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        kept = migrate.upgrade(self._path)
        return f"before the upgrade it was copied to {kept}" if kept else ""

    def check(self) -> list[str]:
        """See ``Keeping``."""
        return maintenance.check(self._path)

    def backup(self, target: Path) -> None:
        """See ``Keeping``."""
        backup.backup(self._path, target)


class OnServer:
    """A database of a PostgreSQL server, which has programs of its own for copying it."""

    def __init__(self, url: str) -> None:
        # Only who uses a server loads its driver.
        from core.ledger import reach, upkeep  # noqa: PLC0415

        self._upkeep = upkeep
        self._address = reach.address_of(url)
        self.name = self._address.place

    def upgrade(self) -> str:
        """See ``Keeping``."""
        return "" if self._upkeep.upgrade(self._address) else "there was nothing to change"

    def check(self) -> list[str]:
        """See ``Keeping``."""
        return self._upkeep.check(self._address)

    def backup(self, target: Path) -> None:
        """Says how, and raises StoreError."""
        raise StoreError(
            f"{self.name} is copied by PostgreSQL's own `pg_dump --format=custom --file={target} …`, also while a core "
            "uses it, and brought back by `pg_restore` into an empty database while none does"
        )
