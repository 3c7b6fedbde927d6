"""``/job run``, ``cancel`` and ``retry``, and the buttons that do the same."""

from __future__ import annotations

from typing import Any, Final

from discord import app_commands

from cogs.answers import defer, show, tell
from cogs.buttons import on_press
from cogs.cards import card
from cogs.front import Interaction, core_of
from cogs.items import resolve_job
from cogs.job.cards import arguments_of, run_card
from cogs.job.create import ArgsText
from cogs.job.runs import CancellableText, RetriableText, resolve_run
from cogs.job.work import Work, parsed_args, work_of
from cogs.options import JobText
from cogs.presses import show_stale, shown
from cogs.refusals import Refusal
from cogs.telling import telling_of
from cogs.texts import explained, one_line, sentence_case, title_of
from cogs.watching import looks
from schedule_zero.chain import ChainView
from schedule_zero.errors import Conflict, NotFound
from schedule_zero.run import TERMINAL, Run, RunCheck
from schedule_zero.schedule import Schedule

LONGEST_WATCH: Final = 840.0
"""Seconds that an answer is kept up to date: Discord lets it be edited for 15 minutes."""


@app_commands.command(name="run", description="Run a job once now; its times stay as they are")
@app_commands.describe(
    item="Which job",
    args='Other arguments for this run alone: key=value key="two words", or JSON',
    dry_run="Only say whether it could run, and who would get it; nothing is run",
    wait="Keep the answer up to date until it ended; left out, yes",
)
async def run(
    interaction: Interaction, item: JobText, args: ArgsText | None = None, dry_run: bool = False, wait: bool = True
) -> None:
    """Run a job now."""
    await defer(interaction)
    core, job = core_of(interaction), await resolve_job(interaction, item)
    work = await work_of(core, job)
    changes = {} if args is None else parsed_args(work or Work(handler=job.handler, method=job.method), args)
    if dry_run:
        await _rehearse(interaction, job, work, await core.check_run(job.id, args=changes), changes)
        return
    made = await core.run_schedule(job.id, args=changes, key=f"interaction:{interaction.id}")
    await follow(interaction, made, job, work, seconds=LONGEST_WATCH if wait else 0.0)


@app_commands.command(name="cancel", description="Cancel a run that waits or is under way")
@app_commands.describe(run="Which run")
async def cancel(interaction: Interaction, run: CancellableText) -> None:
    """Cancel a run."""
    await defer(interaction)
    await _cancel(interaction, await resolve_run(interaction, run))


@app_commands.command(name="retry", description="Run again what failed, with the job's arguments as they are now")
@app_commands.describe(
    run="Which run", from_failed="In a chain: go on from this run (left out), or let the chain begin anew"
)
async def retry(interaction: Interaction, run: RetriableText, from_failed: bool = True) -> None:
    """Retry a run, or the chain it belongs to."""
    await defer(interaction)
    failed = await resolve_run(interaction, run)
    if from_failed:
        await _retry(interaction, failed)
    else:
        await _begin_anew(interaction, failed)


@on_press("run")
async def press_run(interaction: Interaction, schedule_id: str, revision: str) -> None:
    """Run the job of a card now."""
    await defer(interaction)
    job = await shown(interaction, schedule_id)
    if str(job.revision) != revision:
        await show_stale(interaction, job)
        return
    core = core_of(interaction)
    made = await core.run_schedule(job.id, key=f"interaction:{interaction.id}")
    await follow(interaction, made, job, await work_of(core, job), seconds=LONGEST_WATCH)


@on_press("retry")
async def press_retry(interaction: Interaction, run_id: str, _detail: str) -> None:
    """Run again what failed. However often it is pressed, and by whom, it is one new run."""
    await defer(interaction)
    found = await core_of(interaction).get_run(run_id)
    await shown(interaction, found.schedule_id)
    await _retry(interaction, found)


@on_press("cancel")
async def press_cancel(interaction: Interaction, run_id: str, _detail: str) -> None:
    """Cancel the run of a card."""
    await defer(interaction)
    found = await core_of(interaction).get_run(run_id)
    await shown(interaction, found.schedule_id)
    await _cancel(interaction, found)


@on_press("show_run")
async def press_show(interaction: Interaction, run_id: str, _detail: str) -> None:
    """Show a run as it is now."""
    await defer(interaction)
    found = await core_of(interaction).get_run(run_id)
    await shown(interaction, found.schedule_id)
    await show_run(interaction, found)


async def follow(
    interaction: Interaction, run: Run, job: Schedule, work: Work | None, *, seconds: float, heading: str = "Run"
) -> None:
    """Show a run, and show it again whenever it stands otherwise, until it ended or for so long."""
    await show(interaction, run_card(run, job, work, heading))
    before = run
    async for found in looks(core_of(interaction), run, seconds):
        if _standing(found) != _standing(before):
            await show(interaction, run_card(found, job, work, heading))
        before = found
    if seconds >= LONGEST_WATCH and before.state not in TERMINAL:
        await show(interaction, run_card(before, job, work, heading, done=_left_alone(job)))


async def show_run(interaction: Interaction, run: Run, heading: str = "Run", *, done: str = "") -> None:
    """Show a run with what belongs to it."""
    job, work = await belonging_to(interaction, run)
    await show(interaction, run_card(run, job, work, heading, done=done))


async def belonging_to(interaction: Interaction, run: Run) -> tuple[Schedule | None, Work | None]:
    """The job of a run and its work, as far as they are there."""
    core = core_of(interaction)
    try:
        job = await core.get_schedule(run.schedule_id)
    except NotFound:
        return None, None
    return job, await work_of(core, job)


async def _retry(interaction: Interaction, failed: Run) -> None:
    core = core_of(interaction)
    try:
        made = await core.retry_run(failed.id, key=f"again:{failed.id}")
    except Conflict as error:
        await show_run(interaction, failed, done=f"Nothing was done. {sentence_case(error.sentence)}")
        return
    job, work = await belonging_to(interaction, failed)
    if job is None:
        raise Refusal("The job of this run is gone.")
    await follow(interaction, made, job, work, seconds=LONGEST_WATCH, heading="Run again")


async def _begin_anew(interaction: Interaction, failed: Run) -> None:
    """Run what stands at the beginning of a run's chain; the rest follows."""
    core = core_of(interaction)
    first = beginnings(await core.get_chain(failed.schedule_id), failed.schedule_id)
    rows = []
    for schedule_id in first:
        made = await core.run_schedule(schedule_id, key=f"interaction:{interaction.id}:{schedule_id}")
        rows.append(f"- `{schedule_id}`: {made.standing} as `{made.id}`")
    await show(interaction, card("The chain begins anew", "\n".join(rows), "-# `/chain show` draws how far it is."))


def beginnings(chain: ChainView, schedule_id: str) -> list[str]:
    """The schedules a chain begins with on its way to this one; itself where it runs after nothing that is there."""
    above: dict[str, set[str]] = {}
    gone = {node.id for node in chain.nodes if node.state == "gone"}
    for edge in chain.edges:
        above.setdefault(edge.child, set()).update({edge.parent} - gone)
    found: list[str] = []
    seen: set[str] = set()
    left = [schedule_id]
    while left:
        here = left.pop()
        if here in seen:
            continue
        seen.add(here)
        left += above.get(here, ())
        found += [] if above.get(here) else [here]
    return sorted(found) or [schedule_id]


async def _cancel(interaction: Interaction, found: Run) -> None:
    try:
        stopped = await core_of(interaction).cancel_run(found.id)
    except Conflict as error:
        await show_run(interaction, await core_of(interaction).get_run(found.id))
        await tell(interaction, sentence_case(error.sentence))
        return
    await show_run(interaction, stopped, "Cancelled" if stopped.state in TERMINAL else "Asked to stop")


async def _rehearse(
    interaction: Interaction, job: Schedule, work: Work | None, check: RunCheck, changes: dict[str, Any]
) -> None:
    """Whether a run could be, and who would get it."""
    who = [f"- `{one_line(name, 80)}`" for name in check.instances] or ["- nobody at the moment"]
    facts = [f"**Work**: `{job.handler}.{job.method}`", "**Arguments**: all right", "**Who could get it**", *who]
    waits = "" if check.why is None else f"**It would wait**: {explained(check.why)}"
    if check.skipped is not None:
        waits = f"**It would be left out**: {one_line(check.skipped, 200)}"
    mixed = Schedule(**{name: getattr(job, name) for name in job.__struct_fields__} | {"args": {**job.args, **changes}})
    await show(
        interaction,
        card(
            f"Dry run: {title_of(job)}", "\n".join(facts), waits or "It could start at once.", arguments_of(mixed, work),
            "-# Nothing was run.",
        ),
    )  # fmt: skip


def _standing(run: Run) -> tuple[object, ...]:
    """What a card shows of a run that may change."""
    return run.state, run.attempt, run.cancelling, _tenths(run), run.why


def _tenths(run: Run) -> tuple[int, str] | None:
    """How far a run says it is: seldom enough to show each."""
    return None if run.progress is None else (int(run.progress.fraction * 10), run.progress.note)


def _left_alone(job: Schedule) -> str:
    telling = telling_of(job)
    if telling is None:
        return "It is still under way, and this answer cannot be kept up to date any longer: press Refresh, or see `/job runs`."
    return f"It is still under way. How it ends is told in <#{telling.channel_id}>."
