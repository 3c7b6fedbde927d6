"""What every test starts from: logging as Python has it, and no examples judged by how long they took."""

from __future__ import annotations

import logging

import pytest
from hypothesis import HealthCheck, settings

OUR_ROOMS = {"bot", "cogs", "core", "handlers", "schedule_zero"}

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # a busy machine fails nothing


@pytest.fixture(autouse=True)
def _plain_logging() -> None:
    """A command run inside the test process sets levels for the whole process; the next test must not inherit them."""
    logging.disable(logging.NOTSET)
    _set_level(logging.getLogger(), logging.WARNING)
    for name, logger in logging.root.manager.loggerDict.items():
        if isinstance(logger, logging.Logger):
            logger.disabled = False
            if name.partition(".")[0] in OUR_ROOMS:
                logger.propagate = True
                _set_level(logger, logging.NOTSET)


def _set_level(logger: logging.Logger, level: int) -> None:
    if logger.level != level:  # setting it makes every logger forget what it has worked out
        logger.setLevel(level)
