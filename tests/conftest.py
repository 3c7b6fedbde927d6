"""What every test starts from: logging as Python has it, no examples judged by how long they took, long tests early, and
nothing compiled twice."""

from __future__ import annotations

import logging
import os
import sys

import pytest
from hypothesis import HealthCheck, settings

from tests.turns import early

OUR_ROOMS = {"bot", "cogs", "core", "handlers", "schedule_zero"}

# Where no bytecode is kept, every process of a run compiles all of ours again, and there are hundreds: minutes of a run.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")  # a busy machine fails nothing


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that may take longer than others, as their own time limit says, do not begin last."""
    long = [item for item in items if item.get_closest_marker("timeout") is not None]
    short = [item for item in items if item.get_closest_marker("timeout") is None]
    items[:] = early(long, short, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


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
