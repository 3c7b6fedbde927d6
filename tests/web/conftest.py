from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio

from core.service.keyring import Keyring
from core.web.app import Web, build_web
from core.web.door import TokenCheck
from core.web.server import HttpServer
from core.web.settings import HttpSettings
from schedule_zero.transport.http import HttpClient
from tests.web import signing
from tests.web.fake import FakeDoor

TOKEN = signing.TOKEN
SETTINGS = HttpSettings(bind="127.0.0.1:0")


def holding(token: str) -> TokenCheck:
    """Who holds this token runs the service, and nobody else is known."""
    keyring = Keyring()
    keyring.trust(token)
    return keyring.api_actor


# One server per file: starting and stopping one costs more than most tests. Tests that need their own make it.


@pytest.fixture(scope="module")
def lasting_door() -> FakeDoor:
    return FakeDoor()


@pytest.fixture
def door(lasting_door: FakeDoor) -> FakeDoor:
    """The door behind the file's server, as new."""
    lasting_door.reset()
    return lasting_door


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def web(lasting_door: FakeDoor) -> Web:
    return build_web(lasting_door, SETTINGS, holding(TOKEN), version="1.2.3")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(web: Web) -> AsyncIterator[HttpServer]:
    server = HttpServer(web, SETTINGS)
    await server.start()
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(server: HttpServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A client that holds the token."""
    async with aiohttp.ClientSession(server.address, headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stranger(server: HttpServer) -> AsyncIterator[aiohttp.ClientSession]:
    """A client without a token."""
    async with aiohttp.ClientSession(server.address) as session:
        yield session


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(server: HttpServer) -> AsyncIterator[HttpClient]:
    client = HttpClient(server.address, TOKEN)
    yield client
    await client.close()
