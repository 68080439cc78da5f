"""`%load_ext perspicax`: in a notebook, reports are shown as HTML, and `%sanitize` turns sanitizers on."""
from __future__ import annotations

import sys
import warnings
from types import TracebackType
from typing import Any

from perspicax.core.config import config
from perspicax.diagnose.boundary import trim
from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.render.html import render_html
from perspicax.sanitize.names import CHEAP, parse

__all__ = ["load_ipython_extension", "unload_ipython_extension"]

_before: list[Any] = []  # `warnings.showwarning` as it was


def load_ipython_extension(ipython: Any) -> None:
    """Show reports as HTML, and turn on the sanitizers that cost next to nothing, unless some are on already.

    Args:
        ipython: the shell, as IPython passes it.

    `%sanitize bounds,nans` then turns on others, `%sanitize none` turns all off, `%sanitize` says which are on.
    """
    if not _before:
        _before.append(warnings.showwarning)
    warnings.showwarning = _warning
    ipython.set_custom_exc((PerspicaxError,), _uncaught)
    ipython.register_magic_function(_sanitize, "line", "sanitize")
    if not config.perspicax_sanitize:
        config.update("perspicax_sanitize", ",".join(CHEAP))


def unload_ipython_extension(ipython: Any) -> None:
    """Show errors and warnings as before, and turn the sanitizers off."""
    if _before:
        warnings.showwarning = _before.pop()
    ipython.set_custom_exc((), None)
    config.update("perspicax_sanitize", "")


def _sanitize(line: str) -> str | None:
    """Turn sanitizers on: `%sanitize keys,bounds`."""
    names = line.strip()
    if not names:
        return config.perspicax_sanitize or "none"
    parse(names)
    config.update("perspicax_sanitize", names)
    return None


def _uncaught(shell: Any, kind: type[BaseException], error: BaseException, entries: TracebackType | None,
              tb_offset: int | None = None) -> list[str]:
    """In place of IPython's own text for an error."""
    trim(error)
    _show(error)
    return [f"{kind.__name__}: {error}"]


def _warning(message: Any, category: type[Warning], filename: str, lineno: int, file: Any = None,
             line: str | None = None) -> None:
    if isinstance(message, PerspicaxError) and file is None:
        _show(message)
    else:
        _before[0](message, category, filename, lineno, file, line)


def _show(error: Any) -> None:
    """Display a report; where there is no page to show it on, its text stands there besides."""
    from IPython.display import HTML, display  # only who calls this has it

    name = type(error).__name__
    display({"text/html": HTML(render_html(error.full_report, name)).data, "text/plain": f"{name}: {error}"}, raw=True)
    sys.stdout.flush()
