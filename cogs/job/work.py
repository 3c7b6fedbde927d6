"""Work: a method of a handler that this server may use, found by its name, with what it says about its arguments."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterable, Iterator
from difflib import get_close_matches
from typing import Any, Final, TypeVar

import msgspec

from cogs.front import Interaction, core_of
from cogs.job.fields import fields_of, spelled
from cogs.job.typed import Wrong, read_args
from cogs.options import CHOICE_TEXT, CHOICES, Choices, Text, suggestions
from cogs.refusals import Refusal
from cogs.texts import is_job, shorten
from schedule_zero.client import CoreClient
from schedule_zero.errors import Forbidden, NotFound, Unavailable
from schedule_zero.masking import looks_secret, secrets_in
from schedule_zero.run import Run
from schedule_zero.schedule import MESSAGES, Schedule
from schedule_zero.views import HandlerPage, HandlerView, MethodView, Suggestion, Suggestions

FORM_BUDGET: Final = 1.2
"""Seconds for finding out what a form has to ask; Discord waits three for it, and the time is read, too."""
LONGEST_ARGS: Final = 4_000

T = TypeVar("T")


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """One method of a handler."""

    handler: str
    method: str
    schema: dict[str, Any] = {}
    doc: str = ""
    standing: str = ""

    @property
    def name(self) -> str:
        """What people write for it: ``handler.method``."""
        return f"{self.handler}.{self.method}"


async def work_of(core: CoreClient, schedule: Schedule) -> Work | None:
    """What a job does; None where nobody knows its handler or method (any more)."""
    try:
        handler = await core.get_handler(schedule.handler)
    except (NotFound, Forbidden):
        return None
    return next((_work(handler, each) for each in handler.methods if each.name == schedule.method), None)


async def hidden_of(core: CoreClient, schedule: Schedule, run_id: str | None) -> frozenset[str]:
    """The texts that nothing said of a run may repeat; None: of its schedule. Messages hide nothing."""
    if not is_job(schedule):
        return frozenset()
    work = await work_of(core, schedule)
    try:
        runs = () if run_id is None else (await core.get_run(run_id),)
    except NotFound:
        runs = ()
    return hidden_in(schedule, work, *runs)


def hidden_in(schedule: Schedule | None, work: Work | None, *runs: Run) -> frozenset[str]:
    """The texts that nothing said of a schedule's runs may repeat: secrets among its arguments, and those of the runs."""
    schema = None if work is None else work.schema
    given = [run.args for run in runs if run.args is not None] + ([] if schedule is None else [schedule.args])
    return frozenset[str]().union(*(secrets_in(args, schema) for args in given))


async def with_args(core: CoreClient, runs: Iterable[Run]) -> list[Run]:
    """The same runs; those with something to tell come with what they were given, whose secrets it may not repeat."""

    async def whole(run: Run) -> Run:
        return await core.get_run(run.id) if run.trouble else run

    return await asyncio.gather(*map(whole, runs))


async def find_work(interaction: Interaction, text: str) -> Work:
    """The work that ``handler`` means: ``handler.method``, or the handler alone where it has one method.

    Raises:
        Refusal: there is none, or it does not say which.
    """
    page = await core_of(interaction).list_handlers()
    found = list(_works(page))
    exact = [work for work in found if work.name == text]
    of_handler = [work for work in found if work.handler == text]
    if exact or len(of_handler) == 1:
        return (exact or of_handler)[0]
    if of_handler:
        raise Refusal(
            f"`handler`: {text} has several methods; write one of {_listed(work.name for work in of_handler)}."
        )
    if text.partition(".")[0] == MESSAGES:
        raise Refusal("`handler`: messages are no jobs; `/schedule message` posts them.")
    near = get_close_matches(text, [work.name for work in found], 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {_listed(work.name for work in found)}."
    raise Refusal(f"`handler`: this server has no {shorten(text, 80)!r}; {hint}")


async def in_time(asked: Awaitable[T]) -> T:
    """What a form needs to know, while Discord still waits for the form.

    Raises:
        Unavailable: it takes too long.
    """
    try:
        async with asyncio.timeout(FORM_BUDGET):
            return await asked
    except TimeoutError:
        raise Unavailable("The service does not answer at the moment. Nothing was changed; try again soon.") from None


class HandlerMethod(Text):
    """``handler``: a method this server may use, with how its handler is."""

    option = "handler"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(self._fitting(interaction, str(value)), self.option)

    async def _fitting(self, interaction: Interaction, typed: str) -> Suggestions:
        wanted = typed.strip().casefold()
        works = [work for work in _works(await core_of(interaction).list_handlers()) if wanted in work.name.casefold()]
        works.sort(key=lambda work: (not work.name.casefold().startswith(wanted), work.name))
        rows = (Suggestion(name=f"{work.name} · {work.standing}", value=work.name) for work in works[:CHOICES])
        return Suggestions(items=tuple(rows))


class HandlerName(Text):
    """``name`` of a handler."""

    option = "name"

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(self._fitting(interaction, str(value)), self.option)

    async def _fitting(self, interaction: Interaction, typed: str) -> Suggestions:
        wanted = typed.strip().casefold()
        found = [each for each in usable(await core_of(interaction).list_handlers()) if wanted in each.name.casefold()]
        return Suggestions(
            items=tuple(Suggestion(name=f"{each.name} · {each.standing}", value=each.name) for each in found[:CHOICES])
        )


class Arguments(Text):
    """``args``: JSON, or ``key=value key=value``; keys and listed values are completed while somebody types."""

    option = "args"

    async def transform(self, interaction: Interaction, value: Any, /) -> str:
        text = str(value).strip()
        if len(text) > LONGEST_ARGS:
            raise Refusal(f"`args` has {len(text):,} characters; at most {LONGEST_ARGS:,} can be read.")
        return text

    async def autocomplete(self, interaction: Interaction, value: str | float, /) -> Choices:  # type: ignore[override]
        return await suggestions(self._continued(interaction, str(value)), self.option)

    async def _continued(self, interaction: Interaction, typed: str) -> Suggestions:
        """What is typed, gone on with: the next key, or a value of the key that stands at the end."""
        schema = await self._schema(interaction)
        if schema is None or typed.lstrip().startswith("{"):
            return Suggestions(items=())
        before, last = typed, ""
        if typed and not typed[-1].isspace():
            head, space, last = typed.rpartition(" ")
            before = head + space
        name, equals, begun = last.partition("=")
        fields = {field.name: field for field in fields_of(schema)}
        rows: list[str]
        if equals and name in fields:
            field = fields[name]
            values = ("true", "false") if field.kind == "boolean" else tuple(map(spelled, field.choices))
            rows = [f"{name}={_quotable(each)}" for each in values if begun.casefold() in each.casefold()]
        else:
            rows = [f"{each}=" for each in fields if each.startswith(name) and f"{each}=" not in before.split()]
        rows = [f"{before}{row}" for row in rows if not looks_secret(name) or not equals]
        return Suggestions(
            items=tuple(Suggestion(name=row, value=row) for row in rows[:CHOICES] if len(row) <= CHOICE_TEXT)
        )

    async def _schema(self, interaction: Interaction) -> dict[str, Any] | None:
        """The schema of the method that the other options name."""
        core = core_of(interaction)
        handler = str(getattr(interaction.namespace, "handler", "") or "")
        if handler:
            found = [work for work in _works(await core.list_handlers()) if work.name == handler]
            return found[0].schema if found else None
        item = str(getattr(interaction.namespace, "item", "") or "")
        if not item:
            return None
        work = await work_of(core, await core.get_schedule(item))
        return None if work is None else work.schema


def parsed_args(work: Work, text: str) -> dict[str, Any]:
    """Arguments written in an option.

    Raises:
        Refusal: they cannot be read.
    """
    try:
        return read_args(work.schema, text)
    except Wrong as error:
        raise Refusal(f"`args` {error}.") from None


def usable(page: HandlerPage) -> list[HandlerView]:
    """The handlers that do jobs."""
    return [each for each in page.items if each.name != MESSAGES]


def _works(page: HandlerPage) -> Iterator[Work]:
    return (_work(handler, each) for handler in usable(page) for each in handler.methods)


def _work(handler: HandlerView, method: MethodView) -> Work:
    return Work(
        handler=handler.name, method=method.name, schema=method.schema, doc=method.doc, standing=handler.standing
    )  # fmt: skip


def _listed(names: Iterator[str]) -> str:
    return shorten(", ".join(names), 300) or "none"


def _quotable(value: str) -> str:
    return f'"{value}"' if any(char.isspace() for char in value) else value
