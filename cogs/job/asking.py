"""Asking for a method's arguments: a form made from its schema, that comes back until they are right."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Self

from discord import ui

from cogs.forms import Form, choice_field, text_field
from cogs.front import Interaction
from cogs.job.fields import LONGEST_TYPED, MOST_CHOICES, REST, Field, begins_with, layout_of, rest_begun, spelled
from cogs.job.typed import Mistake, read_form
from cogs.job.work import Work
from cogs.refusals import Refusal
from cogs.texts import list_of, shorten
from schedule_zero.masking import MASK, secrets_in, without

Then = Callable[[Interaction, dict[str, Any]], Awaitable[None]]
"""What is done with the arguments; what it raises is told, and the form comes back."""
REST_NAME: Final = "Further arguments (JSON)"
_SHORT: Final = 200


def asks(work: Work, args: Mapping[str, Any]) -> bool:
    """Whether there is anything to ask for."""
    layout = layout_of(work.schema, args)
    return bool(layout.asked) or layout.has_rest


class ArgumentsForm(Form):
    """The arguments of a method.

    Args:
        before: those so far.
        then: what is done with them.
        typed: the text in the fields; None: what the arguments so far are, or the defaults.
    """

    def __init__(
        self, work: Work, before: Mapping[str, Any], then: Then, *, typed: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(work.name)
        self._work, self._before, self._then = work, dict(before), then
        self._layout = layout_of(work.schema, before)
        self._begins = begins_with(work.schema, self._layout, before) if typed is None else dict(typed)
        self._inputs: dict[str, ui.TextInput[Any] | ui.Select[Any]] = {}
        for field in self._layout.asked:
            self._inputs[field.name] = _input(field, self._begins.get(field.name, ""))
            self.ask(field.name, self._inputs[field.name], field.help or field.hint)
        if self._layout.has_rest:
            begin = self._begins.get(REST, "")
            names = ", ".join(field.name for field in self._layout.rest)
            needed = any(field.required for field in self._layout.rest)
            self._inputs[REST] = text_field(begin, required=needed, longest=LONGEST_TYPED, lines=True)
            self.ask(REST_NAME, self._inputs[REST], names)

    async def accept(self, interaction: Interaction) -> None:
        args, mistakes = self._read()
        if mistakes:
            raise Refusal(_told(mistakes))
        await self._then(interaction, args)

    def again(self) -> Self:
        """Secrets that were typed stay as they were typed, and are not shown."""
        args, _ = self._read()
        schema, typed = self._work.schema, self._typed()
        for field in self._layout.asked:
            if field.secret and field.name in args:
                typed[field.name] = MASK
        rest = {name: value for name, value in args.items() if name not in {field.name for field in self._layout.asked}}
        if rest and secrets_in(rest, schema):
            typed[REST] = rest_begun(schema, self._layout.rest, (), rest)
        return type(self)(self._work, {**self._before, **args}, self._then, typed=typed)

    def clean(self, words: str) -> str:
        args, _ = self._read()
        return without(
            words, secrets_in({**self._before, **args}, self._work.schema) | secrets_in(args, self._work.schema)
        )

    def _read(self) -> tuple[dict[str, Any], list[Mistake]]:
        return read_form(self._work.schema, self._layout, self._typed(), self._before)

    def _typed(self) -> dict[str, str]:
        """The text in each field; of one that is picked, what the choice is called."""
        typed = {}
        for name, given in self._inputs.items():
            typed[name] = (given.values[0] if given.values else "") if isinstance(given, ui.Select) else given.value
        for field in self._layout.asked:
            if field.kind == "choice" and isinstance(self._inputs[field.name], ui.Select) and typed[field.name]:
                typed[field.name] = spelled(field.choices[int(typed[field.name])])
        return typed


def _input(field: Field, begin: str) -> ui.TextInput[Any] | ui.Select[Any]:
    if field.kind == "boolean" and begin in ("", "true", "false"):
        return choice_field([("Yes", "true"), ("No", "false")], begin, required=field.required)
    spellings = [spelled(value) for value in field.choices]
    if 0 < len(spellings) <= MOST_CHOICES and begin in ("", *spellings) and not field.secret:
        chosen = str(spellings.index(begin)) if begin in spellings else None
        named = [(spelling, str(place)) for place, spelling in enumerate(spellings)]
        return choice_field(named, chosen, required=field.required, placeholder=field.hint)
    room = LONGEST_TYPED if field.longest is None or field.secret or field.kind != "text" else max(1, field.longest)
    lines = field.kind == "text" and not field.secret and (field.longest or LONGEST_TYPED) > _SHORT
    return text_field(
        begin, required=field.required, hint=field.hint, longest=min(room, LONGEST_TYPED), lines=lines or "\n" in begin
    )  # fmt: skip


def _told(mistakes: list[Mistake]) -> str:
    """Every mistake as a sentence."""
    lines = [f"`{REST_NAME if each.name == REST else shorten(each.name, 60)}` {each.sentence}." for each in mistakes]
    return lines[0] if len(lines) == 1 else list_of(lines)
