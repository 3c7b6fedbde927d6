"""``/chain``: schedules that run after each other."""

from __future__ import annotations

from typing import Final

import discord
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.buttons import CardButton
from cogs.cards import card
from cogs.durations import read_duration
from cogs.front import Interaction, core_of
from cogs.items import resolve_item
from cogs.options import AfterText, ItemText
from cogs.places import require_home
from cogs.shown import remember
from cogs.texts import CARD_TEXT, fit, list_of, one_line, plain_line, sentence_case, title_of
from schedule_zero.chain import ChainView, drawn
from schedule_zero.schedule import AfterWhen, Schedule

_LINE: Final = 150
_TREE: Final = CARD_TEXT - 900

chain = app_commands.Group(
    name="chain",
    description="Let schedules run after each other",
    default_permissions=discord.Permissions(manage_guild=True),
    allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=False, private_channel=False),
    allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
)
COMMANDS: Final = (chain,)


@chain.command(name="add", description="Let a schedule run after another one; you can undo it")
@app_commands.describe(
    item="Which schedule runs then",
    after="After which one",
    when="If that one succeeded (left out), failed, in any case, or when all it runs after have succeeded",
    delay="How much later: 30 s, 5 min, 2 h",
)
async def add(
    interaction: Interaction, item: ItemText, after: AfterText, when: AfterWhen = "success", delay: str | None = None
) -> None:
    """Add a link, or change the delay of one."""
    await defer(interaction)
    child, parent = await resolve_item(interaction, item), await resolve_item(interaction, after)
    later = "PT0S" if delay is None else read_duration("delay", delay)
    changed = await core_of(interaction).add_link(
        child, parent, when=when, delay=later, key=f"interaction:{interaction.id}"
    )
    await _show_change(interaction, changed, "Linked")


@chain.command(name="remove", description="Let a schedule no longer run after another one; you can undo it")
@app_commands.describe(item="Which schedule", after="After which one it runs no more")
async def remove(interaction: Interaction, item: ItemText, after: AfterText) -> None:
    """Take the links between two schedules away."""
    await defer(interaction)
    child, parent = await resolve_item(interaction, item), await resolve_item(interaction, after)
    await _show_change(interaction, await core_of(interaction).remove_link(child, parent), "Unlinked")


@chain.command(name="show", description="Draw what runs after what")
@app_commands.describe(item="A schedule of the chain")
async def show_chain(interaction: Interaction, item: ItemText) -> None:
    """Draw the chain a schedule belongs to."""
    await defer(interaction)
    core = core_of(interaction)
    schedule = await core.get_schedule(await resolve_item(interaction, item, loosely=True))
    await show(interaction, _card("Chain", schedule, await core.get_chain(schedule.id)))


@chain.command(name="check", description="Look for chains that go in a circle or never run")
async def check(interaction: Interaction) -> None:
    """Say what is wrong with this server's chains."""
    await defer(interaction)
    report = await core_of(interaction).check_chains(guild_id=require_home(interaction, "/chain"))
    wrong = [sentence_case(f"{one_line(trouble.words, 300)}.") for trouble in report.items]
    links = "1 link" if report.links == 1 else f"{report.links} links"
    if not wrong:
        await show(interaction, card("Chains", f"Nothing is wrong with the {links} of this server."))
        return
    await show(interaction, card("Chains", f"Of {links}:", fit(list_of(wrong).split("\n"), CARD_TEXT - 500)))


async def _show_change(interaction: Interaction, changed: Schedule, heading: str) -> None:
    remember(interaction, changed, heading)
    await show(interaction, _card(heading, changed, await core_of(interaction).get_chain(changed.id)))


def _card(heading: str, schedule: Schedule, chain: ChainView) -> ui.LayoutView:
    lines = [_tidied(line) for line in drawn(chain).split("\n")]
    tree = fit(lines, _TREE).replace("```", "'''")
    buttons = [CardButton("Show it", "refresh", schedule.id, schedule.revision)]
    if schedule.undo is not None:
        buttons.append(CardButton("Undo", "undo", schedule.undo.token, style=discord.ButtonStyle.primary))
    notes = "\n".join(f"-# {one_line(note, 300)}" for note in chain.notes)
    small = f"-# `{schedule.id}` · revision {schedule.revision}"
    return card(f"{heading}: {title_of(schedule)}", f"```\n{tree}\n```", notes, small, buttons=buttons)


def _tidied(line: str) -> str:
    """A line of the tree, whose branches stay where they are drawn."""
    bare = line.lstrip("│├└─ ")
    return line[: len(line) - len(bare)] + plain_line(bare, _LINE)
