"""``schedule-zero runs``: runs of a running core."""

from __future__ import annotations

from typing import Any

import click
import msgspec

from core.commands.output import TROUBLE, one_line, quiet_end, say_card, say_json, say_table
from core.commands.remote import Remote
from schedule_zero.client import CoreClient
from schedule_zero.printable import printable
from schedule_zero.run import Attempt, Run
from schedule_zero.views import RunLog

_TITLES = ("id", "schedule", "guild", "state", "due", "attempt", "reason")


class Runs(Remote):
    """The commands over one core."""

    def show_list(self, **filters: Any) -> None:
        """Print a page of runs, newest first, and how to get the next one."""
        page = self._ask(lambda client: client.list_runs(**filters))
        if self._as_json:
            say_json(page)
            return
        say_table(_TITLES, (_row(each) for each in page.items), "no runs")
        if page.next is not None:
            click.echo(f"more with --cursor {page.next}")

    def show(self, id: str) -> None:
        """Print one run with its attempts."""
        self._say(self._ask(lambda client: client.get_run(id)))

    def log(self, id: str, after: int, *, follow: bool) -> None:
        """Print the log of a run; ``follow``: as it grows, until the run has ended."""

        async def read(client: CoreClient) -> None:
            place = after
            while True:
                page = await client.run_log(id, after=place)
                self._say_lines(page)
                if page.next == place or page.ended:
                    return
                place = page.next

        async def listen(client: CoreClient) -> None:
            async for page in client.follow_run_log(id, after=after):
                self._say_lines(page)

        with quiet_end():
            self._ask(listen if follow else read)

    def _say_lines(self, page: RunLog) -> None:
        for line in page.items:
            if self._as_json:
                click.echo(msgspec.json.encode(line))
                continue
            _say_left_out(line.left_out)
            click.echo(f"{line.at}  {printable(line.text)}")
        if not self._as_json:
            _say_left_out(page.left_out)

    def cancel(self, id: str) -> None:
        """Cancel a run and print it."""
        self._say(self._ask(lambda client: client.cancel_run(id)))

    def retry(self, id: str) -> None:
        """Run again what ended, and print the new run."""
        self._say(self._ask(lambda client: client.retry_run(id)))

    def _say(self, run: Run) -> None:
        if self._as_json:
            say_json(run)
        else:
            say_card(_facts(run))


def _say_left_out(count: int) -> None:
    if count:
        click.echo(f"… {count} {'line' if count == 1 else 'lines'} left out")


def _row(run: Run) -> tuple[str, ...]:
    return (
        run.id, run.schedule_id, run.guild_id or "-", run.standing, run.due, str(run.attempt), _reason(run) or "-",
    )  # fmt: skip


def _reason(run: Run) -> str:
    """Why it did not go well, and what it waits for, on one line."""
    known = (one_line(run.trouble or "", TROUBLE), run.why.words if run.why is not None else "")
    return " · ".join(words for words in known if words)


def _facts(run: Run) -> list[tuple[str, Any]]:
    missed = run.missed
    return [
        ("id", run.id),
        ("schedule", run.schedule_id),
        ("guild", run.guild_id),
        ("state", run.standing),
        ("reason", run.trouble),
        ("progress", _progress(run)),
        ("waits", run.why.words if run.why is not None else None),
        ("due", run.due),
        ("late by", run.late_by),
        ("start before", run.start_before),
        ("missed", f"{missed.count} due times from {missed.start} to {missed.end}" if missed is not None else None),
        ("what", f"{run.handler}.{run.method}"),
        ("follows", run.parent),
        ("followed by", ", ".join(run.children)),
        *(("attempts" if place == 0 else "", _attempt(each)) for place, each in enumerate(run.attempts)),
        ("result", msgspec.json.encode(run.result).decode() if run.result is not None else None),
        ("trace", run.trace_id),
    ]


def _progress(run: Run) -> str | None:
    if run.progress is None:
        return None
    return f"{run.progress.fraction:.0%} {run.progress.note}".rstrip()


def _attempt(attempt: Attempt) -> str:
    ended = f", {attempt.outcome} {attempt.ended}" if attempt.ended else ""
    error = f": {attempt.error}" if attempt.error else ""
    return f"{attempt.attempt} on {attempt.handler} ({attempt.instance}), sent {attempt.sent}{ended}{error}"
