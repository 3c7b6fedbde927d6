"""What the declarations of commands share: ``--debug`` everywhere, and the options several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
DEBUG: Final = "debug"
"""The key in the context's ``obj`` that ``--debug`` sets."""


class _File(click.Path):
    """The path of a file; an empty text, which would mean the folder one is in, is none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("is empty; name a file", param, ctx)
        return super().convert(value, param, ctx)


FILE: Final = _File(dir_okay=False, path_type=Path)
with_config = click.option("--config", "file", type=FILE, metavar="FILE", help="The configuration file.")
with_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, as the HTTP API has it.")


class Command(click.Command):
    """A command with ``--debug``."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.params.append(
            click.Option(
                ["--debug"], is_flag=True, expose_value=False, callback=_note_debug, help="Show tracebacks of errors."
            )
        )


class Group(click.Group):
    """A group whose commands are such commands."""

    command_class = Command
    group_class = type


def paged(command: F) -> F:
    """A command that shows a page of a list."""
    limit = click.option(
        "--limit", type=click.IntRange(1, 200), default=50, show_default=True, help="How many at most."
    )
    return limit(click.option("--cursor", help="Where the page begins; the page before says it.")(command))


def asking(command: F) -> F:
    """A command that asks a running core."""
    return with_config(with_json(command))


def asking_about_one(command: F) -> F:
    """A command about one thing of a running core."""
    return click.argument("id")(asking(command))


def _note_debug(context: click.Context, _parameter: click.Parameter, value: bool) -> None:
    if value:
        context.find_root().obj[DEBUG] = True
