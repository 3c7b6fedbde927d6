"""What ``schedule-zero processes`` keeps alive, from the configuration: each child with its command, and what is claimed."""

from __future__ import annotations

import hashlib
import os
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec

from core.commands.explain import WrongInput
from core.config import Config
from core.gateway.exposure import protection
from core.processes.deployments import Claim
from core.processes.keeper import Limits
from core.processes.places import Places
from core.processes.port import ProcessError
from core.processes.record import Record
from core.processes.running import ChildSpec
from core.processes.settings import HandlerProcess
from core.secret import Secret

ROOT: Final = Path(__file__).resolve().parents[2]
"""The folder in which the package ``core`` lies."""
_EVERYWHERE: Final = ("*", "0.0.0.0", "[::]")  # noqa: S104  # compared with, never bound to
_FOR_DRAINING: Final = 2 / 3
_USUAL_DRAIN_S: Final = 20.0
"""What `schedule-zero handler` takes without --drain."""
_EXAMPLE: Final = 'processes: {core: {}, bot: {}, handlers: [{module: "reports:Reports", count: 2}]}'
_DURATIONS: Final = ("first_word", "silent", "stop", "within")


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A deployment, ready to be started.

    Attributes:
        file: its configuration, if it has one.
        any_deployment: whatever runs in the data folder is meant, whichever configuration it has.
    """

    config: Config
    file: Path | None
    places: Places
    specs: tuple[ChildSpec, ...]
    any_deployment: bool = False

    @property
    def deployment(self) -> str:
        """How it is called in sentences."""
        return str(self.file or self.places.data_dir)

    @property
    def marks(self) -> dict[str, str]:
        """What the configuration says, by key (``http.bind``), each as a mark that tells a change and no secret."""
        sections = msgspec.to_builtins(self.config, enc_hook=Secret.reveal)
        return {
            key: hashlib.sha256(msgspec.json.encode(value, order="deterministic")).hexdigest()[:8]
            for section, values in sections.items()
            for key, value in (
                [(f"{section}.{name}", each) for name, each in values.items()]
                if isinstance(values, dict)
                else [(section, values)]
            )
        }

    def differing(self, record: Record) -> list[str]:
        """The keys of the configuration by which what runs is another than what would be started now."""
        marks, running = self.marks, record.configuration
        return sorted(key for key in marks.keys() | running if running and marks.get(key) != running.get(key))

    @property
    def limits(self) -> Limits:
        """How long what may take."""
        return Limits.of(self.config.processes.limits)

    @property
    def claim(self) -> Claim:
        """What it has for itself: the core's addresses, where it has a core."""
        config = self.config
        addresses = {
            "http.bind": config.http.bind, "zmq.handlers": config.zmq.handlers, "zmq.clients": config.zmq.clients,
            "zmq.events": config.zmq.events,
        }  # fmt: skip
        return Claim(
            deployment=self.deployment, data_dir=str(self.places.data_dir),
            addresses=addresses if any(spec.kind == "core" for spec in self.specs) else {},
        )  # fmt: skip

    def specs_of(self, handler: HandlerProcess) -> tuple[ChildSpec, ...]:
        """The children of a handler. Raises ProcessError: it could not work; the sentence says why."""
        for key, sentence in _mistakes_of_the_way(self.config):
            raise ProcessError(f"{key} {sentence}")
        if (lacks := _lacks_a_key(self.config, handler)) is not None:
            raise ProcessError(lacks)
        return tuple(_handler_specs(self.config, handler))


def plan_of(config: Config, file: Path | None, *, threads: bool = False) -> Plan:
    """What to keep alive. ``threads``: the handlers alone, which then live in one process.

    Raises:
        WrongInput: the configuration names nothing, or something that could not work; the sentence says what.
    """
    for key, sentence in mistakes_of_processes(config, threads=threads, wanted=True):
        raise WrongInput(f"{key} {sentence}")
    file = None if file is None else file.absolute()
    specs = tuple(_specs(config, file, threads=threads))
    return Plan(config=config, file=file, places=Places(config.data_path), specs=specs)


def mistakes_of_processes(config: Config, *, threads: bool = False, wanted: bool = False) -> Iterator[tuple[str, str]]:
    """What of the configuration could not be kept alive.

    Args:
        threads: the handlers alone are meant.
        wanted: something has to be kept alive.

    Returns:
        Each mistake's key, as ``processes.handlers[0].name``, and a sentence that goes on from there.
    """
    processes = config.processes
    for name in _DURATIONS:
        if processes.limits.seconds(name) <= 0:
            yield f"processes.limits.{name}", f"has to be longer than {getattr(processes.limits, name)}"
    if not threads and processes.bot is not None:
        if config.discord.token is None:
            yield "processes.bot", "needs a Discord token: set DISCORD_TOKEN, or leave processes.bot out"
        if config.core.address is None:
            yield from _unless_known(config.zmq.clients, "zmq.clients")
    if processes.handlers:
        yield from _mistakes_of_the_way(config)
    taken = {"core", "bot"}
    for place, handler in enumerate(processes.handlers):
        where = f"processes.handlers[{place}]"
        if handler.pool in taken:
            yield f"{where}.name", f"{handler.pool} is taken; give each handler a name of its own"
        taken.add(handler.pool)
        if (sentence := _lacks_a_key(config, handler)) is not None:
            yield where, sentence
    if wanted and not processes.handlers and (threads or (processes.core is None and processes.bot is None)):
        yield "processes", f"names nothing to keep alive; for example: {_EXAMPLE}"


def plan_to_ask(config: Config, file: Path | None) -> Plan:
    """A plan for asking what runs, and for ending it: what the configuration names is of no importance then."""
    file = None if file is None else file.absolute()
    return Plan(config=config, file=file, places=Places(config.data_path), specs=())


def plan_for(data_dir: Path) -> Plan:
    """A plan for asking and ending whatever runs in a data folder, without its configuration."""
    return Plan(
        config=Config(data_dir=str(data_dir)), file=None, places=Places(data_dir), specs=(), any_deployment=True
    )


def _specs(config: Config, file: Path | None, *, threads: bool) -> Iterator[ChildSpec]:
    if not threads:
        options = () if file is None else ("--config", str(file))
        if config.processes.core is not None:
            yield ChildSpec(
                name="core", kind="core", command=_python("core.cli", "core", *options), environ=search_path()
            )
        if config.processes.bot is not None:
            yield ChildSpec(name="bot", kind="bot", command=_python("core.cli", "bot", *options), environ=search_path())
    for handler in config.processes.handlers:
        yield from _handler_specs(config, handler)


def _handler_specs(config: Config, handler: HandlerProcess) -> Iterator[ChildSpec]:
    command = [*_python("schedule_zero", "handler"), handler.module, "--core", core_for_handlers(config)]
    if handler.name is not None:
        command += ["--name", handler.name]
    if (drain_s := drain_of(config)) < _USUAL_DRAIN_S:
        command += ["--drain", f"{drain_s:g}"]
    if handler.key is not None:
        command += ["--key", str(Path(handler.key).expanduser())]
    for number in range(1, handler.count + 1):
        yield ChildSpec(
            name=f"{handler.pool}-{number}",
            kind="handler",
            handler=handler,
            command=tuple(command),
            environ=search_path(),
        )


def drain_of(config: Config) -> float:
    """How long what runs in a handler may take to end: some of the time it has before it is killed."""
    return min(_USUAL_DRAIN_S, config.processes.limits.seconds("stop") * _FOR_DRAINING)


def core_for_handlers(config: Config) -> str:
    """Where handlers on this machine find the core, in a configuration that has no mistake there."""
    handlers_at = config.zmq.handlers
    if (address := _core_elsewhere(config)) is not None:
        from bot.remote import handlers_near

        return handlers_near(address, handlers_at)
    host, _, port = handlers_at.removeprefix("tcp://").rpartition(":")
    return f"tcp://127.0.0.1:{port}" if host in _EVERYWHERE else handlers_at


def _core_elsewhere(config: Config) -> str | None:
    """The address of a core that is not among what is kept alive, if one is named."""
    return config.core.address if config.processes.core is None else None


def _is_encrypted(config: Config) -> bool:
    if (address := _core_elsewhere(config)) is not None:
        return protection(address, "auto", "core.address") == "curve"
    return protection(config.zmq.handlers, config.zmq.curve, "zmq.handlers") == "curve"


def _mistakes_of_the_way(config: Config) -> Iterator[tuple[str, str]]:
    """Why handlers could not find the core."""
    yield from _unless_known(config.zmq.handlers, "zmq.handlers")
    address = _core_elsewhere(config)
    if address is not None and address.startswith("http"):
        yield "core.address", f"is {address}; handlers reach a core over tcp:// or ipc:// (its zmq.clients)"


def _lacks_a_key(config: Config, handler: HandlerProcess) -> str | None:
    if handler.key is not None or not _is_encrypted(config):
        return None
    return (
        f"{handler.pool} needs a key, because zmq.handlers is encrypted: `schedule-zero keys new "
        f"{handler.pool} --role handler -o FILE`, and key: FILE beside its module"
    )


def _unless_known(address: str, key: str) -> Iterator[tuple[str, str]]:
    if address.endswith(":*"):
        yield key, "takes a free port, which only the core knows; set it to a port of your choice"


def _python(module: str, *words: str) -> tuple[str, ...]:
    """This Python, without the working folder in front: a folder of somebody's may hold a ``core`` of its own."""
    return (sys.executable, "-P", "-m", module, *words)


def search_path() -> dict[str, str]:
    """Where a child finds our packages, if they are not installed."""
    if Path(sysconfig.get_path("purelib")) == ROOT:
        return {}
    others = [each for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each and each != str(ROOT)]
    return {"PYTHONPATH": os.pathsep.join([str(ROOT), *others])}
