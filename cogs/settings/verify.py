"""``/settings verify``: the code from the dashboard that proves who manages the server."""

from __future__ import annotations

from discord import app_commands

from cogs.answers import defer, show
from cogs.cards import notes_card
from cogs.front import Interaction, core_of
from cogs.options import CodeText
from cogs.places import require_home
from cogs.refusals import about
from cogs.texts import one_line
from schedule_zero.views import GuildView


@app_commands.command(name="verify", description="Verify this server with a code from the dashboard")
@app_commands.describe(code="The code that the dashboard shows to who manages this server; good for 15 minutes")
async def verify(interaction: Interaction, code: CodeText) -> None:
    """Give the server the plan of verified ones."""
    await defer(interaction)
    with about("code"):
        done = await core_of(interaction).verify_guild(require_home(interaction, "/settings"), code)
    await show(interaction, notes_card("Verified", _said(done)))


def _said(view: GuildView) -> str:
    return f"This server is verified; its plan is **{one_line(view.plan, 60)}**. `/quota show` says what it may use."
