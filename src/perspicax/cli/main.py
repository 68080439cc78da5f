"""The command `perspicax`: run a program on Perspicax, explain an error."""
from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Sequence

from perspicax.diagnose.pages import catalogue_names, catalogue_page

__all__ = ["explain", "main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """What the command does; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["run"]:  # all that follows is the program's
        from perspicax.cli.run import main as run  # here: `explain` needs nothing of it

        return run(given[1:])
    parser = argparse.ArgumentParser(prog="perspicax", description="JAX and Flax, with errors that explain themselves.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    commands.add_parser("run", help="run a program in which `import jax` means Perspicax", add_help=False)
    page = commands.add_parser("explain", help="read about an error")
    page.add_argument("name", nargs="?", help="the name of an error's class; left out, all names are listed")
    page.add_argument("--language", default="en", help="en (the default) or zh")
    options = parser.parse_args(given)
    return explain(options.name, options.language)


def explain(name: str | None, language: str = "en") -> int:
    """Print the page of the catalogue on `name`, or the names of all pages.

    Args:
        name: an error's class name, as tracebacks show it; a module in front of it does not matter.
        language: `en` or `zh`.

    Returns:
        0, or 1 if there is no such page; then near names are proposed.
    """
    if name is None:
        print("\n".join(catalogue_names()))
        return 0
    wanted = name.rpartition(".")[2].rstrip(":")
    names = {known.lower(): known for known in catalogue_names()}
    found = names.get(wanted.lower(), wanted)
    text = catalogue_page(found, language)
    if text is not None:
        print(_with_heading(found, text), end="")
        return 0
    near = [names[n] for n in difflib.get_close_matches(wanted.lower(), names, 3)]
    proposal = f" Near names: {', '.join(near)}." if near else ""
    print(f"There is no page on `{wanted}`.{proposal} `perspicax explain` lists all pages.", file=sys.stderr)
    return 1


def _with_heading(name: str, text: str) -> str:
    """A page with its name and title as a heading, in place of the facts for tools."""
    front, _, body = text.removeprefix("---\n").partition("\n---\n")
    facts = dict(line.partition(": ")[::2] for line in front.splitlines())
    return f"# {name}: {facts.get('title', '')}\n{body}"


if __name__ == "__main__":
    sys.exit(main())
