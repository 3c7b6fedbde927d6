"""Finds the handler that a command line names, and says in one sentence what is wrong with it."""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
import traceback
from types import ModuleType
from typing import Any, Final

import msgspec

from schedule_zero.handler import Handler, methods_of, name_of
from schedule_zero.printable import printable
from schedule_zero.process.interrupts import meant_for_the_process
from schedule_zero.transport import wire

MOST_METHODS: Final = 256
MOST_CAPABILITIES: Final = 32  # as many more may be given on the command line
LONGEST_VERSION: Final = 64
_KIT: Final = os.path.dirname(os.path.dirname(__file__))
NAME: Final = re.compile(r"[A-Za-z0-9_.\-]{1,64}")
"""The form of a handler's name, a method's, and a capability."""


class WrongInput(Exception):
    """What was written on the command line, or in the module it names, is wrong; the sentence says what to mend."""


def load(place: str, *, name: str | None = None) -> Handler:
    """The handler at ``module:object``: a Handler class, or an object of one. The working folder counts.

    ``name``: under which it will be served; the handler's own by default.

    Raises:
        WrongInput: nothing there, or nothing that could be served.
    """
    module_name, colon, wanted = place.partition(":")
    if not (module_name and colon and wanted):
        raise WrongInput(f"{place!r} names no handler; write it as MODULE:OBJECT, for example reports:Reports")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module = _import(module_name)
    found = getattr(module, wanted, None)
    if found is None:
        raise WrongInput(f"{module_name} has no {wanted}; it has {', '.join(_offers(module)) or 'no handler at all'}")
    handler = _as_handler(found, place)
    _check(handler, place, name or name_of(handler))
    return handler


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise WrongInput(f"{name} cannot be imported ({error}); the working folder is searched first") from error
    except (Exception, SystemExit) as error:  # whatever the author's module does when it is imported
        if meant_for_the_process(error):
            raise
        raise WrongInput(f"{name} cannot be imported: {said(error)}") from error


def said(error: BaseException) -> str:
    """An exception of the author's own code in one line: what, and the place in that code it came from."""
    text = printable(f"{type(error).__name__}: {error}")
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, SyntaxError) or not frames:
        return text
    theirs = [frame for frame in frames if os.path.dirname(frame.filename) != _KIT] or frames
    return f"{text} ({os.path.relpath(theirs[-1].filename)}, line {theirs[-1].lineno})"


def _as_handler(found: Any, place: str) -> Handler:
    if inspect.isclass(found) and issubclass(found, Handler):
        try:
            found = found()
        except (Exception, SystemExit) as error:  # whatever the author's class does when it is made
            if meant_for_the_process(error):
                raise
            missing = isinstance(error, TypeError) and "required" in str(error)
            remedy = "; make an object of it in the module, and name that" if missing else ""
            raise WrongInput(f"{place} cannot be made: {said(error)}{remedy}") from error
    if not isinstance(found, Handler):
        raise WrongInput(f"{place} is no Handler; write a class that inherits schedule_zero.Handler")
    return found


def _check(handler: Handler, place: str, name: str) -> None:
    """What the core would refuse, before it is asked."""
    try:
        methods = methods_of(handler)
    except (TypeError, NameError) as error:
        raise WrongInput(f"{place}: {error}") from error
    if not methods:
        raise WrongInput(f"{place} has no methods; mark them with @method()")
    if len(methods) > MOST_METHODS:
        raise WrongInput(f"{place} has {len(methods)} methods; a handler has at most {MOST_METHODS}")
    if isinstance(handler.capabilities, str) or len(handler.capabilities) > MOST_CAPABILITIES:
        raise WrongInput(f'{place}: capabilities is a list of at most {MOST_CAPABILITIES} words, such as ("gpu",)')
    version: Any = handler.version
    if not isinstance(version, str) or len(version) > LONGEST_VERSION:
        raise WrongInput(f'{place}: version is a text of at most {LONGEST_VERSION} characters, such as "2.1"')
    words = [("handler", name), *(("method", key) for key in methods)]
    for kind, word in [*words, *(("capability", str(each)) for each in handler.capabilities)]:
        if not NAME.fullmatch(word):
            raise WrongInput(f"{word!r} is no name for a {kind}; take letters of a to z, digits, _ . and -, at most 64")
    for key, method in methods.items():
        if len(msgspec.json.encode(method.info.schema)) > wire.LARGEST_SCHEMA:
            raise WrongInput(f"{place}.{key}: the schema of its arguments is larger than {wire.LARGEST_SCHEMA} bytes")


def _offers(module: ModuleType) -> list[str]:
    return [
        name for name, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Handler) and kind is not Handler
    ]  # fmt: skip
