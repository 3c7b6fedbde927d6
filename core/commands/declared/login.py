"""How ``login`` is declared."""

from __future__ import annotations

import os
from pathlib import Path

import click

from core.commands.declaring import Command, asking


@click.command("login", cls=Command)
@asking
def login(file: Path | None, as_json: bool) -> None:
    """Print a link that signs you in to the pages, once, within five minutes."""
    from core.commands.login import Login
    from core.config import load_config

    Login(load_config(file, os.environ), os.environ, as_json=as_json).say_link()
