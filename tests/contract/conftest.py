"""One contract, three ways: inside the process, over ZeroMQ and over HTTP, on one real core."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from core.ledger.settings import StoreSettings
from schedule_zero.client import CoreClient
from tests.contract.place import Kind, Place


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Place]:
    """The file's core."""
    made = Place(tmp_path_factory.mktemp("core"), StoreSettings(url="memory"))
    await made.start()
    yield made
    await made.stop()


@pytest.fixture(params=["local", "zmq", "http"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """How the core is asked."""
    found: Kind = request.param
    return found


@pytest_asyncio.fixture(loop_scope="module")
async def any_client(kind: Kind, place: Place) -> AsyncIterator[CoreClient]:
    client = place.client(kind)
    yield client
    await client.close()
