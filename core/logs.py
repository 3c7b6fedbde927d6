"""Logging: structlog in front, the standard library behind, so that every library's records take one way out.

Secrets do not get out: values under telling keys are replaced, and so is anything in the finished line that looks like
a credential or equals one this process holds.
"""

from __future__ import annotations

import logging
import logging.handlers
import re
import sys
from collections.abc import Callable, Iterable, MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec
import structlog

from core.log_settings import LogSettings, RotateSettings

_HIDDEN: Final = "…"
_TELLING: Final = re.compile(
    r"(?:^|[_-])(?:token|secret|password|passwd|authorization|cookie|api[_-]?key)s?$", re.IGNORECASE
)
_CREDENTIALS: Final = re.compile(
    r"(?P<scheme>\b(?:Bearer|Bot|Basic)\s+)[\w.~+/=-]{12,}"  # an Authorization header
    r"|\b[\w-]{23,28}\.[\w-]{6,7}\.[\w-]{27,}"  # a Discord token
    r"|(?P<user>://[^\s:/@]+:)[^\s/@]+(?=@)"  # the password in an address
    # Whoever has the token of an interaction or a webhook may speak in the bot's name there.
    r"|(?P<way>(?:/|%2F)(?:interactions|webhooks)(?:/|%2F)\d+(?:/|%2F))[\w.~-]+"
)
# Libraries whose every step is not news: their own warnings and errors still come through.
_QUIET: Final = ("aiosqlite", "apscheduler", "asyncio", "discord", "httpx", "sqlalchemy", "uvicorn")
# At debug these write down whole requests, answers and events: what people said, and the tokens of their interactions.
_TALKATIVE: Final = ("discord.gateway", "discord.http", "discord.webhook")

_EventDict = MutableMapping[str, Any]
_Renderer = Callable[[Any, str, _EventDict], str | bytes]


def configure(settings: LogSettings, *, secrets: Iterable[str] = (), stream: TextIO | None = None) -> None:
    """Set logging up for the whole process; calling it again replaces what was set.

    Args:
        settings: level, format and file.
        secrets: texts that must never appear, whatever carries them.
        stream: where the lines go; standard error by default.

    Raises:
        OSError: the log file cannot be opened.
    """
    level = getattr(logging, settings.level.upper())
    output = stream or sys.stderr
    hide = _Hiding(secrets)
    screen = logging.StreamHandler(output)
    screen.setFormatter(_formatter(settings, hide, colours=output.isatty()))
    handlers: list[logging.Handler] = [screen]
    if settings.file is not None:
        handlers.append(_file_handler(Path(settings.file), settings.rotate))
        handlers[-1].setFormatter(_formatter(settings, hide, colours=False))
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    for logger in root.manager.loggerDict.values():
        if isinstance(logger, logging.Logger):
            logger.disabled = False  # a library's own dictConfig silences by default every logger there was before it
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING) if level > logging.DEBUG else level)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.INFO if level == logging.DEBUG else logging.NOTSET)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        # A cached logger would go on writing with the settings before this call.
        cache_logger_on_first_use=False,
    )


def _formatter(settings: LogSettings, hide: _Hiding, *, colours: bool) -> logging.Formatter:
    render: _Renderer
    if settings.format == "json":
        render = structlog.processors.JSONRenderer(serializer=_to_json)
        errors: list[Any] = [structlog.processors.format_exc_info]
    else:
        render = structlog.dev.ConsoleRenderer(
            colors=colours, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
        errors = []
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *errors, hide.around(render)],
    )


def _file_handler(path: Path, rotate: RotateSettings) -> logging.Handler:
    path.parent.mkdir(parents=True, exist_ok=True)
    return logging.handlers.RotatingFileHandler(
        path, maxBytes=rotate.size_bytes, backupCount=rotate.keep, encoding="utf-8"
    )


class _Hiding:
    """Takes credentials out of a finished line."""

    def __init__(self, secrets: Iterable[str]) -> None:
        held = sorted({secret for secret in secrets if secret}, key=len, reverse=True)
        self._held = re.compile("|".join(re.escape(secret) for secret in held)) if held else None

    def around(self, render: _Renderer) -> Callable[[Any, str, _EventDict], str]:
        def rendered(logger: Any, name: str, event: _EventDict) -> str:
            line = render(logger, name, event)
            return self.clean(line.decode() if isinstance(line, bytes) else line)

        return rendered

    def clean(self, line: str) -> str:
        if self._held is not None:
            line = self._held.sub(_HIDDEN, line)
        return _CREDENTIALS.sub(lambda found: (found["scheme"] or found["user"] or found["way"] or "") + _HIDDEN, line)


def _hide_telling_keys(logger: Any, name: str, event: _EventDict) -> _EventDict:  # noqa: ARG001  # structlog's form
    for key in event:
        if _TELLING.search(key):
            event[key] = _HIDDEN
    return event


def _to_json(event: _EventDict, **_: Any) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


_SHARED: Final[list[Any]] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    _hide_telling_keys,
]
