"""A child that does as it is told: ``child.py WORD…``. It needs the standard library alone, so that it starts at once.

ready          says that it is ready, and goes on with beats
ready-when F   the same once somebody opens the FIFO F
diary F        writes a line into F when it begins (``begin NAME PID``) and when it is told to end (``end NAME``)
deaf           does not hear SIGTERM
fork F         leaves a process of its own behind, whose id it writes into F
silent         says it is ready, and then nothing any more
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
import time

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


def main(words: "list[str]") -> None:
    over, said = threading.Event(), "WATCHDOG=1"
    beat_s = int(os.environ["WATCHDOG_USEC"]) / 3e6
    signal.signal(signal.SIGTERM, lambda *_: over.set())
    take = iter(words)
    for word in take:
        if word == "ready":
            said = "WATCHDOG=1\nREADY=1\nSTATUS=at work"
        elif word == "ready-when":
            with open(next(take), encoding="utf-8"):
                said = "WATCHDOG=1\nREADY=1"
        elif word == "diary":
            file = next(take)
            note(file, f"begin {NAME} {os.getpid()}")

            def end(_number: int, _frame: object, file: str = file) -> None:
                note(file, f"end {NAME}")
                over.set()

            signal.signal(signal.SIGTERM, end)
        elif word == "deaf":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        elif word == "fork":
            left = subprocess.Popen([sys.executable, "-S", "-c", "import signal; signal.pause()"])
            note(next(take), str(left.pid))
        elif word == "silent":
            tell("WATCHDOG=1\nREADY=1")
            time.sleep(3600)
        elif word == "say":
            print(next(take), flush=True)
        elif word == "exit":
            sys.exit(int(next(take)))
        elif word == "exit-unless" and not os.path.exists(next(take)):
            sys.exit(1)
    tell(said)
    while not over.wait(beat_s):
        tell(said)


main(sys.argv[2:])
