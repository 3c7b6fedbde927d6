"""What every test starts from: logging as Python has it, whatever a test before it has configured."""

from __future__ import annotations

import logging

import pytest

OUR_ROOMS = {"bot", "cogs", "core", "handlers", "schedule_zero"}


@pytest.fixture(autouse=True)
def _plain_logging() -> None:
    """A command run inside the test process sets levels for the whole process; the next test must not inherit them."""
    logging.disable(logging.NOTSET)
    logging.getLogger().setLevel(logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
            if name.partition(".")[0] in OUR_ROOMS:
                logger.propagate = True
                logger.setLevel(logging.NOTSET)
