"""The handlers that start with the core, as the configuration names them."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Sequence
from types import ModuleType
from typing import Any, Final

from core.commands.explain import WrongInput
from core.config import BuiltinHandler
from core.engine.inprocess import Functions
from schedule_zero.handler import Handler

# Handlers that need no options are always there.
ALWAYS: Final = ("handlers.echo",)


def load_builtin(entries: Sequence[BuiltinHandler]) -> list[Handler]:
    """Import and make the handlers: each entry's Handler classes, or the functions it names (handler ``local``).

    Raises:
        WrongInput: a module cannot be imported, or does not hold what the entry says.
    """
    functions = Functions()
    named = {entry.module.partition(":")[0] for entry in entries}
    entries = [*entries, *(BuiltinHandler(module=module) for module in ALWAYS if module not in named)]
    handlers: list[Handler] = []
    for place, entry in enumerate(entries):
        where = f"handlers.builtin[{place}]"
        module = _import(entry.module.partition(":")[0], where)
        if entry.methods is not None:
            for name in entry.methods:
                _add(functions, module, name, where)
        else:
            handlers.extend(_made(kind, entry.options, where) for kind in _kinds(module, entry.module, where))
    return [*handlers, functions] if functions.methods else handlers


def _import(name: str, where: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise WrongInput(f"{where}.module: {name} cannot be imported ({error})") from error


def _kinds(module: ModuleType, name: str, where: str) -> list[type[Handler]]:
    wanted = name.partition(":")[2]
    if wanted:
        found = getattr(module, wanted, None)
        if not (inspect.isclass(found) and issubclass(found, Handler)):
            raise WrongInput(f"{where}.module: {module.__name__} has no Handler class {wanted}")
        return [found]
    kinds = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Handler) and kind.__module__ == module.__name__
    ]
    if not kinds:
        raise WrongInput(f"{where}.module: {module.__name__} defines no Handler class; name its functions in methods")
    return kinds


def _made(kind: type[Handler], options: dict[str, Any], where: str) -> Handler:
    try:
        return kind(**options)
    except TypeError as error:
        raise WrongInput(f"{where}.options: {kind.__name__} does not take them ({error})") from error


def _add(functions: Functions, module: ModuleType, name: str, where: str) -> None:
    function = getattr(module, name, None)
    if not callable(function):
        raise WrongInput(f"{where}.methods: {module.__name__} has no function {name}")
    try:
        functions.add(function, name)
    except (TypeError, ValueError) as error:
        raise WrongInput(f"{where}.methods: {error}") from error
