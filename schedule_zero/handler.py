"""Handlers: programs that do work. A class with methods, or a function; the kit does the rest.

::

    class Reports(Handler):
        @method(timeout=30)
        async def build(self, ctx: Context, day: date, rows: int = 100) -> dict: ...

Argument types become a JSON Schema; the core checks a schedule's arguments against it before it saves them.
``schedule_zero.testing`` calls a method as the core would, for unit tests.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar, get_type_hints, overload

import msgspec

from schedule_zero import instant
from schedule_zero.errors import Cancelled, FieldError, Invalid, Reject
from schedule_zero.process.interrupts import meant_for_the_process

F = TypeVar("F", bound=Callable[..., Any])
_MARK = "__schedule_zero_method__"
LONGEST_NOTE = 500
LONGEST_TIMEOUT_S = 86_400.0
LONGEST_LEASE_S = 3_600.0
ArgumentCheck = Callable[[Any, Mapping[str, Any]], None]


class Context:
    """What a method knows about the run it works for.

    Attributes:
        run_id: identifies the run across attempts; the key for doing something once.
        attempt: which try this is, from 1.
        due: the due instant, microseconds since the epoch.
        guild_id: the guild the run belongs to; None for the operator's own.
        schedule_id: the schedule that fired.
        deadline: the instant at which this attempt times out.
        cancelled: whether the core has asked to stop. An async method is cancelled in its next ``await``, too; a sync
            one has to look, here or with ``raise_if_cancelled``.
        metadata: the schedule's metadata.
        owner_id: who the schedule belongs to.
        late_by: how late the run started, in microseconds; 0 when it was on time.
    """

    __slots__ = (
        "_note", "attempt", "cancelled", "deadline", "due", "guild_id", "late_by", "metadata", "owner_id",
        "run_id", "schedule_id",
    )  # fmt: skip

    def __init__(
        self,
        *,
        run_id: str,
        attempt: int,
        due: int,
        deadline: int,
        schedule_id: str,
        guild_id: str | None = None,
        owner_id: str = "",
        metadata: dict[str, str] | None = None,
        late_by: int = 0,
        note: Callable[[str, float | None, str], None] | None = None,
    ) -> None:
        self.run_id = run_id
        self.attempt = attempt
        self.due = due
        self.deadline = deadline
        self.schedule_id = schedule_id
        self.guild_id = guild_id
        self.owner_id = owner_id
        self.metadata = metadata or {}
        self.late_by = late_by
        self.cancelled = False
        self._note = note

    def progress(self, fraction: float, note: str = "") -> None:
        """Tell how far the work is, from 0 to 1. Progress may be thinned out on its way; from a thread, too."""
        if self._note is not None:
            self._note("progress", min(1.0, max(0.0, fraction)), plain(str(note))[:LONGEST_NOTE])

    def log(self, text: str) -> None:
        """Add a line to the run's log. The first 500 characters of it are told."""
        if self._note is not None:
            self._note("log", None, plain(str(text))[:LONGEST_NOTE])

    def raise_if_cancelled(self) -> None:
        """Leave the method here, if the core has asked to stop: for loops of sync methods.

        Raises:
            Cancelled: it has. Let it pass.
        """
        if self.cancelled:
            raise Cancelled


class MethodInfo(msgspec.Struct, kw_only=True, frozen=True):
    """What a method declares about itself."""

    name: str
    doc: str
    timeout: float | None
    at_most_once: bool
    schema: dict[str, Any]
    lease: float | None = None


class Method:
    """One callable of a handler: its declaration, its argument check (``arguments`` is their type) and the call itself."""

    __slots__ = ("_call", "_context", "_further", "arguments", "info", "is_async")

    def __init__(
        self, call: Callable[..., Any], name: str, *, timeout: float | None = None, at_most_once: bool = False,
        lease: float | None = None, further: Callable[[Mapping[str, Any]], None] | None = None,
    ) -> None:  # fmt: skip
        """``further``: looks at arguments that have the right types, and raises Reject or Invalid."""
        if inspect.isgeneratorfunction(call) or inspect.isasyncgenfunction(call):
            raise TypeError(
                f"{name}: a method with yield has no result; return one, and tell progress by Context.progress"
            )
        self._call = call
        self._further = further
        self.is_async = inspect.iscoroutinefunction(call)
        hints = get_type_hints(call, include_extras=True)
        fields: list[Any] = []
        self._context: str | None = None
        for parameter in inspect.signature(call).parameters.values():
            kind = hints.get(parameter.name, Any)
            if kind is Context:
                self._context = parameter.name
            elif parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                raise TypeError(f"{name}: *{parameter.name} has no schema; name each argument")
            elif parameter.default is parameter.empty:
                fields.append((parameter.name, kind))
            else:
                fields.append((parameter.name, kind, parameter.default))
        self.arguments: type[msgspec.Struct] = msgspec.defstruct(
            f"{name}_arguments", fields, forbid_unknown_fields=True, kw_only=True, module=__name__
        )
        self.info = MethodInfo(
            name=name,
            doc=inspect.getdoc(call) or "",
            timeout=timeout,
            at_most_once=at_most_once,
            lease=lease,
            schema=_schema_of(self.arguments, name),
        )

    def check(self, args: dict[str, Any]) -> dict[str, Any]:
        """The arguments, converted to the types the method declares.

        Raises:
            Invalid: an argument is missing, unknown, of the wrong type or not allowed; the sentence names it.
            RuntimeError: the method's own check raised ``SystemExit`` or its like, which would end whoever asks.
        """
        try:
            ready = msgspec.convert(args, self.arguments)
        except msgspec.ValidationError as error:
            message = str(error)
            place = message.rpartition("`$")[2].rstrip("`").lstrip(".") if "`$" in message else ""
            field = f"args.{place}" if place else "args"
            raise Invalid(f"{self.info.name}: {message}", errors=(FieldError(field, message),)) from None
        checked = {name: getattr(ready, name) for name in self.arguments.__struct_fields__}
        if self._further is not None:
            try:
                self._further(checked)
            except Reject as error:
                raise Invalid(f"{self.info.name}: {error.reason}", errors=(FieldError("args", error.reason),)) from None
            except BaseException as error:  # what is no Exception becomes one, so that it fails this call alone
                if isinstance(error, Exception) or meant_for_the_process(error):
                    raise
                raise RuntimeError(f"{self.info.name}: its check raised {type(error).__name__}") from error
        return checked

    def __call__(self, context: Context, args: dict[str, Any]) -> Any | Awaitable[Any]:
        """Call with checked arguments."""
        if self._context is not None:
            args = {self._context: context, **args}
        return self._call(**args)


@overload
def method(function: F, /) -> F: ...
@overload
def method(
    *,
    timeout: float | None = None,
    at_most_once: bool = False,
    lease: float | None = None,
    check: ArgumentCheck | None = None,
) -> Callable[[F], F]: ...
def method(
    function: F | None = None, /, *, timeout: float | None = None, at_most_once: bool = False,
    lease: float | None = None, check: ArgumentCheck | None = None,
) -> F | Callable[[F], F]:  # fmt: skip
    """Declare a method of a Handler: ``@method``, or with arguments ``@method(timeout=30)``.

    Args:
        timeout: seconds one attempt may take, where the schedule's policy says nothing; at most a day. None: 30 s.
        at_most_once: a lost attempt is not tried again, whatever the schedule says.
        lease: for how many seconds the process may be unable to beat while it does this (code that keeps the interpreter
            to itself); at most an hour. So long nobody takes it for dead, and if it is, so long the run waits for it.
        check: a function of the class that gets the handler and the arguments, converted to their types, and raises
            Reject for what no type can say. It must be quick and do nothing: the core asks it before a schedule is saved
            where it runs the handler itself, and it is asked before every call.
    """
    _check_seconds("timeout", timeout, LONGEST_TIMEOUT_S, "a day")
    _check_seconds("lease", lease, LONGEST_LEASE_S, "an hour")

    def mark(function: F) -> F:
        setattr(function, _MARK, (timeout, at_most_once, lease, check))
        return function

    return mark if function is None else mark(function)


def _check_seconds(name: str, value: Any, most: float, words: str) -> None:
    if value is not None and (not isinstance(value, int | float) or not 0 < value <= most):
        raise ValueError(f"{name}={value!r}: has to be a number, more than 0 seconds, and at most {most:g} ({words})")


def _schema_of(arguments: type[msgspec.Struct], name: str) -> dict[str, Any]:
    """The JSON Schema of a method's arguments. Raises TypeError with the argument that has none."""
    try:
        return msgspec.json.schema(arguments)
    except TypeError:
        for argument, kind in get_type_hints(arguments, include_extras=True).items():
            try:
                msgspec.json.schema(kind)
            except TypeError:
                said = getattr(kind, "__name__", str(kind))
                raise TypeError(f"{name}: {argument} is a {said}, which JSON has no form for") from None
        raise


class Handler:
    """Base of handlers. ``start`` and ``stop`` surround its life; only ``@method`` functions are callable.

    Attributes:
        version: which one this is, such as ``2.1``, for schedules whose policy asks for one.
        capabilities: what this process has that others of its name may not have (``gpu``, ``eu``), for schedules whose
            policy needs it; words of letters, digits, ``_``, ``.`` and ``-``.
    """

    name: str = ""
    version: str = ""
    capabilities: Sequence[str] = ()
    available: bool = True
    _on_change: Callable[[], None] | None = None

    def set_available(self, available: bool) -> None:
        """Say whether work can be done at all at the moment; while it can not, runs wait and no attempt is used up."""
        if self.available != available:
            self.available = available
            if self._on_change is not None:
                self._on_change()

    async def start(self) -> None:
        """Called once before the first run."""

    async def stop(self) -> None:
        """Called once after the last run."""

    def made_methods(self) -> Mapping[str, Method]:
        """Methods that no ``def`` stands for, because they come from options; by name."""
        return {}


def methods_of(handler: Handler) -> dict[str, Method]:
    """The declared methods of a handler, by name.

    Raises:
        TypeError: one of them can be none; the sentence begins with its name.
    """
    found: dict[str, Method] = {}
    for name, member in inspect.getmembers(handler, callable):
        if hasattr(member, _MARK):
            if hasattr(Handler, name):
                raise TypeError(
                    f"{name}: is part of what every handler has, and no method; give the method another name"
                )
            found[name] = method_of(member, name, handler)
    return {**found, **handler.made_methods()}


def method_of(function: Callable[..., Any], name: str, handler: Handler | None = None) -> Method:
    """A function as a method, by what ``@method`` says of it, if it does."""
    timeout, at_most_once, lease, check = getattr(function, _MARK, (None, False, None, None))
    further = None if check is None else partial(check, handler)
    return Method(function, name, timeout=timeout, at_most_once=at_most_once, lease=lease, further=further)


def name_of(handler: Handler) -> str:
    """The name schedules address: the handler's own, else its class name in lower case."""
    return handler.name or type(handler).__name__.lower()


def deadline_after(now: int, seconds: float) -> int:
    """The instant that many seconds after ``now``."""
    return now + int(seconds * instant.SECOND)


def plain(text: str) -> str:
    """Text that every store and wire can carry: without halves of surrogate pairs, and without NUL, which PostgreSQL
    does not take and at which SQLite's JSON ends."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\N{REPLACEMENT CHARACTER}")
