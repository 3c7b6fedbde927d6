"""``schedule-zero export``: what a running core keeps, as a file."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, TextIO

import click

from core.commands.explain import Failed
from core.commands.remote import Remote
from schedule_zero.client import CoreClient
from schedule_zero.printable import printable


def _shown(text: str) -> str:
    """As a terminal may show it: what is in it comes from strangers."""
    return "".join(printable(line.rstrip("\r\n")) + "\n" for line in text.splitlines(keepends=True))


def _for_its_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


class Export(Remote):
    """The command over one core."""

    def write(self, out: Path | None, **asked: Any) -> None:
        """Write the file as its parts come; one that was named is there whole, or as it was before.

        Raises:
            Failed: it cannot be written.
        """
        if out is None:
            self._copy(sys.stdout, asked)
            return
        beside = out.with_name(f"{out.name}.part")
        try:
            with open(beside, "w", encoding="utf-8", newline="", opener=_for_its_owner) as file:
                self._copy(file, asked)
            beside.replace(out)
        except OSError as error:
            raise Failed(f"{error.filename or out} cannot be written ({error.strerror or error})") from error
        finally:
            beside.unlink(missing_ok=True)
        click.echo(f"written to {out}", err=True)

    def _copy(self, file: TextIO, asked: dict[str, Any]) -> None:
        async def copying(client: CoreClient) -> None:
            async for part in client.export(**asked):
                file.write(_shown(part.text) if file.isatty() else part.text)
            file.flush()

        self._ask(copying)
