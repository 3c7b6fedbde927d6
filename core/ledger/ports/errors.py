"""What a store refuses with."""

from __future__ import annotations


class StoreError(Exception):
    """The store cannot be used; the sentence says why and what to do."""


class StoreClosed(StoreError):
    """The store was closed, or failed, before this could be written."""


class StoreFull(StoreError):
    """The disk has no room for new work."""


class StoreBusy(StoreError):
    """So much waits to be written that nothing new is taken. ``retry_after``: seconds until there will be room, by the pace
    of late."""

    def __init__(self, waiting: int, retry_after: float) -> None:
        super().__init__(f"{waiting:,} changes wait to be written")
        self.retry_after = retry_after


class NameTaken(Exception):
    """A schedule of that guild has this name already."""


class StaleAdvance(Exception):
    """A schedule was edited, paused or deleted since its step was computed."""


class OccurrenceTaken(Exception):
    """This schedule already has a run for that occurrence."""


class ForbiddenTransition(Exception):
    """The table of transitions does not hold this change."""


class StaleMove(Exception):
    """The run was not in the state the move starts from."""
