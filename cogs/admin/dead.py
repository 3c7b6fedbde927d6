"""``/admin dead replay``: what failed for good is run again, after a look at how much that is."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import discord
from discord import app_commands, ui

from cogs.admin.governor import by
from cogs.admin.options import GuildText, resolve_guild
from cogs.answers import defer, show
from cogs.cards import card
from cogs.drafts import Question
from cogs.front import Interaction, service_of
from cogs.options import AnyItemText, HandlerText
from cogs.refusals import Refusal
from cogs.texts import list_of, one_line, stamp
from schedule_zero.ids import is_id
from schedule_zero.views import DeadFate, DeadLetter, DeadPage

SHOWN: Final = 8
_FETCHED: Final = 200
_WHYS_SHOWN: Final = 5
_DONE: Final[dict[str, str]] = {"replayed": "run again", "gone": "gone meanwhile", "refused": "not done"}

dead = app_commands.Group(name="dead", description="What failed for good, in all servers")


@dead.command(name="replay", description="Run again what failed for good, of a server, a handler or a schedule")
@app_commands.describe(
    guild="Only this server's", handler="Only what this handler did", item="Only of this schedule, by its id"
)
async def replay(
    interaction: Interaction,
    guild: GuildText | None = None,
    handler: HandlerText | None = None,
    item: AnyItemText | None = None,
) -> None:
    """Show how much it is, and ask."""
    await defer(interaction)
    if guild is None and handler is None and item is None:
        raise Refusal("Say which: a `guild`, a `handler` or an `item`; not everything is run again at once.")
    if item is not None and not is_id(item, "sch"):
        raise Refusal(f"`item`: {one_line(item, 60)} is no id of a schedule; `/admin find item` finds it.")
    found: dict[str, Any] = {
        "guild_id": None if guild is None else await resolve_guild(interaction, guild), "handler": handler, "schedule_id": item,
    }  # fmt: skip
    page = await service_of(interaction).list_dead(**found, any_guild=guild is None, limit=_FETCHED)
    if not page.items:
        await show(
            interaction, card("No dead letters", "Nothing that fits failed for good and was not run again or dropped.")
        )
        return
    await show(interaction, _Replaying(interaction, page, found))


class _Replaying(Question):
    """How much would be run again, and the button that does it."""

    def __init__(self, interaction: Interaction, page: DeadPage, found: dict[str, Any]) -> None:
        self._found = found
        self._begun = False
        count = f"{len(page.items):,}" + (" and more" if page.next is not None else "")
        words = f"### Run {count} again?\n{list_of(_row(each) for each in page.items[:SHOWN])}"
        super().__init__(interaction, words, [_ReplayButton(self, f"Run {count} again")])

    async def go_on(self, interaction: Interaction) -> None:
        """Run them again, page after page, and say what became of them."""
        core = service_of(interaction)
        if self._begun:
            await interaction.response.defer()  # the second press of a double click
            return
        self._begun = True
        self.stop()
        await defer(interaction)
        fates: list[DeadFate] = []
        cursor: str | None = None
        while True:
            key = f"interaction:{interaction.id}:{cursor}"
            done = await core.replay_dead(key=key, by=by(interaction), cursor=cursor, **self._found)
            fates += done.items
            cursor = done.next
            if cursor is None:
                break
        await show(interaction, card("Dead letters run again", _sums(fates), _whys(fates)))


class _ReplayButton(ui.Button[Any]):
    def __init__(self, replaying: _Replaying, label: str) -> None:
        super().__init__(label=label, style=discord.ButtonStyle.success)
        self._replaying = replaying

    async def callback(self, interaction: Interaction) -> None:
        await self._replaying.go_on(interaction)


def _row(letter: DeadLetter) -> str:
    run = letter.run
    where = f"server `{run.guild_id}`" if run.guild_id else "no server"
    return f"**{one_line(f'{run.handler}.{run.method}', 80)}** · {where} · since {stamp(letter.at, 'R')} · `{run.id}`"


def _sums(fates: list[DeadFate]) -> str:
    counts = Counter(str(fate.fate) for fate in fates)
    return (
        ", ".join(f"**{counts[fate]:,}** {words}" for fate, words in _DONE.items() if counts[fate]) or "None was left."
    )


def _whys(fates: list[DeadFate]) -> str:
    """Why some were not, each reason once."""
    whys = Counter(fate.why for fate in fates if fate.why)
    return list_of(f"{count:,}: {one_line(why, 200)}" for why, count in whys.most_common(_WHYS_SHOWN))
