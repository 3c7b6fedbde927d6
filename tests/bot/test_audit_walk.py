"""An admin, Discord and `up`: a setting changed in Discord, found in the audit there, and taken back by the API."""

from __future__ import annotations

import pytest

from tests.bot.test_job_walk import Admin, admin, said
from tests.discord_server import world

__all__ = ["admin"]  # a fixture

pytestmark = pytest.mark.slow


async def test_what_is_changed_in_discord_stands_in_the_audit_there_and_goes_back_by_the_api(admin: Admin) -> None:
    await admin.asks("settings timezone", tz="Asia/Tokyo")
    listed = said(await admin.asks("audit list", action="guild.settings"))
    assert f" <@{world.OPERATOR}> changed the server's settings" in listed
    assert "(by" not in listed
    (line,) = (await admin.client.list_audit(any_guild=True, action="guild.settings")).items
    assert (line.actor, line.via, line.back) == (f"member:{world.OPERATOR}", "discord", "undo")
    reverted = await admin.client.revert_audit(line.id)
    assert reverted.settings is not None
    assert reverted.settings.timezone == "UTC"
    (back,) = (await admin.client.list_audit(any_guild=True, action="guild.revert")).items
    assert (back.actor, back.via) == ("operator:operator", "http")
    joined = (await admin.client.list_audit(any_guild=True, action="guild.join")).items
    assert {(each.actor, each.via) for each in joined} == {("operator:operator", "discord")}
