"""``/calendar blackout``: stretches of time in which nothing of a server is done."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Final

import discord
from discord import app_commands, ui

from cogs.answers import defer
from cogs.answers import show as show_card
from cogs.calendar.affected import changes_since, glance
from cogs.calendar.days import zone_of
from cogs.cards import card
from cogs.drafts import carry_out, moment_of
from cogs.front import Interaction, core_of
from cogs.naming import called, not_called, several_fit
from cogs.options import CHOICES, Choices, From, Text, ToText, suggestions
from cogs.places import require_home
from cogs.texts import list_of, one_line, plain_line, stamp
from schedule_zero import instant
from schedule_zero.closings import BlackoutScope, BlackoutView, NewBlackout
from schedule_zero.ids import is_id
from schedule_zero.views import Suggestion, Suggestions

blackout = app_commands.Group(name="blackout", description="Times in which nothing is done here")
NOW: Final = "now"
_SCOPES: Final = {"all": "messages and jobs", "messages": "messages", "jobs": "jobs"}


class Begin(From):
    """``from`` of a blackout, which may begin at once."""

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        found = await super().autocomplete(interaction, value)
        if not NOW.startswith(str(value).strip().casefold()):
            return found
        return [app_commands.Choice(name=NOW, value=NOW), *found[: CHOICES - 1]]


class Which(Text):
    """``which``: a blackout, by its reason; while typing, also by its time."""

    option = "which"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_offers(interaction, str(value)), self.option)


@blackout.command(name="add", description="Keep a stretch of time free of everything this server does")
@app_commands.rename(begin="from", end="to")
@app_commands.describe(
    begin="When it begins: now, friday 18:00, 2026-12-24 00:00",
    end="When it ends: monday 8:00, 2027-01-02 00:00",
    reason="Why; previews and skipped times name it",
    scope="What rests meanwhile",
)
async def add_blackout(
    interaction: Interaction, begin: app_commands.Transform[str, Begin], end: ToText, reason: app_commands.Range[str, 1, 200] = "",
    scope: BlackoutScope = "all",
) -> None:  # fmt: skip
    """Add a blackout."""
    await defer(interaction)
    await carry_out(interaction, partial(_add, reason=reason, scope=scope), from_=begin, to=end)


async def _add(interaction: Interaction, *, from_: str, to: str, reason: str, scope: BlackoutScope) -> None:
    home, zone = require_home(interaction, "/calendar"), await zone_of(interaction)
    if from_.casefold() == NOW:
        start = instant.spell(instant.from_datetime(discord.utils.utcnow()))
    else:
        start = await moment_of(interaction, from_, "from", zone)
    asked = NewBlackout(
        begin=start, end=await moment_of(interaction, to, "to", zone), reason=plain_line(reason, 200), scope=scope
    )
    before = await glance(interaction)
    saved = await core_of(interaction).add_blackout(home, asked)
    note = "-# What is due but once meanwhile comes when it ends; series skip it. `/calendar blackout remove` takes it back."
    await show_card(
        interaction, _blackout_card("Blackout added", saved, zone, await changes_since(interaction, before), note)
    )


@blackout.command(name="remove", description="Remove a blackout, before or while it lasts")
@app_commands.describe(which="Which blackout")
async def remove_blackout(interaction: Interaction, which: app_commands.Transform[str, Which]) -> None:
    """Remove a blackout."""
    await defer(interaction)
    home, zone = require_home(interaction, "/calendar"), await zone_of(interaction)
    id = which if is_id(which, "blk") else await _by_reason(interaction, home, which)
    before = await glance(interaction)
    gone = await core_of(interaction).remove_blackout(home, id)
    changes = await changes_since(interaction, before)
    await show_card(interaction, _blackout_card("Blackout removed", gone, zone, changes))


@blackout.command(name="list", description="List the blackouts that are not over")
async def list_blackouts(interaction: Interaction) -> None:
    """List blackouts."""
    await defer(interaction)
    found = (await core_of(interaction).list_blackouts(require_home(interaction, "/calendar"))).items
    await show_card(
        interaction, card("Blackouts", list_of(map(line_of, found)) or "None; `/calendar blackout add` makes one.")
    )


def line_of(view: BlackoutView) -> str:
    """A blackout in one line."""
    reason = f" · {one_line(view.reason, 120)}" if view.reason else ""
    return f"{stamp(view.begin, 'f')} to {stamp(view.end, 'f')}{reason} · {_SCOPES[view.scope]}"


def _blackout_card(heading: str, view: BlackoutView, zone: str, *blocks: str) -> ui.LayoutView:
    facts = f"**From** {stamp(view.begin)}\n**To** {stamp(view.end)}\n**Rests**: {_SCOPES[view.scope]} · {zone}"
    reason = f"**Reason**: {one_line(view.reason, 200)}" if view.reason else ""
    return card(heading, facts, reason, *blocks)


async def _by_reason(interaction: Interaction, home: str, text: str) -> str:
    """The id of the one blackout with exactly that reason, or written as it is suggested: removing cannot be undone."""
    found = (await core_of(interaction).list_blackouts(home)).items
    exact = called(text, found, _name) or called(text, found, _label)
    if len(exact) > 1:
        raise several_fit(len(exact), "blackout", text, "which")
    if not exact:
        raise not_called("blackout", text, map(_name, _fitting(found, text)), "which", "reason")
    return exact[0].id


def _fitting(found: Iterable[BlackoutView], text: str) -> list[BlackoutView]:
    wanted = text.strip().casefold()
    return [each for each in found if wanted in _label(each).casefold()]


async def _offers(interaction: Interaction, text: str) -> Suggestions:
    found = (await core_of(interaction).list_blackouts(require_home(interaction, "/calendar"))).items
    return Suggestions(items=tuple(Suggestion(name=_label(each), value=each.id) for each in _fitting(found, text)))


def _label(view: BlackoutView) -> str:
    begin, end = (text[:16].replace("T", " ") for text in (view.begin, view.end))
    return f"{begin} to {end}{f' · {view.reason}' if view.reason else ''}"


def _name(view: BlackoutView) -> str:
    """What people know it by: the reason, or the time of what has none; spaces as ``which`` has them."""
    return " ".join(view.reason.split()) or _label(view)
