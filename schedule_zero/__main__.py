"""``python -m schedule_zero``: the ``schedule-zero`` command, where the whole application is installed."""

from __future__ import annotations

import sys

NOT_INSTALLED = (
    "only the handler kit is installed here; install the distribution schedule-zero for the command 'schedule-zero'"
)
HIDDEN = "another package named 'core' hides the one of schedule-zero ({}); run this from another folder"


def main() -> int:
    """Serve a handler, or hand the command line to the core; says why when there is none."""
    if sys.argv[1:2] == ["handler"]:
        from schedule_zero.process.serving import main as serve

        return serve(sys.argv[2:])
    try:
        import core
    except ModuleNotFoundError:
        print(NOT_INSTALLED, file=sys.stderr)
        return 1
    try:
        from core.cli import run
    except ModuleNotFoundError as error:
        if error.name not in ("core", "core.cli"):
            raise
        print(HIDDEN.format(", ".join(core.__path__) or core.__name__), file=sys.stderr)
        return 1
    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
