"""Asking what operators tell everybody: for ``/help``, and for refusals that may come of what is done to the service."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

import discord

from cogs.banner import LastBanner, banner_line
from cogs.front import Interaction, core_of, front_of
from schedule_zero.errors import ScheduleZeroError
from schedule_zero.instant import from_datetime

logger = logging.getLogger(__name__)

BUDGET: Final = 0.25
"""Seconds the core may take to tell it; what was known last is shown else."""


async def banner(interaction: Interaction, *, away: bool = False) -> str:
    """What is told at the moment, as a line; empty where that is nothing. ``away``: the core just did not answer, so it is
    not waited for once more."""
    last = front_of(interaction).banner
    if not away:
        await _ask(interaction, last)
    return banner_line(last.at(from_datetime(discord.utils.utcnow())))


async def _ask(interaction: Interaction, last: LastBanner) -> None:
    try:
        async with asyncio.timeout(BUDGET):
            last.remember((await core_of(interaction).upkeep()).maintenance)
    except ScheduleZeroError as error:
        logger.info("the core does not say what everybody is told: %s", error.sentence)
    except Exception:  # whatever it is: the answer this stands under goes out all the same
        logger.info("the core does not say what everybody is told", exc_info=True)
