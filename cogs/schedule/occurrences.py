"""``/schedule skip`` and ``move``: a single time of a schedule, which else stays as it is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Final

from discord import app_commands

from cogs.answers import defer
from cogs.drafts import carry_out, moment_of
from cogs.front import Interaction, core_of, home_of
from cogs.items import resolve_item
from cogs.options import CHOICE_TEXT, CHOICES, Choices, ItemText, Text, ToText, suggestions
from cogs.refusals import Refusal
from cogs.shown import show_change
from cogs.texts import moment, shorten, stamp
from schedule_zero import instant
from schedule_zero.errors import Invalid
from schedule_zero.ids import is_id
from schedule_zero.schedule import Schedule
from schedule_zero.views import Fire, Suggestion, Suggestions

_OFFERED: Final = 3


class Which(Text):
    """``which``: one of the next times of the schedule in ``item``."""

    option = "which"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(_next_times(interaction, str(value)), self.option)


WhichText = app_commands.Transform[str, Which]


@app_commands.command(name="skip", description="Leave one time of a schedule out; you can undo it")
@app_commands.describe(item="Which schedule", which="Which of its times; left out, the next one")
async def skip(interaction: Interaction, item: ItemText, which: WhichText | None = None) -> None:
    """Leave one due time out."""
    await defer(interaction)
    await carry_out(interaction, partial(_skip, item=item), which=which)


async def _skip(interaction: Interaction, *, item: str, which: str | None) -> None:
    core, schedule = core_of(interaction), await _schedule(interaction, item)
    due = await _due(interaction, schedule, which)
    with _refused_in_words(schedule, due):
        changed = await core.skip_occurrence(schedule.id, due)
    await show_change(interaction, changed, "Skipped", done=f"Left out: {moment(due)}")


@app_commands.command(name="move", description="Let one time of a schedule come at another moment; you can undo it")
@app_commands.describe(
    item="Which schedule",
    to="When it comes instead: tomorrow at 10, friday 18:30",
    which="Which of its times; left out, the next one",
)
async def move(interaction: Interaction, item: ItemText, to: ToText, which: WhichText | None = None) -> None:
    """Let one due time come at another moment."""
    await defer(interaction)
    await carry_out(interaction, partial(_move, item=item), to=to, which=which)


async def _move(interaction: Interaction, *, item: str, to: str, which: str | None) -> None:
    core, schedule = core_of(interaction), await _schedule(interaction, item)
    due = await _due(interaction, schedule, which)
    at = await moment_of(interaction, to, "to", schedule.timezone)
    with _refused_in_words(schedule, due):
        changed = await core.move_occurrence(schedule.id, at, due)
    await show_change(interaction, changed, "Moved", done=f"Moved: {moment(due)} comes at {moment(at)} instead")


async def _schedule(interaction: Interaction, item: str) -> Schedule:
    return await core_of(interaction).get_schedule(await resolve_item(interaction, item))


async def _due(interaction: Interaction, schedule: Schedule, which: str | None) -> str:
    """The due time that is meant, as an instant; whether there is one is the core's to say.

    Raises:
        Invalid: it cannot be read.
        Refusal: none was named, and there is no next one.
    """
    if which is None:
        if not schedule.next_fire_times:
            raise Refusal("Nothing of this schedule is due at the moment; `/schedule show` says why.")
        return schedule.next_fire_times[0]
    try:
        instant.parse(which)
    except (ValueError, OverflowError):
        return await moment_of(interaction, which, "which", schedule.timezone)
    return which


@contextlib.contextmanager
def _refused_in_words(schedule: Schedule, due: str) -> Iterator[None]:
    """A time at which the schedule is not due is told with times as Discord shows them."""
    try:
        yield
    except Invalid as error:
        if not any(mistake.field == "occurrence" for mistake in error.errors):
            raise
        coming = ", ".join(stamp(at, "f") for at in schedule.next_fire_times[:_OFFERED])
        raise Refusal(f"`which`: it is not due at {stamp(due, 'f')}; its next times are {coming}.") from None


async def _next_times(interaction: Interaction, text: str) -> Suggestions:
    """The next times of the schedule that stands in ``item``, those that contain the half-typed text."""
    core, item = core_of(interaction), str(getattr(interaction.namespace, "item", "") or "").strip()
    if not is_id(item, "sch"):
        found = (await core.suggest_schedules(item, guild_id=home_of(interaction))).items if item else ()
        if len(found) != 1:
            return Suggestions(items=())
        item = found[0].value
    fires = (await core.preview_schedule(item, n=CHOICES)).fires
    wanted = text.strip().casefold()
    rows = [Suggestion(name=_label(fire), value=fire.at) for fire in fires]
    return Suggestions(
        items=tuple(row for row in rows if wanted in row.name.casefold() or wanted == row.value.casefold())
    )


def _label(fire: Fire) -> str:
    local = datetime.fromisoformat(fire.local)
    clock = f"{local:%H:%M:%S}" if local.second else f"{local:%H:%M}"
    note = f" · {fire.notes[0]}" if fire.notes else ""
    return shorten(f"{local:%a} {local.day} {local:%b %Y} {clock}{note}", CHOICE_TEXT)
