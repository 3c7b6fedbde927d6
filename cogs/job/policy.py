"""``/job policy``: how a job's work is tried, and the rules of its times."""

from __future__ import annotations

from typing import Any, Final, get_args

from discord import app_commands

from cogs.answers import defer
from cogs.durations import read_duration
from cogs.front import Interaction
from cogs.items import resolve_job
from cogs.options import CHOICES, Choices, HeededCalendarText, HeededHoursText, JobText, Text
from cogs.policies import RULES, change_policy
from cogs.refusals import Refusal
from schedule_zero.schedule import Backoff, Catchup, ClockChange, MonthEnd, OnClash, Overlap

_OFFERED: Final = {
    "exponential": "exponential: each pause twice as long as the one before",
    "exponential 1 s, 5 min": "exponential, from 1 s up to 5 min",
    "fixed 30 s": "fixed: 30 s each time",
    "list 10 s, 1 min, 10 min": "list: 10 s, then 1 min, then 10 min",
}


class Pauses(Text):
    """``backoff``: ``exponential``, ``fixed`` or ``list``, perhaps with lengths of time behind it."""

    option = "backoff"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        wanted = str(value).strip().casefold()
        fitting = [text for text in _OFFERED if text.startswith(wanted)]
        return [app_commands.Choice(name=_OFFERED[text], value=text) for text in fitting[:CHOICES]]


PausesText = app_commands.Transform[str, Pauses]


@app_commands.command(name="policy", description="Set how a job is tried, and the rules of its times")
@app_commands.describe(
    item="Which job",
    timeout="How long one attempt may take: 30 s, 5 min, 2 h",
    max_attempts="How often a run is tried; 1: once",
    backoff="How long is waited between attempts: exponential, fixed 30 s, list 10 s, 1 min",
    overlap="What becomes of a run while the one before it is not over",
    **RULES,
)
async def policy(  # noqa: PLR0913, PLR0917  # as many as the command has options
    interaction: Interaction,
    item: JobText,
    timeout: str | None = None,  # an option of the command
    max_attempts: app_commands.Range[int, 1, 20] | None = None,
    backoff: PausesText | None = None,
    overlap: Overlap | None = None,
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
    retry: dict[str, Any] = {} if max_attempts is None else {"max_attempts": max_attempts}
    retry |= {} if backoff is None else pauses_in(backoff)
    said = {
        "timeout": None if timeout is None else read_duration("timeout", timeout), "retry": retry or None,
        "overlap": overlap, "catchup": catchup, "dst": dst, "month_end": month_end,
    }  # fmt: skip
    await change_policy(
        interaction,
        await resolve_job(interaction, item),
        said,
        calendar=calendar,
        on_clash=on_clash,
        active_hours=active_hours,
        outside=outside,
    )


def pauses_in(text: str) -> dict[str, Any]:
    """What of a retry policy the words of ``backoff`` say.

    Raises:
        Refusal: they are none.
    """
    kind, _, rest = text.partition(" ")
    kind = kind.rstrip(":,").casefold()
    if kind not in get_args(Backoff):
        raise Refusal("`backoff` begins with exponential, fixed or list; write for example `fixed 30 s`.")
    lengths = [read_duration("backoff", part) for part in rest.split(",") if part.strip()]
    if kind == "list":
        if not lengths:
            raise Refusal("`backoff`: a list needs its pauses; write for example `list 10 s, 1 min, 10 min`.")
        return {"backoff": kind, "delays": lengths}
    if len(lengths) > (1 if kind == "fixed" else 2):
        raise Refusal(
            f"`backoff`: {kind} takes {'one pause' if kind == 'fixed' else 'the first and the longest pause'}."
        )
    return {"backoff": kind} | dict(zip(("initial", "maximum"), lengths, strict=False))
