"""The ring: start, interrupt, kill, judge, start again, until every window has enough proven kills; then the accounts."""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import msgspec

from core import cli
from tests.process.accounts import Accounts, Due, settle
from tests.process.aims import BYSTANDERS, CHANNEL, NOTICES, Aim, Scene
from tests.process.house import House, texts
from tests.process.remains import copy_of, read_remains
from tests.process.windows import Target, Window, window_of

POSTS = "POST /channels/*/messages"


class Ring:
    """Kills in one house, one after another.

    Attributes:
        kills: how many were proven, by window, whichever was aimed at.
        tries: how many lives were killed in all.
        accounts: what all of them together lost and doubled; empty until `finish`.
    """

    def __init__(self, house: House, scratch: Path, random: Random) -> None:
        self.kills: Counter[Window] = Counter()
        self.tries = 0
        self.accounts = Accounts()
        self.dues: list[Due] = []
        self.rejected: list[str] = []
        self._away = 0.0
        self._house = house
        self._scratch = scratch
        self._random = random

    @property
    def figures(self) -> str:
        """What was counted, in a line."""
        kills = ", ".join(f"{count} × {window}" for window, count in sorted(self.kills.items()))
        lost, doubled = len(self.accounts.lost), len(self.accounts.doubled)
        away = f" and kept down for {self._away:g} s" if self._away else ""
        return f"{self.tries} killed{away}, proven {kills}; {len(self.dues)} due times, {lost} lost, {doubled} doubled"

    async def until(self, window: Window, wanted: int, aims: Sequence[Aim], *, bound: int, away: float = 0.0) -> None:
        """Kill until so many kills in this window are proven.

        Args:
            aims: taken in turn.
            bound: how many tries there may be.
            away: seconds the bot stays away after each kill, on every clock.
        """
        self._away = away
        while self.kills[window] < wanted:
            assert self.tries < bound, f"{self.kills[window]} of {wanted} kills in {window} proven in {bound} tries"
            await self._kill(aims[self.tries % len(aims)])
            if away:
                self._house.ahead += away
                await self._house.discord.act("advance_clock", seconds=away)

    async def finish(self) -> None:
        """One more life, which ends in order; what all of them together lost and doubled."""
        life = await self._house.start()
        await self._all_ended()
        await self._all_told()
        life.send(signal.SIGTERM)
        assert await life.end() == 0
        checked = self._house.check()
        assert await checked.end() == 0, checked.last_words()
        remains = read_remains(copy_of(self._house.database, self._scratch / "end"))
        standing = await texts(self._house.discord, sorted({CHANNEL, *BYSTANDERS}))
        self.accounts = settle(self.dues, remains, standing)
        self._count_notices(await texts(self._house.discord, [NOTICES]))

    async def _kill(self, aim: Aim) -> None:
        house = self._house
        life = await house.start()
        await self._all_ended()
        requests = await house.discord.requests()
        seen, place = requests[-1].seq if requests else 0, life.place
        scene = Scene(house, life, self.tries, self._random)
        target = await aim(scene)
        assert await life.end() == -signal.SIGKILL, life.last_words()
        self.tries += 1
        self.dues += scene.dues
        self.rejected += scene.rejected
        await self._judge(target, life.log[place:], seen)
        await house.discord.act("clear_faults")

    async def _judge(self, target: Target, log: Sequence[str], seen: int) -> None:
        """Count the kill where it is proven, and look at what it left."""
        copy = copy_of(self._house.database, self._scratch / f"kill-{self.tries}")
        assert await asyncio.to_thread(self._database_check, copy) == 0, (
            "`db check` finds fault with what the kill left"
        )
        remains = await asyncio.to_thread(read_remains, copy)
        shutil.rmtree(copy.parent)
        begun = await self._house.discord.requests(route=POSTS, after=seen)
        finished = await self._house.discord.wait_requests(POSTS, len(begun), after=seen) if begun else []
        window = window_of(target, log, remains, finished)
        if window is not None:
            self.kills[window] += 1

    def _database_check(self, copy: Path) -> int:
        """`db check` on a copy, in this process: the exit code."""
        config = copy.with_name("config.yaml")
        config.write_bytes(msgspec.yaml.encode({"data_dir": str(copy.parent)}))
        return cli.run(["db", "check", "--config", str(config)])

    async def _all_ended(self) -> None:
        """What the last kill interrupted is over: every run has its outcome."""
        await self._house.ended([due.schedule_id for due in self.dues] + self.rejected)

    async def _all_told(self) -> None:
        for id in self.rejected:
            await self._house.discord.wait_messages(channel_id=NOTICES, contains=id, timeout=60)

    def _count_notices(self, told: Sequence[str]) -> None:
        for id in self.rejected:
            count = sum(id in text for text in told)
            if count != 1:
                (self.accounts.doubled if count else self.accounts.lost).append(
                    f"the notice on {id} came {count} times"
                )
