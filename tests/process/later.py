"""`core.cli` on a machine whose clock is ahead: `python -m tests.process.later SECONDS up …`.

Nothing else is different: monotonic time goes on as always, and the wall clock runs, only from a later start.
"""

import sys
import time

import time_machine

from core.cli import main

if __name__ == "__main__":
    time_machine.travel(time.time() + float(sys.argv[1]), tick=True).start()
    main(sys.argv[2:])
