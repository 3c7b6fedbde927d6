"""The record: which governor runs, and which children it started, so that the next one after a kill adopts them.

It is written whole or not at all, and only by the process that holds the governor's lock. A governor that ends in order
takes it away.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from core.processes.identity import Identity
from core.processes.port import ProcessError
from core.processes.running import Kind
from core.processes.settings import HandlerProcess


class ChildRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One process of a child.

    Attributes:
        made_by: what it was started with, to see whether it is still what is wanted.
        since: when it came into its state, RFC 3339; empty where an older version wrote this.
        says: its own word on how it is going.
        silence_s: for how long it may say nothing, where it asked for longer than usual.
    """

    name: str
    kind: Kind
    identity: Identity
    made_by: str
    ready: bool
    restarts: int
    since: str = ""
    says: str = ""
    silence_s: float | None = None


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a governor leaves to its successor.

    Attributes:
        sockets: the folder in which it listens, also to children that outlive it.
        configuration: by key, a mark of what the configuration said that is in force; empty where nobody said.
        added, removed: what was changed while it ran: handlers, and names of children.
    """

    governor: Identity
    kind: str
    deployment: str
    sockets: str
    configuration: dict[str, str] = {}
    children: tuple[ChildRecord, ...] = ()
    added: tuple[HandlerProcess, ...] = ()
    removed: tuple[str, ...] = ()

    def is_alive(self) -> bool:
        """Whether the governor, or any child of it, runs."""
        return self.governor.is_alive() or any(child.identity.is_alive() for child in self.children)


def read_record(path: Path) -> Record | None:
    """The record, if there is one.

    Raises:
        ProcessError: it cannot be read.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=Record)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError) as error:
        raise ProcessError(
            f"{path} cannot be read ({error}); end the processes of this deployment that still run, and delete it"
        ) from None


def write_record(path: Path, record: Record) -> None:
    """Put a record in place of the one that is there. Raises OSError."""
    new = path.with_name(f"{path.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(msgspec.json.encode(record))
    new.replace(path)
