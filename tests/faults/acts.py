"""What is done to a stage under load, one act per fault. Every act leaves all processes running."""

from __future__ import annotations

import asyncio
import sys
import time

from core.engine.ports import LEASE_S
from schedule_zero.event import EventKind
from tests.faults.crowd import NAME
from tests.faults.load import Load
from tests.faults.noise import raw, speak
from tests.faults.stage import Hands, Stage, until
from tests.process.life import PATIENCE

CROWD_SERIES = 5
REVOKED_S = 0.5
"""Seconds after a revocation in which orders that were on their way may still be begun."""
BACK_S = 10.0
"""Seconds within which a handler has to be given work again after a cut was healed."""


async def kill_core(stage: Stage, load: Load, times: int) -> None:
    """`kill -9` of the core at random moments."""
    random = stage.random
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.2, 3.0))
        await stage.kill_core(away=random.choice((0.0, random.uniform(0.0, 2.0))))


async def kill_hands(stage: Stage, load: Load, times: int) -> None:
    """`kill -9` of handlers in the middle of a run, in turns."""
    random, struck = stage.random, 0
    while struck < times:
        hands = stage.hands[struck % len(stage.hands)]
        await asyncio.sleep(random.uniform(0.2, 1.0))
        await _busy(stage, hands)
        pid = hands.life.pid
        await stage.kill_hands(hands, away=random.uniform(0.0, 1.5))
        struck += bool(stage.effects.look().under_way[pid])


async def freeze_core(stage: Stage, load: Load, times: int) -> None:
    """SIGSTOP of the core for longer than a lease, then SIGCONT."""
    random = stage.random
    for _ in range(times):
        await asyncio.sleep(random.uniform(0.5, 2.0))
        await stage.freeze_core(LEASE_S + random.uniform(0.5, 2.5))


async def freeze_hands(stage: Stage, load: Load, times: int) -> None:
    """SIGSTOP of handlers for longer than a lease, in turns, then SIGCONT."""
    random = stage.random
    for number in range(times):
        hands = stage.hands[number % len(stage.hands)]
        await asyncio.sleep(random.uniform(0.2, 1.5))
        await _busy(stage, hands)
        await stage.freeze(hands.life, LEASE_S + random.uniform(0.5, 2.5), "handler")


async def cut(stage: Stage, times: int, seconds: float) -> None:
    """One handler is cut off for so long, and the other one too for the second half of that time."""
    for number in range(times):
        first, second = stage.hands[number % 2], stage.hands[1 - number % 2]
        await asyncio.sleep(stage.random.uniform(0.5, 2.0))
        await _busy(stage, first)
        await asyncio.gather(stage.cut(first, seconds), _later(stage, second, seconds / 2))
        await asyncio.gather(_back(stage, first), _back(stage, second))


async def cut_5(stage: Stage, load: Load, times: int) -> None:
    """Silence for 5 s."""
    await cut(stage, times, 5.0)


async def cut_30(stage: Stage, load: Load, times: int) -> None:
    """Silence for 30 s."""
    await cut(stage, times, 30.0)


async def cut_120(stage: Stage, load: Load, times: int) -> None:
    """Silence for 120 s."""
    await cut(stage, times, 120.0)


async def twins(stage: Stage, load: Load, times: int) -> None:
    """Two processes that say they are the same one."""
    for number in range(times):
        await _twins(stage, f"twin-{number}")


async def _twins(stage: Stage, instance: str) -> None:
    command = [sys.executable, "-m", "tests.faults.twin", stage.handlers_at, instance]

    def did() -> list[int]:
        return [stage.effects.look().begun[life.pid] for life in lives]

    with stage.episode("two processes of one identity"):
        lives = [stage.start(command) for _ in range(2)]
        await until(lambda: any(did()), "twins were given nothing")
        await asyncio.sleep(stage.random.uniform(4.0, 6.0))
        stage.notes.append("twins began {} and {}".format(*did()))
        for life in lives:
            life.kill()
            await life.end()


async def revoke(stage: Stage, load: Load, times: int) -> None:
    """The key of a handler is revoked while it works: it is cut off and ends, and one with another key comes."""
    for number in range(times):
        hands = stage.hands[number % len(stage.hands)]
        await asyncio.sleep(stage.random.uniform(0.5, 2.0))
        await _busy(stage, hands)
        assert hands.key_id is not None
        with stage.episode("key revoked"):
            await stage.client.revoke_key(hands.key_id)
            await asyncio.sleep(REVOKED_S)
            before = stage.effects.look().begun[hands.life.pid]
            code = await hands.life.end(patience=BACK_S)
            after = stage.effects.look().begun[hands.life.pid] - before
            if code != 1 or after:
                stage.wrong.append(f"a handler whose key was revoked ended with {code} and began {after} runs")
            await stage.new_key(hands)
            stage.start_again(hands)


async def noise(stage: Stage, load: Load, times: int) -> None:
    """Garbage, oversize frames and later versions, while others work."""
    said = 0
    for _ in range(times):
        opened = raw(stage.port, stage.random)
        try:
            said += len(opened) + await speak(stage.handlers_at, stage.random)
        finally:
            for connection in opened:
                connection.close()
    stage.notes.append(f"{said} hostile messages")


async def reconnect(stage: Stage, load: Load, times: int) -> None:
    """A crowd of handlers that are all back at once after the core's restart, and do their work."""
    stage.start([sys.executable, "-m", "tests.faults.crowd", stage.handlers_at, str(times)])
    await _all_here(stage, 0, times + len(stage.hands))
    for _ in range(CROWD_SERIES):
        await load.series("work", "PT1S", 0.0, {}, handler=NAME)
    for _ in range(2):
        await asyncio.sleep(stage.random.uniform(1.0, 3.0))
        before = stage.follower.count(EventKind.HANDLER_CONNECTED)
        await stage.kill_core()
        took = await _all_here(stage, before, times + len(stage.hands))
        stage.notes.append(f"all {times} back {took:.1f} s after the start")


async def _all_here(stage: Stage, before: int, count: int) -> float:
    """Until so many more have connected; how long that took."""
    began, connected = time.monotonic(), EventKind.HANDLER_CONNECTED
    await stage.follower.until(
        lambda: stage.follower.count(connected) >= before + count, PATIENCE, f"{count} handlers are back"
    )
    return time.monotonic() - began


async def _busy(stage: Stage, hands: Hands) -> None:
    """Until this process is in the middle of a run."""
    pid = hands.life.pid
    await until(lambda: bool(stage.effects.look().under_way[pid]), "a handler was given nothing")


async def _later(stage: Stage, hands: Hands, seconds: float) -> None:
    await asyncio.sleep(seconds)
    await stage.cut(hands, seconds)


async def _back(stage: Stage, hands: Hands) -> None:
    """Until a handler is given work again."""
    healed, pid = time.monotonic(), hands.life.pid
    before = stage.effects.look().begun[pid]
    try:
        await until(lambda: stage.effects.look().begun[pid] > before, "given nothing after its healing", BACK_S)
    except TimeoutError as error:
        stage.wrong.append(f"a handler was {error}")
    else:
        stage.notes.append(f"given work again {time.monotonic() - healed:.1f} s after healing")
