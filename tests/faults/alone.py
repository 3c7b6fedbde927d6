"""A core without a Discord side: `python -m tests.faults.alone CONFIG`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from core.commands.up import Up, serve
from core.config import load_config


async def _nobody(_: Up) -> None:
    await asyncio.Event().wait()


if __name__ == "__main__":
    serve(load_config(Path(sys.argv[1]), {}), _nobody)
