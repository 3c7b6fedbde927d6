"""Who asks in these tests, and a handler that stands for Discord."""

from __future__ import annotations

from typing import Any

from core.local import LocalClient
from schedule_zero import Context, Handler, method
from schedule_zero.actor import ADMINISTRATOR, MANAGE_GUILD, MANAGE_MESSAGES, Actor
from schedule_zero.schedule import Schedule, ScheduleSpec
from schedule_zero.trigger import DateTrigger, Trigger
from tests.engine.house import House

REMINDER = {"kind": "reminder"}


def member(id: str, guild_id: str | None = "1", permissions: int = 0) -> Actor:
    return Actor(kind="member", id=id, guild_id=guild_id, permissions=permissions)


ANNA = member("anna")
"""Somebody without any permission in guild 1."""
BEN = member("ben")
MOD = member("mod", permissions=MANAGE_MESSAGES)
ADMIN = member("admin", permissions=MANAGE_GUILD)
OWNER = member("owner", permissions=ADMINISTRATOR)
STRANGER = member("stranger", "2", ADMINISTRATOR)
ANNA_ELSEWHERE = member("anna", "2", ADMINISTRATOR)
ANNA_ALONE = member("anna", None)
BEN_ALONE = member("ben", None)
CORE = Actor(kind="core", id="core")
OPERATOR = Actor(kind="operator", id="token")


class Post(Handler):
    """Stands for the Discord handler: messages that go nowhere."""

    name = "discord"

    @method()
    async def send_message(self, ctx: Context, channel_id: str, content: str, mentions: list[str] = []) -> Any:  # noqa: B006 - read only
        return None

    @method()
    async def send_dm(self, ctx: Context, user_id: str, content: str) -> Any:
        return None


def as_(house: House, actor: Actor) -> LocalClient:
    """The client of somebody."""
    return house.client.acting_as(actor)


async def post(
    house: House, actor: Actor, text: str = "hello", trigger: Trigger | None = None, **fields: Any
) -> Schedule:
    """A scheduled message in the actor's guild."""
    trigger = trigger or DateTrigger(at=house.clock.in_s(86_400))
    fields = {"guild_id": actor.guild_id, "args": {"channel_id": "7", "content": text}, **fields}
    spec = ScheduleSpec(handler="discord", method="send_message", trigger=trigger, **fields)
    return await as_(house, actor).create_schedule(spec)


async def remind(
    house: House, actor: Actor, text: str = "tea", trigger: Trigger | None = None, **fields: Any
) -> Schedule:
    """A reminder of the actor's own, by direct message."""
    trigger = trigger or DateTrigger(at=house.clock.in_s(86_400))
    fields = {"guild_id": actor.guild_id, "metadata": REMINDER, **fields}
    args = {"user_id": actor.id, "content": text}
    spec = ScheduleSpec(handler="discord", method="send_dm", args=args, trigger=trigger, **fields)
    return await as_(house, actor).create_schedule(spec)
