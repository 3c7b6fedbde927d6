"""``/admin drain`` and ``/admin maintenance``: letting the service give out nothing, and telling everybody why."""

from __future__ import annotations

from functools import partial

from discord import ButtonStyle, app_commands, ui

from cogs.admin.governor import by, who
from cogs.answers import defer, show
from cogs.banner import banner_line
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.drafts import carry_out
from cogs.front import Interaction, front_of, service_of
from cogs.options import UntilText
from cogs.texts import stamp
from schedule_zero.views import Upkeep

drain = app_commands.Group(name="drain", description="Whether anything new is given out")


@drain.command(name="on", description="Give out nothing new; what is under way ends, what is due waits")
async def drain_on(interaction: Interaction) -> None:
    """Drain the whole core."""
    await defer(interaction)
    await show(interaction, _card("Drained", await service_of(interaction).drain_core(by=by(interaction))))


@drain.command(name="off", description="Give out again what waits")
async def drain_off(interaction: Interaction) -> None:
    """Let the whole core go on."""
    await _go_on(interaction)


@on_press("drain_off")
async def press_off(interaction: Interaction, _subject: str, _detail: str) -> None:
    """Let the core of a card go on."""
    await _go_on(interaction)


@app_commands.command(name="maintenance", description="Tell everybody something until a moment, or nothing any more")
@app_commands.describe(
    message="What /status, /help and refusals say; left out, nothing any more",
    until="When it ends by itself; left out, when it is taken away",
)
async def maintenance(
    interaction: Interaction,
    message: app_commands.Range[str, 1, 500] | None = None,
    until: UntilText | None = None,
) -> None:
    """Put up a banner, or take it away."""
    await defer(interaction)
    await carry_out(interaction, partial(_tell, message=message), until=until)


async def _go_on(interaction: Interaction) -> None:
    await defer(interaction)
    await show(interaction, _card("Goes on", await service_of(interaction).resume_core(by=by(interaction))))


async def _tell(interaction: Interaction, *, message: str | None, until: str | None) -> None:
    done = await service_of(interaction).set_maintenance(message, until=until, by=by(interaction))
    front_of(interaction).banner.remember(done.maintenance)
    await show(interaction, _card("Everybody is told" if done.maintenance else "Nothing is told any more", done))


def _card(heading: str, upkeep: Upkeep) -> ui.LayoutView:
    drained, buttons = "Runs are given out.", []
    if upkeep.drained is not None:
        drained = (
            f"Nothing new is given out since {stamp(upkeep.drained.at, 'R')}, by {who(upkeep.drained.by)}. What is under "
            "way ends; what is due waits, also over a restart."
        )
        buttons = [CardButton("Go on", "drain_off", "", style=ButtonStyle.success)]
    return card(heading, drained, banner_line(upkeep.maintenance), buttons=buttons)
