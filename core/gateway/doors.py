"""All that other processes connect to: handlers, clients, and listeners to events."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from core.engine.ports import Clock
from core.gateway.clients import Clients, Parts
from core.gateway.exposure import Curve
from core.gateway.gateway import Gateway, Host
from core.gateway.guard import Guard
from core.gateway.hints import Hints
from core.gateway.pair import ensure_pair
from core.service.service import Service


class Listening(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen; None: nowhere. ``curve``: what is encrypted."""

    handlers: str | None = None
    clients: str | None = None
    events: str | None = None
    curve: Curve = "auto"


class Doors:
    """Opened together, and closed in order: clients ask nothing more while handlers still answer.

    Attributes:
        handlers_at, clients_at, events_at: the addresses, with the ports that were found.
    """

    def __init__(
        self, listening: Listening, host: Host, service: Service, parts: Parts, clock: Clock, data_dir: Path,
        cluster: str | None = None,
    ) -> None:  # fmt: skip
        """``data_dir``: where the core's own key lies, or is put; ``cluster``: the database that several cores share."""
        self._listening = listening
        pair = ensure_pair(data_dir)
        self._guard = Guard(service.keyring, clock, pair, listening.curve)
        self._gateway = Gateway(host, clock, self._guard, service.keys.register, cluster)
        self._clients = Clients(service, self._guard, parts, clock)
        self._hints = Hints(service, self._guard)
        self._closing_to_clients = False
        self.handlers_at: str | None = None
        self.clients_at: str | None = None
        self.events_at: str | None = None

    def open(self) -> list[asyncio.Task[Any]]:
        """Listen; the tasks that must not end.

        Raises:
            CannotListen: an address is taken, not ours, or may not be bound without encryption.
        """
        where = self._listening
        running = []
        if where.handlers is not None:
            self.handlers_at = self._gateway.bind(where.handlers)
            running.append((self._gateway.run, "the gateway"))
        if where.clients is not None:
            self.clients_at = self._clients.bind(where.clients)
            running.append((self._clients.run, "the clients' door"))
        if where.events is not None:
            self.events_at = self._hints.bind(where.events)
            running.append((self._hints.run, "the events' door"))
        return [asyncio.create_task(run(), name=name) for run, name in running]

    async def close_to_clients(self) -> None:
        """Take no requests any more."""
        if self.clients_at is not None and not self._closing_to_clients:
            self._closing_to_clients = True
            await self._clients.close()

    async def close(self) -> None:
        """Close what is open."""
        await self.close_to_clients()
        if self.events_at is not None:
            await self._hints.close()
        if self.handlers_at is not None:
            await self._gateway.close()
        await self._guard.close()
