"""``/job dead``: the runs that failed for good, run again or dropped, a page at a time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Sequence
from typing import Final, Literal

from discord import ButtonStyle, app_commands, ui

from cogs.answers import defer, show, tell
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.front import Interaction, core_of
from cogs.job.cards import run_row
from cogs.job.running import belonging_to
from cogs.job.work import hidden_in, with_args
from cogs.places import require_home
from cogs.texts import one_line, stamp
from schedule_zero.schedule import MESSAGES
from schedule_zero.views import DeadChange, DeadLetter

Action = Literal["replay", "drop"]
ROWS: Final = 8
_FETCHED: Final = 200
_LOOKED_THROUGH: Final = 2_000
STALE: Final = "These are others than those the card showed, so nothing was done."
_DONE: Final = {"replayed": "run again", "dropped": "dropped", "gone": "gone meanwhile", "refused": "not done"}


@app_commands.command(name="dead", description="List what failed for good, run it again or drop it")
@app_commands.describe(page="Which page", action="What to do with all that stands on that page; left out, nothing")
async def dead(
    interaction: Interaction, page: app_commands.Range[int, 1, 100] = 1, action: Action | None = None
) -> None:
    """List dead letters, or deal with a page of them."""
    await defer(interaction)
    letters, more = await _letters(interaction, page)
    if action is None:
        await show(interaction, await _card(interaction, letters, page, more=more))
    else:
        await _deal(interaction, letters, page, action)


@on_press("dead")
async def turn(interaction: Interaction, subject: str, detail: str) -> None:
    """Show another page, or deal with this one if it is still the same."""
    await defer(interaction)
    page = int(subject)
    action, _, seen = detail.partition(".")
    letters, more = await _letters(interaction, page)
    if action == "replay" and seen == _mark(letters):
        await _deal(interaction, letters, page, "replay")
    elif action == "drop" and seen == _mark(letters):
        await _deal(interaction, letters, page, "drop")
    else:
        await show(interaction, await _card(interaction, letters, page, more=more))
        if action:
            await tell(interaction, STALE)


async def _letters(interaction: Interaction, page: int) -> tuple[list[DeadLetter], bool]:
    """The jobs' dead letters of a page, newest first, and whether there are more."""
    core, home = core_of(interaction), require_home(interaction, "/job")
    found: list[DeadLetter] = []
    cursor: str | None = None
    looked = 0
    while len(found) <= page * ROWS and looked < _LOOKED_THROUGH:
        view = await core.list_dead(guild_id=home, limit=_FETCHED, cursor=cursor)
        found += [letter for letter in view.items if letter.run.handler != MESSAGES]
        looked += len(view.items)
        cursor = view.next
        if cursor is None:
            break
    return found[(page - 1) * ROWS : page * ROWS], len(found) > page * ROWS


async def _deal(interaction: Interaction, letters: Sequence[DeadLetter], page: int, action: Action) -> None:
    """Run them again, or drop them, and say of each what became of it."""
    core, ids = core_of(interaction), [letter.run.id for letter in letters]
    if not ids:
        await show(interaction, await _card(interaction, letters, page, more=False))
        return
    key = f"interaction:{interaction.id}"
    change = await (core.replay_dead(ids, key=key) if action == "replay" else core.drop_dead(ids, key=key))
    heading = "Run again" if action == "replay" else "Dropped"
    look = [CardButton("Refresh", "dead", "1")]
    await show(interaction, card(f"{heading}: dead letters", _fates(change), buttons=look))


def _fates(change: DeadChange) -> str:
    rows = []
    for fate in change.items:
        row = f"- `{fate.id}`: {_DONE[fate.fate]}"
        row += f" as `{fate.run}`" if fate.run else ""
        rows.append(f"{row}: {one_line(fate.why, 200)}" if fate.why else row)
    return "\n".join(rows)


async def _card(interaction: Interaction, letters: Sequence[DeadLetter], page: int, *, more: bool) -> ui.LayoutView:
    if not letters:
        back = [CardButton("◀ Back", "dead", str(page - 1))] if page > 1 else []
        return card("No dead letters", "Nothing failed for good that was not run again or dropped.", buttons=back)
    mark = _mark(letters)
    buttons = [
        CardButton("Run these again", "dead", str(page), f"replay.{mark}", style=ButtonStyle.success),
        CardButton("Drop these", "dead", str(page), f"drop.{mark}", style=ButtonStyle.danger),
    ]
    if more or page > 1:
        buttons.append(CardButton("◀ Back", "dead", str(max(1, page - 1)), disabled=page == 1))
        buttons.append(CardButton("Next ▶", "dead", str(page + 1), disabled=not more))
    rows = await asyncio.gather(*(_row(interaction, letter) for letter in letters))
    return card(f"Dead letters, page {page}", "\n".join(rows), buttons=buttons)


async def _row(interaction: Interaction, letter: DeadLetter) -> str:
    (run,) = await with_args(core_of(interaction), [letter.run])
    hidden = hidden_in(*await belonging_to(interaction, run), run)
    head = f"**{one_line(f'{run.handler}.{run.method}', 80)}** · since {stamp(letter.at, 'R')}"
    return f"{head}\n{run_row(run, hidden)}"


def _mark(letters: Sequence[DeadLetter]) -> str:
    """What tells one page of letters from another."""
    return f"{zlib.crc32(' '.join(letter.run.id for letter in letters).encode()):08x}"
