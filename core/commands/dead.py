"""``schedule-zero dead``: what failed for good on a running core."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import click

from core.commands.explain import Failed
from core.commands.output import TROUBLE, one_line, say_json, say_table
from core.commands.remote import Remote
from schedule_zero.client import CoreClient
from schedule_zero.views import DeadChange, DeadFate, DeadLetter

_TITLES = ("run", "schedule", "guild", "what", "since", "state", "attempt", "reason")
_FATES = ("run", "what became of it", "")
_UNTOUCHED = ("gone", "refused")
Change = Callable[[CoreClient, str | None], Awaitable[DeadChange]]


class Dead(Remote):
    """The commands over one core."""

    def show_list(self, **filters: Any) -> None:
        """Print a page of dead letters, newest run first, and how to get the next one."""
        page = self._ask(lambda client: client.list_dead(**filters))
        if self._as_json:
            say_json(page)
            return
        say_table(_TITLES, (_row(each) for each in page.items), "no dead letters")
        if page.next is not None:
            click.echo(f"more with --cursor {page.next}")

    def replay(self, ids: Sequence[str], **filters: Any) -> None:
        """Run dead letters again: these, or all that the filter finds."""
        self._change("run again", lambda client, cursor: client.replay_dead(ids, cursor=cursor, **filters))

    def drop(self, ids: Sequence[str], **filters: Any) -> None:
        """Forget dead letters: these, or all that the filter finds."""
        self._change("dropped", lambda client, cursor: client.drop_dead(ids, cursor=cursor, **filters))

    def _change(self, what: str, change: Change) -> None:
        """Do it, page after page, and print what became of each. Raises Failed where none was as ``what`` says."""

        async def changing(client: CoreClient) -> list[DeadFate]:
            done = await change(client, None)
            fates = [*done.items]
            while done.next is not None:
                done = await change(client, done.next)
                fates += done.items
            return fates

        fates = self._ask(changing)
        if self._as_json:
            say_json(DeadChange(items=tuple(fates)))
        else:
            say_table(_FATES, ((each.id, each.fate, each.run or each.why or "") for each in fates), "no dead letters")
        if fates and all(each.fate in _UNTOUCHED for each in fates):
            raise Failed(f"none of {len(fates)} was {what}")


def _row(letter: DeadLetter) -> tuple[str, ...]:
    run = letter.run
    return (
        run.id, run.schedule_id, run.guild_id or "-", f"{run.handler}.{run.method}", letter.at, str(run.state),
        str(run.attempt), one_line(run.trouble or "", TROUBLE) or "-",
    )  # fmt: skip
