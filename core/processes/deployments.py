"""Several deployments on one machine: what each claims, so that two of them do not meet at one address."""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from core.file_lock import FileLock, Held
from core.listening import cannot_listen
from core.processes.identity import Identity
from core.processes.places import Places, private_folder
from core.processes.port import ProcessError
from core.processes.record import read_record

_EVERYWHERE: Final = ("*", "0.0.0.0", "::")  # noqa: S104  # compared with, never bound to
_LOCK_S: Final = 5.0


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """What one deployment has for itself.

    Attributes:
        deployment: its configuration file, or the data folder where there is none.
        governor: None while it only asks.
        addresses: key of the configuration → address, as ``127.0.0.1:8080`` or ``tcp://127.0.0.1:4242``.
    """

    deployment: str
    data_dir: str
    addresses: dict[str, str]
    governor: Identity | None = None


def clash(own: Claim, others: Sequence[Claim]) -> str | None:
    """What of a claim another one has already, in a sentence; None: nothing."""
    for other in others:
        if other.data_dir == own.data_dir and other.deployment != own.deployment:
            return f"data_dir: {own.data_dir} is that of the deployment {other.deployment}, which runs; set another one"
        if other.data_dir == own.data_dir:
            continue
        for key, address in own.addresses.items():
            for their_key, theirs in other.addresses.items():
                if _meet(address, theirs):
                    return (
                        f"{key}: {address} is taken by {their_key} of the deployment {other.deployment}; "
                        "set another port"
                    )
    return None


def clash_within(addresses: Mapping[str, str]) -> str | None:
    """Two addresses of one configuration that meet, in a sentence."""
    pairs = list(addresses.items())
    for place, (key, address) in enumerate(pairs):
        for other_key, other in pairs[:place]:
            if _meet(address, other):
                return f"{key}: {address} is what {other_key} has, too; set another port"
    return None


def refuse_others(deployment: str, places: Places) -> None:
    """Let a command act on what runs in a data folder only where that is of its own configuration.

    Raises:
        ProcessError: it is another deployment's, or its record cannot be read.
    """
    record = read_record(places.record)
    if record is not None and record.is_alive() and record.deployment != deployment:
        raise ProcessError(
            f"data_dir: {places.data_dir} is that of the deployment {record.deployment}, which runs; set another one, or ask with "
            "the configuration of that one"
        )


class Deployments:
    """The claims of those that run."""

    def __init__(self) -> None:
        """Raises ProcessError: there is no place for them."""
        self._folder = private_folder() / "deployments"
        self._folder.mkdir(mode=0o700, exist_ok=True)

    def check(self, own: Claim, places: Places) -> None:
        """See whether a deployment could start.

        Raises:
            ProcessError: another one has what it wants, or another program has one of its ports.
        """
        if sentence := clash_within(own.addresses) or clash(own, self._others(own, places)):
            raise ProcessError(sentence)
        record = read_record(places.record)
        if record is None or not record.is_alive():
            for key, address in own.addresses.items():
                _probe(key, address)

    def claim(self, own: Claim, places: Places) -> None:
        """Check, and write the claim down; of two at once the later one sees the earlier. Raises ProcessError."""
        with self._alone():
            self.check(own, places)
            self._file(own.data_dir).write_bytes(msgspec.json.encode(own))

    def leave(self, data_dir: str) -> None:
        """The deployment runs no longer."""
        self._file(data_dir).unlink(missing_ok=True)

    def data_dir_of(self, deployment: str) -> Path | None:
        """Where a deployment that runs has its data, by its configuration file; None: it does not run."""
        claims = [claim for claim in self._claims() if claim.deployment == deployment and _runs(claim)]
        return Path(claims[0].data_dir) if claims else None

    def _others(self, own: Claim, places: Places) -> list[Claim]:
        """Those that run; and whoever uses this data folder by another name. What is left of others is cleared away."""
        found: list[Claim] = []
        for claim in self._claims():
            if _runs(claim):
                found.append(claim)
            elif claim.data_dir != own.data_dir:
                self.leave(claim.data_dir)
        record = read_record(places.record)
        if record is not None and record.is_alive() and record.deployment != own.deployment:
            found.append(Claim(deployment=record.deployment, data_dir=own.data_dir, addresses={}))
        return found

    def _claims(self) -> Iterator[Claim]:
        for file in sorted(self._folder.glob("*.json")):
            with contextlib.suppress(OSError, msgspec.DecodeError):
                yield msgspec.json.decode(file.read_bytes(), type=Claim)

    def _file(self, data_dir: str) -> Path:
        return self._folder / f"{hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]}.json"

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        lock = FileLock(self._folder / "lock")
        try:
            lock.take_within(_LOCK_S)
        except Held as held:
            raise ProcessError(f"{self._folder} is held by process {held.holder}; try again") from None
        try:
            yield
        finally:
            lock.release()


def _runs(claim: Claim) -> bool:
    if claim.governor is not None and claim.governor.is_alive():
        return True
    try:
        record = read_record(Places(Path(claim.data_dir)).record)
    except ProcessError:
        return False
    return record is not None and record.deployment == claim.deployment and record.is_alive()


def _meet(one: str, other: str) -> bool:
    """Whether two addresses cannot both be listened at."""
    if "://" in one and not one.startswith("tcp://"):
        return one == other
    if "://" in other and not other.startswith("tcp://"):
        return False
    (host, port), (their_host, their_port) = _split(one), _split(other)
    return port == their_port and port.isdecimal() and port != "0" and (
        host == their_host or host in _EVERYWHERE or their_host in _EVERYWHERE
    )  # fmt: skip


def _split(address: str) -> tuple[str, str]:
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    host = host.strip("[]").lower()
    return "127.0.0.1" if host == "localhost" else host, port


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _probe(key: str, address: str) -> None:
    """Whether a program that nobody told us of is there. Raises ProcessError."""
    host, port = _split(address)
    if ("://" in address and not address.startswith("tcp://")) or not port.isdecimal() or port == "0":
        return
    if host != "*" and not _is_number(host):  # ZeroMQ takes names of interfaces, which nobody else can bind
        return
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            line.bind(("" if host == "*" else host, int(port)))
            line.listen()
        except OSError as error:
            raise ProcessError(str(cannot_listen(address, key, error))) from None
