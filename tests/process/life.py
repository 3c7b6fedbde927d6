"""One life of a process: started, read line by line while it writes, ended by a signal or by itself."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0
"""Seconds for anything a process is waited for: far more than it takes, so that a busy machine fails nothing."""
_TELLING = ('"level":"warning"', '"level":"error"', '"level":"critical"')


class Died(Exception):
    """The process ended without saying what was waited for; the text is the end of its log."""


class Life:
    """A process whose standard error is its log.

    The log is read in a thread of its own, which can also kill: between the writing of a line and the signal lies a
    fraction of a millisecond, whatever the test's own loop is doing.
    """

    def __init__(self, command: Sequence[str], environ: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=dict(environ), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        self._lines: list[bytes] = []
        self._waiting: list[tuple[bytes, Callable[[bytes | None], None]]] = []
        self._snare: list[bytes] = []
        self._delay = 0.0
        self._guard = threading.Lock()
        self._over = False
        assert self._process.stderr is not None
        assert self._process.stdout is not None
        self._reader = threading.Thread(target=self._read, args=(self._process.stderr,), name="log", daemon=True)
        self._drain = threading.Thread(target=self._process.stdout.read, name="stdout", daemon=True)
        self._reader.start()
        self._drain.start()

    @property
    def pid(self) -> int:
        """The process's id; its own until `end` or `close` has waited for it."""
        return self._process.pid

    @property
    def log(self) -> list[str]:
        """What it has said until now, a line each."""
        with self._guard:
            lines = list(self._lines)
        return [line.decode(errors="replace").rstrip("\n") for line in lines]

    @property
    def place(self) -> int:
        """How many lines it has said, to ask `says` for what comes after."""
        with self._guard:
            return len(self._lines)

    async def says(self, words: str, *, after: int = 0, patience: float = PATIENCE) -> str:
        """The first line with these words, said already (from the place `after` on) or still to come.

        Raises:
            Died: the process ended first.
            TimeoutError: it took longer than `patience` seconds.
        """
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[bytes | None] = loop.create_future()

        def hear(line: bytes | None) -> None:
            loop.call_soon_threadsafe(lambda: None if heard.done() else heard.set_result(line))

        needle = words.encode()
        with self._guard:
            said = next((line for line in self._lines[after:] if needle in line), None)
            if said is not None or self._over:
                heard.set_result(said)
            else:
                self._waiting.append((needle, hear))
        try:
            line = await asyncio.wait_for(heard, patience)
        except TimeoutError:
            raise TimeoutError(f"{words!r} was not said within {patience:g} s; {self.last_words()}") from None
        if line is None:
            raise Died(f"the process ended before it said {words!r}; {self.last_words()}")
        return line.decode(errors="replace")

    def kill_when_it_says(self, *words: str, delay: float) -> None:
        """`kill -9`, `delay` seconds after the next line with these words; several are waited for one after another."""
        with self._guard:
            self._snare = [text.encode() for text in words]
            self._delay = delay

    def kill(self) -> None:
        """`kill -9` now."""
        self._process.kill()

    def send(self, signal: int) -> None:
        """Any signal."""
        self._process.send_signal(signal)

    async def over(self) -> None:
        """Wait until its log ends, however long that takes."""
        with contextlib.suppress(Died):
            await self.says("\0", patience=86_400)

    async def end(self, *, patience: float = PATIENCE) -> int:
        """Wait for its end; the exit code, negative for the signal that killed it. The log is whole then.

        Raises:
            TimeoutError: it lives on.
        """
        return await asyncio.to_thread(self._wait, patience)

    def close(self) -> None:
        """Make sure that it is over, whatever the test did."""
        self._process.kill()
        self._wait(PATIENCE)

    def _wait(self, patience: float) -> int:
        try:
            code = self._process.wait(patience)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"the process did not end within {patience:g} s; {self.last_words()}") from None
        self._reader.join(patience)
        self._drain.join(patience)
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()
        return code

    def _read(self, stream: IO[bytes]) -> None:
        for line in stream:
            if self._is_sprung(line):
                time.sleep(self._delay)
                self._process.kill()
            self._note(line)
        with self._guard:
            self._over = True
            waiting, self._waiting = self._waiting, []
        for _, hear in waiting:
            _tell(hear, None)

    def _is_sprung(self, line: bytes) -> bool:
        with self._guard:
            if self._snare and self._snare[0] in line:
                del self._snare[0]
                return not self._snare
        return False

    def _note(self, line: bytes) -> None:
        with self._guard:
            self._lines.append(line)
            heard = [hear for needle, hear in self._waiting if needle in line]
            self._waiting = [entry for entry in self._waiting if entry[0] not in line]
        for hear in heard:
            _tell(hear, line)

    def last_words(self) -> str:
        """The end of its log, for the sentence of a failure."""
        telling = [line for line in self.log if not line.startswith("{") or any(level in line for level in _TELLING)]
        return "its last words:\n" + "\n".join(telling[-40:])


def _tell(hear: Callable[[bytes | None], None], line: bytes | None) -> None:
    try:
        hear(line)
    except RuntimeError:  # the loop that waited is closed: its test is over
        return
