"""One call of a method: check its arguments, call it, and say how it ended.

The same in the core's own process and in a handler's, so that what a method returns or raises means one thing
everywhere.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import threading
import traceback
from collections.abc import Callable
from typing import Any, Final

import msgspec

from schedule_zero.errors import Cancelled, Invalid, Passing, Reject, RetryAfter
from schedule_zero.handler import Context, Method, plain
from schedule_zero.printable import printable
from schedule_zero.process.interrupts import meant_for_the_process
from schedule_zero.process.threads import in_thread
from schedule_zero.result import readable
from schedule_zero.run import Cause
from schedule_zero.transport.wire import Ended

log = logging.getLogger("schedule_zero.process.calling")

LARGEST_RESULT: Final = 64 * 1024
LONGEST_WAIT_S: Final = 366 * 86_400.0
_decode: Final = msgspec.json.Decoder(dict[str, Any]).decode
_encode: Final = msgspec.json.Encoder().encode


class OnLoop:
    """Makes calls on the loop it was made in, whichever thread they come from: sync methods run in threads."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def __call__(self, call: Callable[..., None], *args: Any) -> None:
        """At once in the loop's own thread, else soon; not at all once the loop is closed."""
        if threading.get_ident() == self._thread:
            call(*args)
        elif not self._loop.is_closed():
            self._loop.call_soon_threadsafe(call, *args)


async def call(method: Method, context: Context, args: str) -> Ended:
    """Call a method with arguments that are a JSON object as text.

    Never raises what the method raises, ``SystemExit`` and its like included: out of a task they would end the process,
    and with it everybody else's work. What a signal raised passes. ``context.cancelled`` tells a call that was asked to
    stop from one in which something was cancelled that is the method's own business.
    """
    try:
        checked = method.check(_decode(args))
        if method.is_async:
            value = await method(context, checked)
        else:
            value = await in_thread(method, context, checked)
            if inspect.isawaitable(value):
                value = await value
        return Ended(context.run_id, context.attempt, "succeeded", _bounded(_spelled(value), context, method))
    except (asyncio.CancelledError, Cancelled) as error:
        return cancelled(context) if context.cancelled else _failure(context, method, error)
    except BaseException as error:  # whatever a method raises becomes its run's outcome
        if meant_for_the_process(error):
            raise
        return _failure(context, method, error)


def cancelled(context: Context) -> Ended:
    """The end of a call that was asked to stop, and did."""
    return Ended(context.run_id, context.attempt, "cancelled", error="was cancelled")


def _failure(context: Context, method: Method, error: BaseException) -> Ended:
    """What an exception means: its cause decides whether there is another try."""
    cause, retry_after = Cause.UNKNOWN, None
    text = plain(f"{type(error).__name__}: {_said(error)}")
    if isinstance(error, Reject):
        cause, text = Cause.LASTING, str(error.reason)
    elif isinstance(error, Passing):
        cause, text = Cause.PASSING, str(error.reason)
    elif isinstance(error, RetryAfter) and isinstance(error.seconds, int | float):
        cause, retry_after, text = Cause.PASSING, min(LONGEST_WAIT_S, max(0.0, error.seconds)), str(error)
    elif isinstance(error, Invalid):
        cause, text = Cause.LASTING, f"bad_arguments: {error.sentence}"
    else:
        where = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-1:]]
        said = printable(text)
        log.warning("handler failed: %s: %s", method.info.name, said, extra={"run_id": context.run_id, "at": where})
    return Ended(
        context.run_id, context.attempt, "failed", cause=cause, error=plain(text[:2000]), retry_after=retry_after
    )


def _spelled(value: Any) -> str:
    """A result as JSON. The work is done, so a value that JSON cannot hold is no failure: its description is kept."""
    try:
        return readable(_encode(value).decode())
    except Exception:  # noqa: BLE001 - any value may come here, and any of its methods may raise
        return _encode(plain(_described(value))).decode()


def _bounded(text: str, context: Context, method: Method) -> str:
    """A result that is kept, else a note in its place; whoever wrote the method is told, in their log and in the run's."""
    if len(text) <= LARGEST_RESULT:
        return text
    said = f"the result takes {len(text)} characters as JSON and is not kept; at most {LARGEST_RESULT} are"
    log.warning("%s: %s", method.info.name, said, extra={"run_id": context.run_id})
    context.log(said)
    return _encode({"not_kept": said, "length": len(text), "limit": LARGEST_RESULT, "beginning": text[:1000]}).decode()


def _described(value: Any) -> str:
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a stranger's class may fail to say what it is
        return f"<{type(value).__name__}>"


def _said(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException as raised:  # an exception of a stranger's class may fail in any way to say what it is
        if meant_for_the_process(raised):
            raise
        return "(it cannot be told)"
