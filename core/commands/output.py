"""What commands print: JSON as the API has it, or tables and cards for people."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import click
import msgspec

from schedule_zero.printable import printable

TROUBLE: Final = 120
"""Characters of what went wrong with a run, where it is one thing among others."""
_PIPE_WIDTH: Final = 10_000  # columns; what another program reads is not folded


def say_json(view: Any) -> None:
    """Print a view as JSON, indented."""
    click.echo(msgspec.json.format(msgspec.json.encode(view), indent=2))


def say_table(titles: Sequence[str], rows: Iterable[Sequence[str]], nothing: str) -> None:
    """Print rows under titles, or a sentence when there are none."""
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in titles:
        table.add_column(title, overflow="fold", no_wrap=title == titles[0])
    for row in rows:
        table.add_row(*(printable(cell) for cell in row))
    if table.row_count == 0:
        click.echo(nothing)
        return
    width = None if sys.stdout.isatty() else _PIPE_WIDTH
    # Names come from strangers: no markup, no emoji codes, no highlighting of what looks like something.
    Console(markup=False, emoji=False, highlight=False, width=width).print(table)


def say_card(facts: Iterable[tuple[str, Any]]) -> None:
    """Print one thing, a fact a line; what is not there is left out."""
    shown = [(name, printable(str(value))) for name, value in facts if value not in (None, "", (), {}, [])]
    widest = max(len(name) for name, _ in shown)
    for name, value in shown:
        click.echo(f"{name:<{widest}}  {value}")


def one_line(text: str, most: int) -> str:
    """The beginning of a text on one line; what was cut is shown by an ellipsis."""
    line = " ".join(text.split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


@contextlib.contextmanager
def quiet_end() -> Iterator[None]:
    """Being stopped, and having nobody read on, are how listening ends."""

    def leave(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains of it while it ends
    finally:
        signal.signal(signal.SIGTERM, before)
