"""The cards of a job and of one of its runs. What is secret among its arguments stands on none of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

from discord import ButtonStyle, ui

from cogs.buttons import CardButton
from cogs.cards import card, schedule_buttons, schedule_card
from cogs.job.work import Work, hidden_in
from cogs.telling import telling_of
from cogs.texts import explained, moment, one_line, sentence_case, shorten, stamp, title_of
from schedule_zero import instant
from schedule_zero.instant import say_duration
from schedule_zero.masking import masked, without
from schedule_zero.run import ACTIVE, OPEN, RETRIABLE, Attempt, Run, RunState
from schedule_zero.schedule import Schedule

_VALUE: Final = 120
_LISTED: Final = 12
_RESULT: Final = 600
_ERROR: Final = 500
_ATTEMPTS: Final = 5
_MARKS: Final = {
    RunState.SUCCEEDED: "✅", RunState.FAILED: "❌", RunState.TIMED_OUT: "⏱️", RunState.CANCELLED: "⏹️",
    RunState.SKIPPED: "⏭️",
}  # fmt: skip


def job_card(
    schedule: Schedule, heading: str, work: Work | None, *, done: str = "", notes: Sequence[str] = (),
    runs: Sequence[Run] = (),
) -> ui.LayoutView:  # fmt: skip
    """A job: what it does with which arguments, when, and where its outcomes are told."""
    standing = "nobody knows this handler at the moment" if work is None else work.standing
    facts = [f"**Work**: `{schedule.handler}.{schedule.method}` ({one_line(standing, 100)})"]
    telling = telling_of(schedule)
    told = [] if telling is None else [f"**Told**: {telling.words}"]
    priority = schedule.policy.priority
    told += [] if priority == "normal" else [f"**Priority**: {priority}"]
    return schedule_card(
        schedule, heading, done=done, notes=notes, runs=runs, before=facts, after=told,
        below=arguments_of(schedule, work), hidden=hidden_in(schedule, work, *runs), buttons=job_buttons(schedule),
    )  # fmt: skip


def job_buttons(schedule: Schedule) -> list[CardButton]:
    """What can be done with a job in its state, and the way back."""
    if schedule.state == "deleted":
        return schedule_buttons(schedule)
    own = [
        CardButton("Edit arguments", "edit", schedule.id, schedule.revision),
        CardButton("Runs", "runs", f"{schedule.id}.1"),
    ]
    if schedule.state not in ("blocked", "needs_owner"):
        own.insert(0, CardButton("Run now", "run", schedule.id, schedule.revision, style=ButtonStyle.primary))
    return [*own, *schedule_buttons(schedule)]


def arguments_of(schedule: Schedule, work: Work | None) -> str:
    """The arguments, one in a line, secrets masked."""
    if not schedule.args:
        return ""
    shown = masked(schedule.args, None if work is None else work.schema)
    lines = [f"- {one_line(name, 60)}: {_value(value)}" for name, value in shown.items()]
    more = len(lines) - _LISTED
    return "\n".join(["**Arguments**", *lines[:_LISTED], *([f"… and {more} more"] if more > 0 else [])])


def run_card(
    run: Run, schedule: Schedule | None, work: Work | None, heading: str = "Run", *, done: str = ""
) -> ui.LayoutView:
    """A run: how it stands or ended, why in a sentence, its attempts, and what can be done now."""
    hidden = hidden_in(schedule, work, run)
    title = f"{run.handler}.{run.method}" if schedule is None else title_of(schedule)
    mark = _MARKS.get(run.state, "⏳")
    facts = [f"{mark} **{sentence_case(run.standing.replace('_', ' '))}** · due {moment(run.due)}"]
    if run.progress is not None and run.state in ACTIVE:
        note = f" · {one_line(without(run.progress.note, hidden), _VALUE)}" if run.progress.note else ""
        facts.append(f"**Progress**: {run.progress.fraction:.0%}{note}")
    if run.why is not None:
        facts.append(f"**Waits**: {explained(run.why)}")
    result = "" if run.result is None else f"**Result**\n```json\n{_fenced(_spelled(run.result), hidden)}\n```"
    return card(
        f"{heading}: {title}", done, "\n".join(facts), why_sentence(run, hidden), _attempts(run, hidden), result,
        f"-# `{run.id}` of `{run.schedule_id}`", buttons=run_buttons(run, schedule),
    )  # fmt: skip


def run_buttons(run: Run, schedule: Schedule | None) -> list[CardButton]:
    """What can be done about a run."""
    buttons = []
    alive = schedule is not None and schedule.state != "deleted"
    if run.state in RETRIABLE and alive:
        buttons.append(CardButton("Retry", "retry", run.id, style=ButtonStyle.success))
    if run.state in (RunState.FAILED, RunState.TIMED_OUT) and schedule is not None and alive:
        buttons.append(CardButton("Edit arguments", "edit", schedule.id, f"{schedule.revision}.{run.id}"))
    if run.state in ACTIVE and not run.cancelling:
        buttons.append(CardButton("Cancel", "cancel", run.id, style=ButtonStyle.danger))
    buttons.append(CardButton("Log", "log", run.id))
    buttons.append(CardButton("Refresh", "show_run", run.id))
    if schedule is not None:
        buttons.append(CardButton("Job", "refresh", schedule.id, schedule.revision))
    return buttons


def why_sentence(run: Run, hidden: frozenset[str] = frozenset()) -> str:
    """Why a run did not go well, and what would help, as sentences; empty where nothing is wrong."""
    if run.state not in RETRIABLE:
        return "" if run.error is None or run.state is RunState.SUCCEEDED else f"**So far**: {_said(run, hidden)}"
    last = run.attempts[-1] if run.attempts else None
    if run.state is RunState.CANCELLED:
        return "**Why**: it was cancelled." if run.reason in (None, "cancelled") else f"**Why**: {_said(run, hidden)}"
    if run.state is RunState.SKIPPED or last is None:
        return f"**Why**: {_said(run, hidden)}"
    tries = "" if run.attempt < 2 else f" after {run.attempt} attempts"
    return f"**Why**: {_said(run, hidden)}{tries}.\n{_remedy(run, last)}"


def _remedy(run: Run, last: Attempt) -> str:
    if run.state is RunState.TIMED_OUT:
        return "It was stopped for taking too long. More time (`/job policy`) or less work per run helps."
    if last.outcome == "lost":
        return "Its handler went away while it worked. Once that is back, retry."
    return {
        "lasting": "The same again would fail the same way: mend the arguments (or the handler), then retry.",
        "passing": "It may succeed when it is tried again later.",
    }.get(last.cause or "", "Whether the same again could succeed is not known.")


def run_row(run: Run, hidden: frozenset[str] = frozenset()) -> str:
    """A run in a list: attempt, start, how long it took, outcome, reason."""
    last = run.attempts[-1] if run.attempts else None
    parts = [f"{_MARKS.get(run.state, '⏳')} {run.standing.replace('_', ' ')}"]
    parts.append(f"due {stamp(run.due, 'f')}" if last is None else f"started {stamp(last.started or last.sent, 'f')}")
    if last is not None and last.ended is not None:
        parts.append(f"took {took(last)}")
    if run.attempt > 1:
        parts.append(f"attempt {run.attempt}")
    if run.missed is not None:
        parts.append(f"{run.missed.count} due times were missed")
    elif run.trouble and run.state is not RunState.SUCCEEDED:
        parts.append(one_line(without(run.trouble, hidden), _VALUE))
    return f"- {' · '.join(parts)} · `{run.id}`"


def took(attempt: Attempt) -> str:
    """How long an attempt took."""
    begun = instant.parse(attempt.started or attempt.sent)
    length = max(0, instant.parse(attempt.ended or attempt.sent) - begun)
    return say_duration(instant.spell_duration(length))


def _attempts(run: Run, hidden: frozenset[str]) -> str:
    if not run.attempts or (len(run.attempts) == 1 and run.state in OPEN):
        return "" if not run.attempts else f"-# Under way at `{run.attempts[0].instance}`"
    rows = []
    for each in run.attempts[-_ATTEMPTS:]:
        parts = [f"{each.attempt}. {each.outcome or 'under way'}", stamp(each.started or each.sent, "T")]
        parts += [] if each.ended is None else [took(each)]
        parts += [] if each.error is None or len(run.attempts) < 2 else [one_line(without(each.error, hidden), _VALUE)]
        rows.append(" · ".join(parts))
    left_out = len(run.attempts) - len(rows)
    return "\n".join(["**Attempts**", *([f"… {left_out} earlier"] if left_out else []), *rows])


def _said(run: Run, hidden: frozenset[str]) -> str:
    return one_line(without(run.trouble or "nothing is known of the reason", hidden), _ERROR).rstrip(".")


def _value(value: Any) -> str:
    return one_line(_spelled(value), _VALUE) or "(empty)"


def _spelled(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _fenced(text: str, hidden: frozenset[str]) -> str:
    return shorten(without(text, hidden), _RESULT).replace("```", "'''")
