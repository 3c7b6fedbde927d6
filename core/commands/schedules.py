"""``schedule-zero schedules``: schedules of a running core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click
import msgspec

from core.commands.explain import Failed, WrongInput, mistakes
from core.commands.output import TROUBLE, one_line, say_card, say_json, say_table
from core.commands.remote import Remote
from core.fields import check
from schedule_zero.client import CoreClient
from schedule_zero.errors import Conflict
from schedule_zero.run import trouble_of
from schedule_zero.schedule import RunSummary, Schedule, ScheduleSpec
from schedule_zero.trigger import TextTrigger
from schedule_zero.views import BatchView

_TITLES = ("id", "name", "guild", "state", "next", "what", "when")
_UNDO: Final = "schedule-zero schedules undo"
T = TypeVar("T")


class Schedules(Remote):
    """The commands over one core."""

    def show_list(self, **filters: Any) -> None:
        """Print a page of schedules, and how to get the next one."""
        page = self._ask(lambda client: client.list_schedules(**filters))
        if self._as_json:
            say_json(page)
            return
        say_table(_TITLES, (_row(each) for each in page.items), "no schedules")
        if page.next is not None:
            click.echo(f"more with --cursor {page.next}")

    def show(self, id: str) -> None:
        """Print one schedule."""
        self._say(self._ask(lambda client: client.get_schedule(id)))

    def create(self, spec: ScheduleSpec) -> None:
        """Create one schedule and print it."""
        self._say(self._ask(lambda client: client.create_schedule(spec)))

    def create_from(self, file: Path) -> None:
        """Create what a JSON file holds: one schedule, or a list of them.

        Raises:
            WrongInput: the file is not that.
            Failed: some of a list were refused; each refusal is printed.
        """
        content = _read(file)
        if isinstance(content, list):
            batch = self._ask(lambda client: client.create_schedules(content))
            self._say_batch(batch)
        else:
            self.create(spec_of(content, str(file)))

    def pause(self, id: str, until: str | None, note: str | None) -> None:
        """Pause a schedule and print it."""
        self._say(self._change(id, lambda client: client.pause_schedule(id, until=until, note=note)))

    def resume(self, id: str) -> None:
        """Resume a schedule and print it."""
        self._say(self._change(id, lambda client: client.resume_schedule(id)))

    def skip(self, id: str, occurrence: str | None) -> None:
        """Leave one due time out and print the schedule."""
        self._say(self._change(id, lambda client: client.skip_occurrence(id, occurrence)))

    def move(self, id: str, to: str, occurrence: str | None) -> None:
        """Move one due time and print the schedule."""
        self._say(self._change(id, lambda client: client.move_occurrence(id, to, occurrence)))

    def run(self, id: str, args: dict[str, Any]) -> None:
        """Run a schedule now and say which run that is."""
        run = self._change(id, lambda client: client.run_schedule(id, args=args))
        if self._as_json:
            say_json(run)
        else:
            click.echo(f"{run.id} {run.state.said}; see 'schedule-zero runs show {run.id}'")

    def delete(self, id: str, revision: int | None) -> None:
        """Delete a schedule and print what was deleted."""
        self._say(self._change(id, lambda client: client.delete_schedule(id, revision=revision)))

    def undo(self, token: str) -> None:
        """Take a change back and print the schedule as it is then."""
        self._say(self._ask(lambda client: client.undo(token)))

    def _change(self, id: str, change: Callable[[CoreClient], Awaitable[T]]) -> T:
        """Do something with a schedule that is there.

        Raises:
            ScheduleZeroError: the core refuses; where the schedule is deleted, with the command that brings it back.
        """

        async def changing(client: CoreClient) -> T:
            try:
                return await change(client)
            except Conflict as error:
                if "undo" not in error.sentence or (await client.get_schedule(id)).state != "deleted":
                    raise
                raise Conflict(f"{error.sentence.rstrip('.')} ({_UNDO} TOKEN)") from error

        return self._ask(changing)

    def _say(self, schedule: Schedule) -> None:
        if self._as_json:
            say_json(schedule)
        else:
            say_card(_facts(schedule))

    def _say_batch(self, batch: BatchView) -> None:
        if self._as_json:
            say_json(batch)
        refused = 0
        for place, item in enumerate(batch.items):
            if item.problem is not None:
                refused += 1
                for line in mistakes(item.problem.detail, item.problem.errors):
                    click.echo(f"item {place}: {line}", err=True)
            elif item.schedule is not None and not self._as_json:
                click.echo(item.schedule.id)
        if refused:
            raise Failed(f"{refused} of {len(batch.items)} schedules were refused")


def spec_of(content: Any, source: str) -> ScheduleSpec:
    """The schedule a JSON document asks for. Raises WrongInput, naming every wrong field."""
    _, errors = check(content, ScheduleSpec)
    if errors:
        raise WrongInput("; ".join(f"{source}: {error.field} {error.message}".strip() for error in errors))
    return msgspec.convert(content, ScheduleSpec)


def spec_from_options(when: str, timezone: str | None, **fields: Any) -> ScheduleSpec:
    """The schedule the options of ``create`` ask for."""
    trigger = TextTrigger(text=when, timezone=timezone)
    given = {name: value for name, value in fields.items() if value not in (None, {})}
    return ScheduleSpec(trigger=trigger, timezone=timezone, **given)


def _read(file: Path) -> Any:
    try:
        with click.open_file(str(file), "rb") as stream:
            return msgspec.json.decode(stream.read())
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WrongInput(f"{file} is not JSON: {error}") from None


def _row(schedule: Schedule) -> tuple[str, ...]:
    following = schedule.next_fire_times[0] if schedule.next_fire_times else "-"
    what = f"{schedule.handler}.{schedule.method}"
    return (
        schedule.id, schedule.name or "-", schedule.guild_id or "-", schedule.state, following, what, schedule.words,
    )  # fmt: skip


def _facts(schedule: Schedule) -> list[tuple[str, Any]]:
    last, undo = schedule.last_run, schedule.undo
    return [
        ("id", schedule.id),
        ("revision", schedule.revision),
        ("name", schedule.name),
        ("guild", schedule.guild_id),
        ("owner", schedule.owner_id),
        ("state", schedule.state),
        ("note", schedule.note),
        ("paused until", schedule.paused_until),
        ("what", f"{schedule.handler}.{schedule.method}"),
        ("arguments", msgspec.json.encode(schedule.args).decode() if schedule.args else None),
        ("when", schedule.words),
        ("time zone", schedule.timezone),
        *(("next" if place == 0 else "", fire) for place, fire in enumerate(schedule.next_fire_times)),
        *(("careful", note) for note in schedule.notes),
        ("last run", _last(last) if last is not None else None),
        ("to undo", f"{_UNDO} {undo.token}, until {undo.until}" if undo is not None else None),
    ]


def _last(run: RunSummary) -> str:
    trouble = one_line(trouble_of(run.reason, run.error) or "", TROUBLE)
    return f"{run.id} {run.state}, due {run.due}{f': {trouble}' if trouble else ''}"
