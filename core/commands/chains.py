"""``schedule-zero chains``: schedules of a running core that run after each other."""

from __future__ import annotations

import click

from core.commands.explain import Failed
from core.commands.output import say_json
from core.commands.remote import Remote
from schedule_zero.chain import ChainView, drawn
from schedule_zero.printable import printable
from schedule_zero.schedule import AfterWhen, Schedule


class Chains(Remote):
    """The commands over one core."""

    def add(self, item: str, after: str, when: AfterWhen, delay: str) -> None:
        """Let a schedule run after another and say when it runs then."""
        self._say(self._ask(lambda client: client.add_link(item, after, when=when, delay=delay)))

    def remove(self, item: str, after: str, when: AfterWhen | None) -> None:
        """Let it run after that one no more."""
        self._say(self._ask(lambda client: client.remove_link(item, after, when=when)))

    def show(self, id: str) -> None:
        """Draw the chain that a schedule belongs to."""
        chain = self._ask(lambda client: client.get_chain(id))
        if self._as_json:
            say_json(chain)
        else:
            _draw(chain)

    def check(self, **filters: object) -> None:
        """Say what is wrong with chains. Raises Failed where there is anything."""
        report = self._ask(lambda client: client.check_chains(**filters))
        if self._as_json:
            say_json(report)
        else:
            for each in report.items:
                click.echo(printable(f"{each.kind}: {each.words}"))
        if report.items:
            raise Failed(f"{len(report.items)} of {report.links} links need a look")
        if not self._as_json:
            click.echo(f"{report.links} links: nothing is wrong")

    def _say(self, schedule: Schedule) -> None:
        if self._as_json:
            say_json(schedule)
            return
        click.echo(printable(f"{schedule.name or schedule.id} runs {schedule.words}"))
        if schedule.undo is not None:
            click.echo(f"to undo: schedule-zero schedules undo {schedule.undo.token}, until {schedule.undo.until}")


def _draw(chain: ChainView) -> None:
    for line in (*drawn(chain).splitlines(), *chain.notes):
        click.echo(printable(line))
