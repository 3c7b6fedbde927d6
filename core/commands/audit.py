"""``schedule-zero audit``: who changed what on a running core."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, Final, Literal

import click
import msgspec

from core.commands.explain import Failed
from core.commands.output import one_line, quiet_end, say_card, say_json, say_table
from core.commands.remote import Remote
from schedule_zero.audit import csv_of, spelled, what_changed
from schedule_zero.client import CoreClient
from schedule_zero.views import AuditLine

Form = Literal["csv", "json"]
Write = Callable[[str], Any]
_TITLES = ("id", "at", "guild", "who", "from", "action", "what", "changed")
_PAGE: Final = 200
_SHOWN: Final = 60
_VALUE: Final = 200


class Audit(Remote):
    """The commands over one core."""

    def show_list(self, **filters: Any) -> None:
        """Print a page of lines, newest first, and how to get the next one."""
        page = self._ask(lambda client: client.list_audit(**filters))
        if self._as_json:
            say_json(page)
            return
        say_table(_TITLES, (_row(each) for each in page.items), "no changes")
        if page.next is not None:
            click.echo(f"more with --cursor {page.next}")

    def show(self, id: str) -> None:
        """Print one line, and what it made different."""
        line = self._ask(lambda client: client.get_audit(id))
        if self._as_json:
            say_json(line)
        else:
            say_card(_facts(line))

    def revert(self, id: str) -> None:
        """Take back what a line says, and print what is so again."""
        reverted = self._ask(lambda client: client.revert_audit(id))
        if self._as_json:
            say_json(reverted)
        elif reverted.schedule is not None:
            schedule = reverted.schedule
            click.echo(f"{schedule.name or schedule.id} is as it was: {schedule.state}, {schedule.words}")
        else:
            click.echo("the settings are as they were")

    def export(self, form: Form, out: Path | None, **filters: Any) -> None:
        """Write every line that fits, newest first, to a file or to standard output, a page at a time."""

        async def export(client: CoreClient) -> int:
            with _written(out) as write:
                pages = _pages(client, filters)
                return await (_write_csv(write, pages) if form == "csv" else _write_json(write, pages))

        with quiet_end():
            count = self._ask(export)
            if out is not None:
                click.echo(f"{count} {'line' if count == 1 else 'lines'} in {out}")


async def _pages(client: CoreClient, filters: dict[str, Any]) -> AsyncIterator[tuple[AuditLine, ...]]:
    cursor: str | None = None
    while True:
        page = await client.list_audit(**filters, limit=_PAGE, cursor=cursor)
        yield page.items
        cursor = page.next
        if cursor is None:
            return


async def _write_csv(write: Write, pages: AsyncIterator[tuple[AuditLine, ...]]) -> int:
    count = 0
    write(csv_of(()))
    async for lines in pages:
        write(csv_of(lines, titled=False))
        count += len(lines)
    return count


async def _write_json(write: Write, pages: AsyncIterator[tuple[AuditLine, ...]]) -> int:
    """A list with one line of text for each line of the audit."""
    count = 0
    write("[")
    async for lines in pages:
        for line in lines:
            write(f"{',' if count else ''}\n{msgspec.json.encode(line).decode()}")
            count += 1
    write("\n]\n")
    return count


@contextlib.contextmanager
def _written(out: Path | None) -> Iterator[Write]:
    """Where it is written; a file is there once all of it is. Raises Failed."""
    if out is None:
        yield partial(click.echo, nl=False)
        return
    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as file:
            yield file.write
        part.replace(out)
    except OSError as error:
        raise Failed(f"{out} cannot be written ({error.strerror}); check the path and who may write there") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)


def _row(line: AuditLine) -> tuple[str, ...]:
    target = line.target if line.title is None else f"{line.target} ({line.title})"
    changed = ", ".join(each.field for each in what_changed(line.before, line.after)) if line.before else ""
    return (
        line.id, line.at, line.guild_id or "-", line.actor, line.via or "-", line.action, one_line(target, _SHOWN),
        one_line(changed, _SHOWN) or "-",
    )  # fmt: skip


def _facts(line: AuditLine) -> list[tuple[str, Any]]:
    return [
        ("id", line.id),
        ("at", line.at),
        ("guild", line.guild_id),
        ("who", line.actor),
        ("from", line.via),
        ("action", line.action),
        ("what", line.target),
        ("called", line.title),
        ("hidden", "what it was and became is not for this token" if line.hidden else None),
        *((each.field, f"{_value(each.before)} → {_value(each.after)}") for each in what_changed(line.before, line.after)),
        ("way back", None if line.back is None else f"schedule-zero audit revert {line.id}"),
    ]  # fmt: skip


def _value(value: Any) -> str:
    return one_line(spelled(value), _VALUE)
