"""A child that does as it is told: ``child.py WORD…``. It needs the standard library alone, so that it starts at once.

ready          says that it is ready, and goes on with beats
ready-when F   the same once somebody opens the FIFO F
diary F        writes a line into F when it begins (``begin NAME PID``) and when it is told to end (``end NAME``)
deaf           does not hear SIGTERM
fork F         leaves a process of its own behind, whose id it writes into F
silent         says it is ready, and then nothing any more
busy S         says it is ready, that it may be silent for S seconds, and then nothing any more
ready-then-exit CODE  says it is ready, and ends
say TEXT       prints a line
exit CODE      ends
exit-unless F  ends with 1 unless the file F is there
"""

import os
import signal
import socket
import subprocess
import sys
import threading

NAME = sys.argv[1]


def tell(text: str) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        try:
            line.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
        except OSError:  # no governor listens at the moment
            pass


def note(file: str, text: str) -> None:
    with open(file, "a", encoding="utf-8") as diary:
        diary.write(f"{text}\n")


class Child:
    def __init__(self) -> None:
        self.over = threading.Event()
        self.said = "WATCHDOG=1"
        signal.signal(signal.SIGTERM, lambda *_: self.over.set())

    def run(self, words: "list[str]") -> None:
        take = iter(words)
        for word in take:
            do = getattr(self, word.replace("-", "_"))
            do(*(next(take) for _ in range(do.__code__.co_argcount - 1)))
        beat_s = int(os.environ["WATCHDOG_USEC"]) / 3e6
        tell(self.said)
        while not self.over.wait(beat_s):
            tell(self.said)

    def ready(self) -> None:
        self.said = "WATCHDOG=1\nREADY=1\nSTATUS=at work"

    def ready_when(self, gate: str) -> None:
        with open(gate, encoding="utf-8"):
            self.said = "WATCHDOG=1\nREADY=1"

    def diary(self, file: str) -> None:
        def end(*_: object) -> None:
            note(file, f"end {NAME}")
            self.over.set()

        note(file, f"begin {NAME} {os.getpid()}")
        signal.signal(signal.SIGTERM, end)

    def deaf(self) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)

    def fork(self, file: str) -> None:
        left = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
        note(file, str(left.pid))

    def silent(self) -> None:
        tell("WATCHDOG=1\nREADY=1")
        self.over.wait()

    def busy(self, seconds: str) -> None:
        tell(f"WATCHDOG=1\nREADY=1\nSTATUS=busy\nWATCHDOG_USEC={int(float(seconds) * 1e6)}")
        self.over.wait()

    def say(self, text: str) -> None:
        print(text, flush=True)

    def ready_then_exit(self, code: str) -> None:
        tell("WATCHDOG=1\nREADY=1")
        sys.exit(int(code))

    def exit(self, code: str) -> None:
        sys.exit(int(code))

    def exit_unless(self, file: str) -> None:
        if not os.path.exists(file):
            sys.exit(1)


Child().run(sys.argv[2:])
