"""The command line: one verb, one library function. Exit codes: 0 done, 1 the work failed, 2 used wrongly."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:  # the verbs take a moment to load, and Ctrl-C may come in it
        from fpgaclass.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
