"""Tells what somebody's code raised from what a signal raised in the midst of it.

``sys.exit`` and ``raise KeyboardInterrupt`` in a method are its own failure; the same two, raised by a signal's handler
while the method happens to have the processor, are meant for the whole process and have to reach it.
"""

from __future__ import annotations

import dis
import functools
import signal
import threading
import traceback
from types import CodeType
from typing import Any, Final

_ASKING: Final = (signal.SIGINT, signal.SIGTERM)


def meant_for_the_process(error: BaseException) -> bool:
    """Whether a signal raised this, or the end of the very coroutine that caught it; not the code that was called."""
    if isinstance(error, Exception):
        return False
    if isinstance(error, GeneratorExit):
        return _raised_where_it_was_caught(error)
    by_signal = _codes_of_signal_handlers()
    if any(frame.f_code in by_signal for frame, _ in traceback.walk_tb(error.__traceback__)):
        return True
    return isinstance(error, KeyboardInterrupt) and _is_pythons_own_answer_to_a_signal(error)


def _raised_where_it_was_caught(error: BaseException) -> bool:
    """So it is when a coroutine that waits is closed: whatever it waits for has been closed before."""
    return error.__traceback__ is not None and error.__traceback__.tb_next is None


def _codes_of_signal_handlers() -> set[CodeType]:
    found: set[CodeType] = set()
    for number in _ASKING:
        handler: Any = signal.getsignal(number)
        while isinstance(handler, functools.partial):
            handler = handler.func
        code = getattr(handler, "__code__", None)
        if isinstance(code, CodeType):
            found.add(code)
    return found


def _is_pythons_own_answer_to_a_signal(error: KeyboardInterrupt) -> bool:
    """Python's own handler leaves no frame behind: its error stands where no ``raise`` does, in the main thread."""
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        return False
    trace = error.__traceback__
    if trace is None or threading.current_thread() is not threading.main_thread():
        return False
    while trace.tb_next is not None:
        trace = trace.tb_next
    return dis.opname[trace.tb_frame.f_code.co_code[trace.tb_lasti]] != "RAISE_VARARGS"
