"""``/schedule policy``: the rules of a scheduled message, and what changes about its next times with them."""

from __future__ import annotations

from discord import app_commands

from cogs.answers import defer
from cogs.front import Interaction, core_of
from cogs.items import resolve_item
from cogs.options import HeededCalendarText, HeededHoursText, ItemText
from cogs.policies import RULES, change_policy
from schedule_zero.schedule import Catchup, ClockChange, MonthEnd, OnClash


@app_commands.command(name="policy", description="Set the rules of a schedule, and see what they change")
@app_commands.describe(item="Which schedule", **RULES)
async def policy(
    interaction: Interaction,
    item: ItemText,
    catchup: Catchup | None = None,
    dst: ClockChange | None = None,
    month_end: MonthEnd | None = None,
    calendar: HeededCalendarText | None = None,
    on_clash: OnClash | None = None,
    active_hours: HeededHoursText | None = None,
    outside: OnClash | None = None,
) -> None:
    """Change the rules that are named; without any, show them."""
    await defer(interaction)
    before = await core_of(interaction).get_schedule(await resolve_item(interaction, item))
    await change_policy(
        interaction,
        before,
        {"catchup": catchup, "dst": dst, "month_end": month_end},
        calendar=calendar,
        on_clash=on_clash,
        active_hours=active_hours,
        outside=outside,
    )
