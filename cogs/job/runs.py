"""``/job runs``: the runs of a job, page by page; and which run an option means."""

from __future__ import annotations

import re
from functools import partial
from typing import Final, Literal, Self

import msgspec
from discord import app_commands, ui

from cogs.answers import defer, show
from cogs.buttons import CardButton, on_press
from cogs.cards import card
from cogs.drafts import carry_out, moment_of
from cogs.front import Interaction, core_of, home_of
from cogs.items import resolve_job
from cogs.job.cards import run_row
from cogs.job.work import hidden_in, with_args, work_of
from cogs.options import CHOICE_TEXT, CHOICES, TIME_TEXT, Choices, JobText, SinceText, Text, suggestions
from cogs.presses import shown
from cogs.refusals import Refusal
from cogs.texts import seconds, shorten, title_of
from schedule_zero import instant
from schedule_zero.ids import is_id
from schedule_zero.instant import SECOND
from schedule_zero.run import ACTIVE, RETRIABLE, Run, RunState
from schedule_zero.schedule import Schedule
from schedule_zero.views import Suggestion, Suggestions

State = Literal["waiting", "dispatched", "running", "succeeded", "failed", "timed_out", "cancelled", "skipped"]
ROWS: Final = 8
_FETCHED: Final = 200
_LOOKED_THROUGH: Final = 2_000
_STATES: Final = ("", *RunState)
_SPELLED: Final = re.compile(r"(?P<state>\d*)\.(?P<since>\d*)")


class RunList(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are listed: of which job, in which state, due since when (Unix seconds), and which page, from 1."""

    schedule_id: str
    state: RunState | None = None
    since: int | None = None
    page: int = 1

    def spell(self) -> tuple[str, str]:
        """Subject and detail of a button that leads here."""
        since = "" if self.since is None else str(self.since)
        return f"{self.schedule_id}.{self.page}", f"{_STATES.index(self.state or '')}.{since}"

    @classmethod
    def parse(cls, subject: str, detail: str) -> Self:
        """The list a button leads to. Raises ValueError where none is spelled so."""
        schedule_id, _, page = subject.partition(".")
        match = _SPELLED.fullmatch(detail or ".")
        if match is None:
            raise ValueError(f"{detail!r} spells no list of runs")
        state = _STATES[int(match["state"] or 0)]
        return cls(
            schedule_id=schedule_id, state=RunState(state) if state else None,
            since=int(match["since"]) if match["since"] else None, page=int(page or 1),
        )  # fmt: skip


class _RunOption(Text):
    """``run``: a run of this server's, by its id; those that fit are suggested, the newest first."""

    option = "run"
    among: frozenset[RunState] = frozenset(RunState)

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(self._fitting(interaction, str(value)[:TIME_TEXT]), self.option)

    async def _fitting(self, interaction: Interaction, typed: str) -> Suggestions:
        wanted = typed.strip().casefold()
        page = await core_of(interaction).list_runs(guild_id=home_of(interaction), limit=_FETCHED)
        rows = [Suggestion(name=_label(run), value=run.id) for run in page.items if run.state in self.among]
        found = [row for row in rows if wanted in row.name.casefold() or wanted == row.value]
        return Suggestions(items=tuple(found[:CHOICES]))


class AnyRun(_RunOption):
    """Any run."""


class Cancellable(_RunOption):
    """A run that is not over."""

    among = ACTIVE


class Retriable(_RunOption):
    """A run that did not succeed."""

    among = RETRIABLE


AnyRunText = app_commands.Transform[str, AnyRun]
CancellableText = app_commands.Transform[str, Cancellable]
RetriableText = app_commands.Transform[str, Retriable]


async def resolve_run(interaction: Interaction, text: str) -> Run:
    """The run that an option means.

    Raises:
        Refusal: it is no id of a run.
    """
    if not is_id(text, "run"):
        raise Refusal(
            f"`run`: {shorten(text, 80)!r} is no id of a run; pick one from the suggestions, or see `/job runs`."
        )
    return await core_of(interaction).get_run(text)


@app_commands.command(name="runs", description="List the runs of a job: when, how long, how they ended and why")
@app_commands.describe(
    item="Which job", state="Only those in this state", since="Only those due since then", page="Which page"
)
async def runs(
    interaction: Interaction,
    item: JobText,
    state: State | None = None,
    since: SinceText | None = None,
    page: app_commands.Range[int, 1, 100] = 1,
) -> None:
    """List a job's runs."""
    await defer(interaction)
    await carry_out(interaction, partial(_list, item=item, state=state, page=page), since=since)


async def _list(interaction: Interaction, *, item: str, state: State | None, page: int, since: str | None) -> None:
    job = await resolve_job(interaction, item, loosely=True)
    begin = None if since is None else seconds(await moment_of(interaction, since, "since", job.timezone))
    await show(
        interaction,
        await _card(
            interaction,
            job,
            RunList(schedule_id=job.id, state=None if state is None else RunState(state), since=begin, page=page),
        ),
    )


@on_press("runs")
async def turn(interaction: Interaction, subject: str, detail: str) -> None:
    """Show another page."""
    await defer(interaction)
    wanted = RunList.parse(subject, detail)
    await show(interaction, await _card(interaction, await shown(interaction, wanted.schedule_id), wanted))


async def _card(interaction: Interaction, job: Schedule, wanted: RunList) -> ui.LayoutView:
    """The page that is asked for; the last one if there are fewer."""
    found, more = await _rows(interaction, wanted)
    page = min(wanted.page, max(1, (len(found) + ROWS - 1) // ROWS))
    core = core_of(interaction)
    rows = await with_args(core, found[(page - 1) * ROWS : page * ROWS])
    hidden = hidden_in(job, await work_of(core, job), *rows)
    if not rows:
        return card(f"No runs: {title_of(job)}", "Nothing fits.", buttons=[_job(job)])
    more = more or len(found) > page * ROWS
    buttons = [
        _turning("◀ Back", wanted, page - 1, disabled=page == 1),
        _turning("Next ▶", wanted, page + 1, disabled=not more),
    ]
    newest = rows[0]
    look = [CardButton("Show the newest", "show_run", newest.id), _job(job)] if page == 1 else [_job(job)]
    listed = "\n".join(run_row(run, hidden) for run in rows)
    return card(f"Runs: {title_of(job)}, page {page}", listed, buttons=[*(buttons if more or page > 1 else ()), *look])


async def _rows(interaction: Interaction, wanted: RunList) -> tuple[list[Run], bool]:
    """The newest runs that fit, as many as the page needs, and whether there are more."""
    core, needed = core_of(interaction), wanted.page * ROWS + 1
    since = None if wanted.since is None else instant.spell(wanted.since * SECOND)
    found: list[Run] = []
    cursor: str | None = None
    while len(found) < needed and len(found) < _LOOKED_THROUGH:
        page = await core.list_runs(
            schedule_id=wanted.schedule_id, state=wanted.state, since=since, limit=min(_FETCHED, needed), cursor=cursor
        )
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return found, cursor is not None


def _turning(label: str, wanted: RunList, page: int, *, disabled: bool) -> CardButton:
    subject, detail = msgspec.structs.replace(wanted, page=page).spell()
    return CardButton(label, "runs", subject, detail, disabled=disabled)


def _job(job: Schedule) -> CardButton:
    return CardButton("Job", "refresh", job.id, job.revision)


def _label(run: Run) -> str:
    text = f"{run.handler}.{run.method} · {run.standing.replace('_', ' ')} · {instant.to_datetime(instant.parse(run.due)):%d %b %H:%M}Z"
    return text[:CHOICE_TEXT]
