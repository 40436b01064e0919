"""The command line: one verb, one library function. Exit codes: 0 done, 1 the work failed, 2 used wrongly."""

from fpgaclass.cli.app import app, main

__all__ = ["app", "main"]
