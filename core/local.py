"""The client inside the process: requests go straight to the service, with no bytes between."""

from __future__ import annotations

from collections.abc import AsyncIterator

from core.service.service import Service
from schedule_zero.actor import OPERATOR, Actor
from schedule_zero.client import CoreClient
from schedule_zero.event import Event
from schedule_zero.requests import Request
from schedule_zero.views import View


class LocalClient(CoreClient):
    """Speaks to a service in this process, for one actor."""

    def __init__(self, service: Service, actor: Actor = OPERATOR) -> None:
        self._service = service
        self._actor = actor

    async def send(self, request: Request) -> View:
        return await self._service.handle(self._actor, request)

    def events(self, after: str | None = None, *, kinds: tuple[str, ...] = ()) -> AsyncIterator[Event]:
        return self._service.follow(self._actor, after, kinds=kinds)

    def acting_as(self, actor: Actor) -> LocalClient:
        return LocalClient(self._service, actor)
