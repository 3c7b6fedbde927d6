"""Policies: the rules of a schedule changed, and what changes about its next times with them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from cogs.answers import show
from cogs.cards import card, closings_of
from cogs.differences import difference
from cogs.front import Interaction, core_of
from cogs.options import NOTHING
from cogs.refusals import Refusal
from cogs.shown import buttons_of, remember
from cogs.texts import is_job, one_line, stamp, title_of
from schedule_zero import instant
from schedule_zero.instant import say_duration
from schedule_zero.schedule import ActiveHours, Calendar, OnClash, Retry, Schedule
from schedule_zero.views import Fire

COMPARED: Final = 10
RULES: Final = {
    "catchup": "What becomes of times missed while the service was away",
    "dst": "What becomes of times the clocks skip or repeat",
    "month_end": "What becomes of a day that a month lacks",
    "calendar": "Whose days off it heeds; none: of no calendar",
    "on_clash": "What becomes of times on a day off",
    "active_hours": "Which hours it heeds; none: no hours",
    "outside": "What becomes of times outside the hours",
}
"""The options that every policy command has, and what they say of themselves."""
WORDS: Final[dict[str, dict[str, str]]] = {
    "catchup": {
        "skip": "missed times are left out",
        "once": "missed times are made up for once",
        "all": "missed times are all made up for",
    },
    "dst": {
        "debian": "a time the clocks skip comes after the gap, one they repeat comes once",
        "literal": "a time the clocks skip is left out, one they repeat comes twice",
    },
    "month_end": {
        "clamp": "a day a month lacks is its last day",
        "skip": "a day a month lacks is left out",
        "last": "the last day of a month stays the last day",
    },
    "overlap": {
        "queue": "a run waits until the one before it is over",
        "skip": "a run is left out while the one before it is not over",
        "cancel_previous": "a run stops the one before it",
        "allow": "runs may go on at the same time",
    },
}
"""What the words of a policy mean."""


async def change_policy(
    interaction: Interaction,
    before: Schedule,
    policy: dict[str, Any],
    *,
    calendar: str | None,
    on_clash: OnClash | None,
    active_hours: str | None,
    outside: OnClash | None,
) -> None:
    """Change the rules that are named (None: not named) and show the difference; without any, show the rules."""
    core = core_of(interaction)
    changes: dict[str, Any] = {"policy": {name: value for name, value in policy.items() if value is not None}}
    if calendar is not None or on_clash is not None:
        changes["calendar"] = msgspec.to_builtins(_calendar(before, calendar, on_clash))
    if active_hours is not None or outside is not None:
        changes["active_hours"] = msgspec.to_builtins(_hours(before, active_hours, outside))
    if changes == {"policy": {}}:
        buttons = buttons_of(before)
        await show(interaction, card(f"Policy: {title_of(before)}", "\n".join(_facts(before)), buttons=buttons))
        return
    was_due = (await core.preview_schedule(before.id, n=COMPARED)).fires
    changed = await core.patch_schedule(before.id, changes, revision=before.revision)
    is_due = (await core.preview_schedule(before.id, n=COMPARED)).fires
    remember(interaction, changed, "Policy changed")
    await show(
        interaction,
        card(
            f"Policy{' changed' if changed.undo is not None else ''}: {title_of(changed)}",
            "\n".join(_difference(_facts(before), _facts(changed))),
            _times(was_due, is_due, changed),
            f"-# `{changed.id}` · revision {changed.revision}",
            buttons=buttons_of(changed),
        ),
    )


def _calendar(schedule: Schedule, name: str | None, clash: OnClash | None) -> Calendar | None:
    """The days off the schedule shall heed.

    Raises:
        Refusal: it heeds none, and none is named.
    """
    if name == NOTHING:
        return None
    known = schedule.calendar
    made = known if name is None else Calendar(name=name, on_clash="skip" if known is None else known.on_clash)
    if made is None:
        raise Refusal("`on_clash` is about days off, and this schedule heeds no calendar; name one in `calendar`.")
    return made if clash is None else msgspec.structs.replace(made, on_clash=clash)


def _hours(schedule: Schedule, name: str | None, outside: OnClash | None) -> ActiveHours | None:
    """The hours the schedule shall heed.

    Raises:
        Refusal: it heeds none, and none are named.
    """
    if name == NOTHING:
        return None
    known = schedule.active_hours
    made = known if name is None else ActiveHours(name=name, outside="skip" if known is None else known.outside)
    if made is None:
        raise Refusal("`outside` is about hours, and this schedule heeds none; name some in `active_hours`.")
    return made if outside is None else msgspec.structs.replace(made, outside=outside)


def _facts(schedule: Schedule) -> list[str]:
    """The rules in words, a line each, in the order of the options."""
    policy = schedule.policy
    values = {"catchup": policy.catchup, "dst": policy.dst, "month_end": policy.month_end or "skip"}
    names = {"catchup": "Catch up", "dst": "Clock change", "month_end": "End of month"}
    facts = _working(schedule) if is_job(schedule) else []
    facts += [f"**{names[field]}**: `{value}`, {WORDS[field][value]}" for field, value in values.items()]
    closings = closings_of(schedule)
    facts += [] if schedule.calendar is not None else ["**Days off**: none"]
    facts += closings
    return facts if schedule.active_hours is not None else [*facts, "**Hours**: none"]


def _working(schedule: Schedule) -> list[str]:
    """How the work of a job is tried."""
    policy, retry = schedule.policy, schedule.policy.retry
    attempts = "1 attempt, no other" if retry.max_attempts == 1 else f"up to {retry.max_attempts} attempts"
    wanted = [f"version {policy.version}"] if policy.version else []
    wanted += [", ".join(policy.needs)] if policy.needs else []
    return [
        f"**Time for an attempt**: {say_duration(policy.timeout) if policy.timeout else 'as the method says'}",
        f"**Tries**: {attempts}",
        f"**Between them**: {_pauses(retry)}",
        f"**Overlap**: `{policy.overlap}`, {WORDS['overlap'][policy.overlap]}",
        f"**Processes**: {one_line('; '.join(wanted), 150) or 'any that has the method'}",
    ]


def _pauses(retry: Retry) -> str:
    if retry.backoff == "list":
        return f"`list`: {', '.join(map(say_duration, retry.delays)) or 'none'}; the last again and again"
    if retry.backoff == "fixed":
        return f"`fixed`, {say_duration(retry.initial)} each"
    return f"`exponential`, from {say_duration(retry.initial)} up to {say_duration(retry.maximum)}"


def _difference(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What is different, as it was and as it is."""
    lines = [
        f"{is_now}\n-# before: {was.partition(': ')[2]}"
        for was, is_now in zip(before, after, strict=True)
        if was != is_now
    ]
    return lines or ["It was so already; nothing is different."]


def _times(before: Sequence[Fire], after: Sequence[Fire], schedule: Schedule) -> str:
    """The next times as they were and as they are, in one list; as far as both are known."""
    if not after:
        return "Nothing is due at the moment." if schedule.state != "active" else "Nothing is due any more."
    found = difference([fire.at for fire in before], [fire.at for fire in after], asked=COMPARED)
    if not found.gone and not found.come:
        count = len(found.kept)
        return f"The next {count} times stay as they are." if count > 1 else "The next time stays as it is."
    rows = {fire.at: f"- ~~{_clock(fire)}~~ no more" for fire in before if fire.at in found.gone}
    for fire in after:
        if fire.at in found.come or fire.at in found.kept:
            new = " · **new**" if fire.at in found.come else ""
            rows[fire.at] = f"- {_clock(fire)}{new}{_notes(fire)}"
    return "\n".join(
        [
            f"**The next times, before and after** · {schedule.timezone}",
            *(rows[at] for at in sorted(rows, key=instant.parse)),
        ]
    )


def _clock(fire: Fire) -> str:
    local = datetime.fromisoformat(fire.local)
    return f"`{local:%a %Y-%m-%d %H:%M}` {stamp(fire.at, 'R')}"


def _notes(fire: Fire) -> str:
    return f" · {one_line('; '.join(fire.notes), 150)}" if fire.notes else ""
