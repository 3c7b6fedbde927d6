"""Whose a file is. What root puts in the place of a service's file must be the service's, or that cannot go on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final, NamedTuple

from core.ledger.port import StoreError


class Owner(NamedTuple):
    """By their numbers. ``mode``: who may read, write and run it."""

    user: int
    group: int
    mode: int


_ROOT: Final = 0
_MODE: Final = 0o777
_REFUSAL: Final = (
    "{} belongs to user {} and group {}, and what is put in its place cannot be given to them{}; "
    "do it as that user, or as root"
)


def owner_of(file: Path) -> Owner:
    """Whose a file is, and what they may do. Raises OSError."""
    found = file.stat()
    return Owner(found.st_uid, found.st_gid, found.st_mode & _MODE)


def require_same_owner(path: Path) -> None:
    """Only its owner and root may put another in a file's place, for nobody else can give it to them. Raises StoreError."""
    if sys.platform != "win32" and path.exists():
        owner = owner_of(path)
        if os.geteuid() not in (_ROOT, owner.user):
            raise StoreError(_REFUSAL.format(path, owner.user, owner.group, ""))


def give(file: Path, owner: Owner, place: Path) -> None:
    """Make a file somebody's. ``place``: what to call it in a sentence. Raises StoreError."""
    if sys.platform == "win32":
        return
    try:
        # By descriptor: whoever may write in the folder could put a link there, and root must not give away what it leads to.
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            was = os.fstat(descriptor)
            if was.st_mode & _MODE != owner.mode:
                os.fchmod(descriptor, owner.mode)
            if (was.st_uid, was.st_gid) != (owner.user, owner.group):
                os.fchown(descriptor, owner.user, owner.group)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise StoreError(_REFUSAL.format(place, owner.user, owner.group, f" ({error.strerror})")) from error


def hand_on(file: Path, like: Path) -> None:
    """What root makes anew belongs to whom another file or folder does; what others make is theirs. Raises StoreError."""
    if sys.platform != "win32" and os.geteuid() == _ROOT:
        give(file, owner_of(like)._replace(mode=owner_of(file).mode), file)


def make_folder(folder: Path) -> None:
    """Make a folder that is missing, and those above it; root makes them theirs whose the lowest is that was there.

    Raises:
        OSError: it cannot be made.
        StoreError: it cannot be given to them.
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        hand_on(each, each.parent)
