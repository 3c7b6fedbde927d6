"""``/admin user``: people who may not use the service."""

from __future__ import annotations

from typing import Final

import discord
from discord import ButtonStyle, app_commands

from cogs.admin.governor import by, who
from cogs.answers import defer, show
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, service_of
from cogs.options import WhyText
from cogs.texts import fit, one_line, stamp
from schedule_zero.views import BanView

_ROOM: Final = 3_500

user = app_commands.Group(name="user", description="People who may not use the service")


@user.command(name="ban", description="Refuse what a person asks, everywhere, and start nothing of theirs")
@app_commands.describe(user="Who; of somebody who is not here, the id", why="The reason, which the person is told")
async def ban(interaction: Interaction, user: discord.User, why: WhyText | None = None) -> None:
    """Ban a person."""
    await defer(interaction)
    done = await service_of(interaction).ban_user(str(user.id), why or "", by=by(interaction))
    said = (
        f"{_person(done)} is refused everywhere from now on. Runs of their schedules and reminders are cancelled when their "
        "turn comes; nothing else of theirs is lost."
    )
    undo = CardButton("Unban", "unban", done.user_id, style=ButtonStyle.success)
    await show(
        interaction, card("Banned", said, f"**Why**: {one_line(done.why, 300)}" if done.why else "", buttons=[undo])
    )


@user.command(name="unban", description="Let a banned person in again")
@app_commands.describe(user="Who; of somebody who is not here, the id")
async def unban(interaction: Interaction, user: discord.User) -> None:
    """Unban a person."""
    await defer(interaction)
    await _unban(interaction, str(user.id))


@user.command(name="list", description="List who is banned, the newest first")
async def list_bans(interaction: Interaction) -> None:
    """List the bans."""
    await defer(interaction)
    rows = [_row(each) for each in (await service_of(interaction).list_bans()).items]
    await show(interaction, card("Who is banned", fit(rows, _ROOM) or "Nobody."))


@on_press("unban")
async def press_unban(interaction: Interaction, user_id: str, _detail: str) -> None:
    """Unban the person of a card."""
    await defer(interaction)
    await _unban(interaction, user_id)


async def _unban(interaction: Interaction, user_id: str) -> None:
    done = await service_of(interaction).unban_user(user_id, by=by(interaction))
    said = f"{_person(done)} was banned {stamp(done.at, 'R')} by {who(done.by)}. What was cancelled is not made up for."
    await show(interaction, card("Let in again", said))


def _row(ban: BanView) -> str:
    why = f": {one_line(ban.why, 100)}" if ban.why else ""
    return f"- {_person(ban)} `{ban.user_id}` {stamp(ban.at, 'R')} by {who(ban.by)}{why}"


def _person(ban: BanView) -> str:
    return f"<@{ban.user_id}>" if ban.user_id.isdecimal() else one_line(ban.user_id, 60)
