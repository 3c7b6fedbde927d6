"""``Client``: a core, by its address."""

from __future__ import annotations

from collections.abc import AsyncIterator

from schedule_zero.actor import Actor
from schedule_zero.client import CoreClient
from schedule_zero.event import Event
from schedule_zero.requests import Request
from schedule_zero.transport.http import HttpClient
from schedule_zero.transport.keyfile import KeyFile
from schedule_zero.views import View


class Client(CoreClient):
    """Asks the core at an address.

    ``http://host:port`` reaches its HTTP API, ``tcp://host:port`` or ``ipc://path`` its door for clients
    (``zmq.clients``). ``key`` is a token of the core or, for the latter, what a key file holds.
    """

    def __init__(self, address: str, key: str | KeyFile | None = None) -> None:
        """
        Raises:
            ValueError: the address is not one this version can speak to.
        """
        self._carrier = carrier_to(address, key)

    async def send(self, request: Request) -> View:
        return await self._carrier.send(request)

    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        return self._carrier.events(after, kinds=kinds)

    def acting_as(self, actor: Actor) -> CoreClient:
        return self._carrier.acting_as(actor)

    async def close(self) -> None:
        await self._carrier.close()


def carrier_to(address: str, key: str | KeyFile | None) -> CoreClient:
    """The client that carries requests to this address.

    Raises:
        ValueError: there is none.
    """
    if address.startswith(("tcp://", "ipc://", "inproc://")):
        from schedule_zero.transport.zmq_client import ZmqClient  # noqa: PLC0415 - loaded by whoever speaks it

        return ZmqClient(address, key)
    return HttpClient(address, key.token if isinstance(key, KeyFile) else key)
