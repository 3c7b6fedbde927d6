"""The configuration: one file, the environment over it, and every mistake at once.

Each room owns its settings; here they are put together. Key meanings: ``docs/configuration.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import msgspec

from core.fields import check
from core.governor.settings import GovernorSettings
from core.kinds import DiscordId, Duration
from core.ledger.settings import StoreSettings
from core.log_settings import LogSettings
from core.processes.settings import ProcessesSettings
from core.secret import Secret, read_secret
from core.unheeded import unheeded
from core.web.settings import HttpSettings, PublicUrl, with_port
from core.yaml_reading import Document, read_scalar, read_yaml

DEFAULT_FILE: Final = "schedule-zero.yaml"
FILE_VARIABLE: Final = "SCHEDULE_ZERO_CONFIG"
_PREFIX: Final = "SCHEDULE_ZERO__"
_SEPARATOR: Final = "__"

# Variables with a name of their own, and the key each of them stands for; they win over everything else.
_OWN_NAMES: Final = {"DISCORD_TOKEN": "discord.token", "DISCORD_API_BASE": "discord.api_base"}

Endpoint = Annotated[
    str,
    with_port(
        r"^(?:tcp://\S+:(?:PORT|\*)|ipc://\S+|inproc://\S+)$",
        "a ZeroMQ address such as tcp://127.0.0.1:4242 or ipc:///run/schedule-zero.sock",
    ),
]
CoreAddress = Annotated[
    str,
    with_port(
        r"^(?:https?://(?:\[[^\]\s]+\]|[^/\s?#:\[\]]+)(?::PORT)?/?|tcp://\S+:PORT|ipc://\S+)$",
        "an address such as http://127.0.0.1:8080 or tcp://core:4243",
    ),
]
Module = Annotated[
    str,
    msgspec.Meta(pattern=r"^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*(?::[A-Za-z_]\w*)?$",
                 description="a Python module, with :OBJECT where one object of it is meant"),
]  # fmt: skip
DataDir = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^(?:~(?:/[^\0]*)?|[^~\0][^\0]*)$", description="a folder; ~ is your home, ~NAME is not read"
    ),
]
Shards = Annotated[int, msgspec.Meta(ge=1, description="auto, or how many shards there are")] | Literal["auto"]


class _Settings(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The form all settings share."""


class ZmqSettings(_Settings, frozen=True, kw_only=True):
    """Where handlers, clients and listeners connect; ``curve`` auto encrypts everything but loopback and ipc."""

    handlers: Endpoint = "tcp://127.0.0.1:4242"
    clients: Endpoint = "tcp://127.0.0.1:4243"
    events: Endpoint = "tcp://127.0.0.1:4244"
    curve: Literal["auto", "on", "off"] = "auto"


class CoreSettings(_Settings, frozen=True, kw_only=True):
    """Where a separate bot, handler or command finds the core; null is this machine's."""

    address: CoreAddress | None = None
    key: Secret | None = None


class DiscordSettings(_Settings, frozen=True, kw_only=True):
    """The bot's side of Discord. Without a token ``up`` opens the playground."""

    token: Secret | None = None
    operator_ids: tuple[DiscordId, ...] = ()
    operator_guild_id: DiscordId | None = None
    shards: Shards = "auto"
    api_base: PublicUrl | None = None


class BuiltinHandler(_Settings, frozen=True, kw_only=True):
    """A handler that runs inside the core: a module's handlers, or only the named methods of it."""

    module: Module
    options: dict[str, Any] = {}
    methods: tuple[str, ...] | None = None


class HandlersSettings(_Settings, frozen=True, kw_only=True):
    """Handlers that start with the core."""

    builtin: tuple[BuiltinHandler, ...] = ()


class HealthSettings(_Settings, frozen=True, kw_only=True):
    """How often handlers are looked at."""

    check_interval: Duration = "PT10S"


class MetricsSettings(_Settings, frozen=True, kw_only=True):
    """Whether ``/metrics`` answers."""

    enabled: bool = True


class RetentionSettings(_Settings, frozen=True, kw_only=True):
    """How long what happened is kept."""

    runs: Duration = "P30D"
    events: Duration = "P30D"
    audit: Duration = "P365D"
    metrics: Duration = "P30D"


class ReportingSettings(_Settings, frozen=True, kw_only=True):
    """What the service tells about itself, and for how long."""

    handler_health: HealthSettings = HealthSettings()
    metrics: MetricsSettings = MetricsSettings()
    retention: RetentionSettings = RetentionSettings()


class Config(_Settings, frozen=True, kw_only=True):
    """Everything that can be configured. Without a file every key has its default."""

    data_dir: DataDir = "./data"
    mode: Literal["full", "minimal", "autonomous", "reporter"] = "full"
    store: StoreSettings = StoreSettings()
    http: HttpSettings = HttpSettings()
    zmq: ZmqSettings = ZmqSettings()
    core: CoreSettings = CoreSettings()
    discord: DiscordSettings = DiscordSettings()
    handlers: HandlersSettings = HandlersSettings()
    governor: GovernorSettings = GovernorSettings()
    reporting: ReportingSettings = ReportingSettings()
    processes: ProcessesSettings = ProcessesSettings()
    log: LogSettings = LogSettings()

    @property
    def data_path(self) -> Path:
        """The data folder; a relative one is seen from the working folder."""
        return Path(self.data_dir).expanduser()


class ConfigMistake(msgspec.Struct, frozen=True):
    """One mistake: where it stands (a file or a variable, and the line from 1), the key, and a sentence."""

    source: str
    line: int | None
    key: str
    message: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place}: {self.key} {self.message}" if self.key else f"{place}: {self.message}"


class ConfigErrors(Exception):
    """The configuration cannot be used; ``mistakes`` holds all that is wrong with it, in the order of the file."""

    def __init__(self, mistakes: list[ConfigMistake]) -> None:
        super().__init__("; ".join(str(mistake) for mistake in mistakes))
        self.mistakes = mistakes


Further = Callable[["Config"], Iterable[tuple[str, str]]]
"""Finds mistakes in a configuration whose form is right: keys, and sentences that go on from them."""


def load_config(path: Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration; see ``read_config``."""
    return read_config(path, environ)[0]


def read_config(
    path: Path | None, environ: Mapping[str, str], further: Further | None = None
) -> tuple[Config, list[ConfigMistake]]:
    """Read the configuration, and say what in it is right and has no effect in this version.

    Args:
        path: the file; None looks at ``$SCHEDULE_ZERO_CONFIG``, then for ``schedule-zero.yaml`` in the working folder.
        environ: the process's environment.
        further: looks further, once the form of everything is right.

    Raises:
        ConfigErrors: with every mistake of the file and the environment.
    """
    source = find_file(path, environ)
    document, mistakes = _read_file(source)
    settings = _Layers(document, str(source) if source else "defaults", mistakes)
    for name, text in sorted(environ.items(), key=lambda pair: pair[0].count(_SEPARATOR)):
        if name.startswith(_PREFIX) and text != "":
            settings.put(name, name[len(_PREFIX) :].lower().split(_SEPARATOR), text)
    for name, key in _OWN_NAMES.items():
        if environ.get(name):
            settings.put(name, key.split("."), environ[name])
    config = settings.config()
    if further is not None:
        settings.refuse(further(config))
    return config, settings.without_effect()


def find_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """The file to read: the one given, else the one the environment names, else the usual one if it is there."""
    if path is not None:
        return path
    if environ.get(FILE_VARIABLE):
        return Path(environ[FILE_VARIABLE])
    usual = Path(DEFAULT_FILE)
    return usual if usual.is_file() else None


def secrets_of(config: Config) -> list[str]:
    """What the configuration holds that no log may show."""
    held = (config.discord.token, config.http.oauth.client_secret, config.core.key)
    return [secret.reveal() for secret in held if secret is not None]


def _read_file(source: Path | None) -> tuple[Document, list[ConfigMistake]]:
    if source is None:
        return Document({}, {}, {}, []), []
    try:
        document = read_yaml(source.read_bytes())
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        return Document({}, {}, {}, []), [ConfigMistake(str(source), None, "", f"cannot be read: {reason}")]
    mistakes = [ConfigMistake(str(source), each.line, each.key, each.message) for each in document.mistakes]
    if document.value is None:
        document.value = {}
    elif not isinstance(document.value, dict):
        mistakes.append(ConfigMistake(str(source), 1, "", "has to be a mapping of sections, such as 'http: {…}'"))
        document.value = {}
    return document, mistakes


class _Layers:
    """The file's document with the environment's values laid over it, and where each value came from."""

    def __init__(self, document: Document, source: str, mistakes: list[ConfigMistake]) -> None:
        self._document = document
        self._source = source
        self._mistakes = mistakes
        self._variables: dict[str, str] = {}

    def put(self, variable: str, keys: list[str], text: str) -> None:
        """Lay one variable over what is there. ``[…]`` and ``{…}`` are read as YAML, the rest as one scalar."""
        path = ".".join(keys)
        if text[0] in "[{":
            inner = read_yaml(text.encode(errors="replace"))
            for mistake in inner.mistakes:
                self._mistakes.append(ConfigMistake(variable, None, mistake.key or path, mistake.message))
            value = inner.value
            self._document.texts.update({_under(path, place): written for place, written in inner.texts.items()})
        else:
            value = read_scalar(text)
            self._document.texts[path] = text
        target = self._document.value
        for key in keys[:-1]:
            if not isinstance(target.get(key), dict):
                target[key] = {}
            target = target[key]
        target[keys[-1]] = value
        self._variables[path] = variable

    def config(self) -> Config:
        """The configuration, or all that is wrong with it."""
        ready, errors = check(self._document.value, Config, texts=self._document.texts, hook=read_secret)
        self.refuse((error.field, error.message) for error in errors)
        return msgspec.convert(ready, Config, dec_hook=read_secret)

    def refuse(self, found: Iterable[tuple[str, str]]) -> None:
        """Raise ConfigErrors where there are mistakes: these, by key and message, and those known before."""
        doubled = {mistake.key for mistake in self._mistakes}
        self._mistakes += [ConfigMistake(*self._place(key), key, said) for key, said in found if key not in doubled]
        if self._mistakes:
            raise ConfigErrors(sorted(self._mistakes, key=lambda each: (each.source, each.line or 0)))

    def without_effect(self) -> list[ConfigMistake]:
        """What is set, and heeded by later versions only, with its place."""
        defaults = msgspec.json.decode(msgspec.json.encode(Config()))
        del defaults["governor"]  # a limit of a plan that is written down is meant, also where it is the default's
        keys = unheeded(self._document.value, defaults)
        found = [ConfigMistake(*self._place(key), key, "has no effect in this version") for key in keys]
        return sorted(found, key=lambda each: (each.source, each.line or 0))

    def _place(self, path: str) -> tuple[str, int | None]:
        """Where a key was written: in a variable, or in the nearest line of the file that holds it."""
        for known, variable in self._variables.items():
            if known == path or known.startswith(f"{path}."):
                return variable, None
        place = path
        while place:
            if place in self._variables:
                return self._variables[place], None
            if place in self._document.lines:
                return self._source, self._document.lines[place]
            place = place[: max(place.rfind("."), place.rfind("["), 0)]
        return self._source, None


def _under(path: str, inner: str) -> str:
    return f"{path}{inner}" if inner.startswith("[") else f"{path}.{inner}" if inner else path
