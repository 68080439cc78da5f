"""The command `perspicax`: run a program on Perspicax, check one, explain an error."""
from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import cast

__all__ = ["COMMANDS", "main"]

# command: what it is for, and the module whose `main` takes all that follows the command; only that one is loaded
COMMANDS = {
    "run": ("run a program in which `import jax` means Perspicax", "perspicax.cli.run"),
    "check": ("find mistakes in programs without running them", "perspicax.cli.check"),
    "explain": ("read about an error, or a finding of a sanitizer", "perspicax.cli.explain"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """What the command does; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in COMMANDS:
        return cast(int, import_module(COMMANDS[given[0]][1]).main(given[1:]))
    parser = argparse.ArgumentParser(prog="perspicax", description="JAX and Flax, with errors that explain themselves.")
    commands = parser.add_subparsers(metavar="COMMAND")
    for name, (about, _) in COMMANDS.items():
        commands.add_parser(name, help=about, add_help=False)
    if given[:1] in (["-h"], ["--help"]):
        parser.print_help()
        return 0
    if not given:
        parser.error(f"a command is needed: {', '.join(COMMANDS)}")
    near = difflib.get_close_matches(given[0], COMMANDS, 1)
    proposal = f"; a near name is {near[0]}" if near else f": there are {', '.join(COMMANDS)}"
    parser.error(f"there is no command {given[0]}{proposal}")


if __name__ == "__main__":
    sys.exit(main())
