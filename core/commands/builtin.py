"""The handlers that start with the core, as the configuration names them."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any, Final

import msgspec

from core.commands.explain import WrongInput
from core.config import BuiltinHandler, Config
from core.engine.inprocess import Functions
from schedule_zero.handler import Handler, methods_of, name_of
from schedule_zero.process.interrupts import meant_for_the_process
from schedule_zero.process.loading import said

# Handlers that need no options are always there.
ALWAYS: Final = ("handlers.echo",)
SHORTEST_SECRET: Final = 4  # a shorter one would black out half of every line
_KEY: Final = re.compile(r"([a-z_]+(?:\.\w+|\[\d+\])*): (.+)", re.DOTALL)
_PLACE: Final = re.compile(r" - at `\$\.?(.*)`$")
_REFERENCE: Final = re.compile(r"\$(\$?)\{([A-Za-z_][A-Za-z0-9_]*)\}")


class WrongEntry(WrongInput):
    """An entry of ``handlers.builtin`` cannot be used: the key under which that stands, and why."""

    def __init__(self, key: str, sentence: str) -> None:
        super().__init__(f"{key}: {sentence}")
        self.key = key
        self.sentence = sentence


def with_secrets(config: Config, environ: Mapping[str, str]) -> tuple[Config, list[str]]:
    """The configuration with ``${NAME}`` in options replaced by that variable, and what came in that way.

    ``$${NAME}`` stays, without the first dollar.

    Raises:
        WrongInput: a variable is not set, or empty.
    """
    secrets: list[str] = []

    def filled(value: Any, where: str) -> Any:
        if isinstance(value, dict):
            return {key: filled(inner, f"{where}.{key}") for key, inner in value.items()}
        if isinstance(value, list):
            return [filled(inner, f"{where}[{place}]") for place, inner in enumerate(value)]
        if not isinstance(value, str):
            return value

        def named(found: re.Match[str]) -> str:
            if found[1]:
                return found[0][1:]
            text = environ.get(found[2], "")
            if not text:
                raise WrongInput(f"{where}: the environment variable {found[2]} is not set")
            secrets.append(text)
            return text

        return _REFERENCE.sub(named, value)

    builtin = tuple(
        msgspec.structs.replace(entry, options=filled(entry.options, f"handlers.builtin[{place}].options"))
        for place, entry in enumerate(config.handlers.builtin)
    )
    handlers = msgspec.structs.replace(config.handlers, builtin=builtin)
    kept = [secret for secret in secrets if len(secret) >= SHORTEST_SECRET]
    return msgspec.structs.replace(config, handlers=handlers), kept


def load_builtin(entries: Sequence[BuiltinHandler]) -> list[Handler]:
    """Import and make the handlers: each entry's Handler classes, or the functions it names (handler ``local``).

    Raises:
        WrongEntry: a module cannot be imported, or does not hold what the entry says.
    """
    functions = Functions()
    named = {entry.module.partition(":")[0] for entry in entries}
    entries = [*entries, *(BuiltinHandler(module=module) for module in ALWAYS if module not in named)]
    handlers: list[Handler] = []
    for place, entry in enumerate(entries):
        where = f"handlers.builtin[{place}]"
        module = import_module(entry.module.partition(":")[0], where)
        if entry.methods is not None:
            if entry.options:
                raise WrongEntry(f"{where}.options", "only Handler classes take options, and methods names functions")
            for name in entry.methods:
                _add(functions, module, name, where)
        else:
            for kind in kinds_of(module, entry.module, where):
                handler = made(kind, entry.options, where)
                if name_of(handler) in {name_of(other) for other in handlers}:
                    raise WrongEntry(f"{where}.module", f"a handler named {name_of(handler)} is there already")
                handlers.append(handler)
    return [*handlers, functions] if functions.methods else handlers


def import_module(name: str, where: str) -> ModuleType:
    """The module of an entry. Raises WrongEntry."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise WrongEntry(f"{where}.module", f"{name} cannot be imported ({error})") from error
    except (Exception, SystemExit) as error:  # whatever somebody's module does when it is imported
        if meant_for_the_process(error):
            raise
        raise WrongEntry(f"{where}.module", f"{name} cannot be imported ({said(error)})") from error


def kinds_of(module: ModuleType, name: str, where: str) -> list[type[Handler]]:
    """The Handler classes that an entry means. Raises WrongEntry."""
    wanted = name.partition(":")[2]
    if wanted:
        found = getattr(module, wanted, None)
        if not (inspect.isclass(found) and issubclass(found, Handler)):
            raise WrongEntry(f"{where}.module", f"{module.__name__} has no Handler class {wanted}")
        return [found]
    kinds = [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Handler) and kind.__module__ == module.__name__
    ]
    if not kinds:
        raise WrongEntry(
            f"{where}.module", f"{module.__name__} defines no Handler class; name its functions in methods"
        )
    return kinds


def made(kind: type[Handler], options: dict[str, Any], where: str) -> Handler:
    """A handler with its options. Raises WrongEntry."""
    try:
        handler = kind(**options)
    except TypeError as error:
        raise WrongEntry(f"{where}.options", f"{kind.__name__} does not take them ({error})") from error
    except (ValueError, msgspec.ValidationError) as error:
        key, sentence = _split(str(error))
        raise WrongEntry(f"{where}.options{key}", sentence) from error
    except (Exception, SystemExit) as error:  # whatever somebody's class does when it is made
        if meant_for_the_process(error):
            raise
        raise WrongEntry(f"{where}.options", f"{kind.__name__} cannot be made ({said(error)})") from error
    try:
        methods_of(handler)
    except (TypeError, NameError) as error:
        raise WrongEntry(f"{where}.module", f"{kind.__name__}: {error}") from error
    return handler


def _split(text: str) -> tuple[str, str]:
    """What the sentence of a handler, or of msgspec, says of its place among the options, and the rest of it."""
    if found := _PLACE.search(text):
        return f".{found[1]}" if found[1] else "", text[: found.start()]
    found = _KEY.fullmatch(text)
    return (f".{found[1]}", found[2]) if found else ("", text)


def _add(functions: Functions, module: ModuleType, name: str, where: str) -> None:
    function = getattr(module, name, None)
    if not callable(function):
        own = [
            key for key, each in inspect.getmembers(module, inspect.isfunction) if each.__module__ == module.__name__
        ]
        raise WrongEntry(
            f"{where}.methods", f"{module.__name__} has no function {name}; it has {', '.join(own) or 'none'}"
        )
    try:
        functions.add(function, name)
    except (TypeError, ValueError) as error:
        raise WrongEntry(f"{where}.methods", str(error)) from error
