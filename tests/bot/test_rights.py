"""What is asked of Discord about an author, and for how long the answer counts."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import discord
import pytest

from bot.destination import Destination
from bot.rights import AuthorRights
from cogs.mentions import Mentions
from schedule_zero.errors import Reject, RetryAfter
from schedule_zero.views import GuildSettings

AUTHOR = "123456789012345678"
GONE = {"code": 10007, "message": "Unknown Member"}


def not_found(body: Any) -> discord.NotFound:
    return discord.NotFound(cast(Any, SimpleNamespace(status=404, reason="Not Found")), body)


class Server:
    """A server as ``AuthorRights`` sees one: it can be asked for a member, whose rights are what they are now."""

    id = 1

    def __init__(self) -> None:
        self.asked = 0
        self.refusal: Exception | None = None
        self.rights = discord.Permissions.all()
        self.roles: tuple[int, ...] = ()
        self.mentions = Mentions()
        self.settings = GuildSettings(guild_id="1")
        self.open = asyncio.Event()
        self.open.set()
        self.now = 0.0
        self.author_rights = AuthorRights(clock=lambda: self.now)

    async def fetch_member(self, user_id: int) -> Any:
        self.asked += 1
        rights = self.rights
        await self.open.wait()
        if self.refusal is not None:
            raise self.refusal
        roles = [SimpleNamespace(id=id, is_default=lambda: False) for id in self.roles]
        return SimpleNamespace(id=user_id, rights=rights, roles=roles)

    async def fires(self) -> None:
        """A message of the author is due here."""
        channel = SimpleNamespace(type=discord.ChannelType.text)
        to = SimpleNamespace(guild=self, channel=channel, rights_of=lambda member: member.rights)
        await self.author_rights.require(
            AUTHOR, cast(Destination, to), self.mentions, self.settings, personal=False
        )  # fmt: skip


async def test_an_author_is_asked_about_once_however_much_is_due() -> None:
    server = Server()
    await asyncio.gather(*(server.fires() for _ in range(60)))
    await server.fires()
    assert server.asked == 1


async def test_who_lost_a_right_is_refused_ten_minutes_later_at_the_latest() -> None:
    server = Server()
    await server.fires()
    server.rights = discord.Permissions.none()
    server.now = 599.0
    await server.fires()
    server.now = 601.0
    with pytest.raises(Reject, match="no_rights"):
        await server.fires()


async def test_who_came_back_may_post_at_once() -> None:
    server = Server()
    server.refusal = not_found(GONE)
    with pytest.raises(Reject, match="needs_owner"):
        await server.fires()
    server.refusal = None
    await server.fires()


@pytest.mark.parametrize(
    "body",
    [{"code": 10004, "message": "Unknown Guild"}, {"code": 0, "message": "404"}, "<html>an edge of Discord</html>"],
)
async def test_a_404_that_is_not_about_the_author_is_no_proof_that_they_are_gone(body: Any) -> None:
    server = Server()
    server.refusal = not_found(body)
    with pytest.raises(RetryAfter):
        await server.fires()
    server.refusal = None
    await server.fires()


async def test_an_answer_reaches_all_who_wait_for_it_although_the_first_of_them_left() -> None:
    server = Server()
    server.open.clear()
    first = asyncio.create_task(server.fires())
    others = [asyncio.create_task(server.fires()) for _ in range(3)]
    while not server.asked:
        await asyncio.sleep(0)
    first.cancel()
    server.open.set()
    await asyncio.gather(*others)
    assert server.asked == 1
    assert not server.author_rights._asking
