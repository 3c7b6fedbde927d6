"""Looking after a store from the command line, wherever it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeVar

from core.ledger import backup, maintenance, migrate
from core.ledger.open import database_path, open_ledger
from core.ledger.port import StoreError
from core.ledger.restore import Renewing, Restored, renewed, restore
from core.ledger.settings import StoreSettings

T = TypeVar("T")


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

    async def restore(self, source: Path | None, renewing: Renewing[T]) -> Restored[T]:
        """Bring a backup back, renewed. No core may use it. ``source`` None: it has been brought back already.

        Raises:
            StoreError: it cannot be done; nothing was changed.
        """
        ...


def keeping_of(settings: StoreSettings, data_dir: Path) -> Keeping:
    """How to look after the store a setting means.

    Raises:
        StoreError: there is nothing to look after.
    """
    if settings.on_a_server:
        return OnServer(settings)
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

    async def restore(self, source: Path | None, renewing: Renewing[T]) -> Restored[T]:
        """See ``Keeping``."""
        if source is None:
            raise StoreError(f"name the backup that shall take the place of {self._path}")
        return await restore(self._path, source, renewing)


class OnServer:
    """A database of a PostgreSQL server, which has programs of its own for copying it."""

    def __init__(self, settings: StoreSettings) -> None:
        # Only who uses a server loads its driver.
        from core.ledger import reach, upkeep  # noqa: PLC0415

        self._settings = settings
        self._upkeep = upkeep
        self._address = reach.address_of(settings.url or "")
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

    async def restore(self, source: Path | None, renewing: Renewing[T]) -> Restored[T]:
        """See ``Keeping``; the copying itself is PostgreSQL's."""
        if source is not None:
            raise StoreError(
                f"{self.name} is brought back by PostgreSQL's own `pg_restore` into an empty database, while no core uses "
                "it; then run `schedule-zero db restore` without a file"
            )
        return Restored(None, migrated=False, renewed=await renewed(open_ledger(self._settings, Path()), renewing))
