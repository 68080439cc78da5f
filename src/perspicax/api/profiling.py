"""What a program spends its time and memory on: traces, annotations, memory profiles."""
from __future__ import annotations

import functools
import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from perspicax.api.profiling_errors import ProfilerError
from perspicax.binding import profiling
from perspicax.diagnose.boundary import public
from perspicax.xla import client as clients

PERFETTO_PORT = 9001  # the one port from which Perfetto's page may load a file


class _Recording(NamedTuple):
    session: Any
    folder: str
    link: bool
    file: bool


_lock = threading.Lock()
_recording: list[_Recording] = []
_server: list[tuple[Any, int]] = []


# -- traces

@public
def start_trace(log_dir: os.PathLike | str, create_perfetto_link: bool = False, create_perfetto_trace: bool = False,
                profiler_options: Any = None) -> None:
    """Begin to record what the host and the devices do.

    Args:
        log_dir: the folder into which `stop_trace` writes; TensorBoard and XProf read it.
        create_perfetto_link: serve the trace once it is written, print a link for Perfetto's page, and wait until that has
            loaded it.
        create_perfetto_trace: write `perfetto_trace.json.gz` too, which Perfetto's page opens.
        profiler_options: a `ProfileOptions`.

    Raises:
        ProfilerError: a trace is being recorded already; or an argument is of another class.
    """
    if profiler_options is not None and not isinstance(profiler_options, profiling.ProfileOptions):
        raise ProfilerError(kind="options", what=type(profiler_options).__name__)
    if not isinstance(log_dir, (str, os.PathLike)):
        raise ProfilerError(kind="folder", what=type(log_dir).__name__)
    with _lock:
        if _recording:
            raise ProfilerError(kind="running", what=_recording[0].folder)
        clients.client()  # devices that are found later are not traced
        session = profiling.Session() if profiler_options is None else profiling.Session(profiler_options)
        _recording.append(_Recording(session, os.fspath(log_dir), create_perfetto_link, create_perfetto_trace))


@public
def stop_trace() -> None:
    """End the trace that `start_trace` began, and write it into its folder.

    Raises:
        ProfilerError: no trace is being recorded.
    """
    with _lock:
        if not _recording:
            raise ProfilerError(kind="idle")
        found = _recording.pop()
    found.session.stop_and_export(found.folder)
    if found.file or found.link:
        written = _perfetto_file(Path(found.folder))
        if found.link:
            _serve_once(written)


@public
@contextmanager
def trace(log_dir: os.PathLike | str, create_perfetto_link: bool = False, create_perfetto_trace: bool = False,
          profiler_options: Any = None) -> Iterator[None]:
    """Record what the host and the devices do while the block runs.

    Args:
        log_dir: the folder into which the trace is written at the end.
        create_perfetto_link, create_perfetto_trace, profiler_options: as of `start_trace`.

    Raises:
        ProfilerError: a trace is being recorded already; or an argument is of another class.
    """
    start_trace(log_dir, create_perfetto_link, create_perfetto_trace, profiler_options)
    try:
        yield
    finally:
        stop_trace()


def _perfetto_file(folder: Path) -> Path:
    """Write the newest trace in a folder as Perfetto's page reads it."""
    newest = max((folder / "plugins" / "profile").glob("*/*.trace.json.gz"), key=lambda path: path.stat().st_mtime)
    with gzip.open(newest, "rt", encoding="utf-8") as file:
        events = json.load(file)["traceEvents"]
    made = newest.parent / "perfetto_trace.json.gz"
    with gzip.open(made, "wt", encoding="utf-8") as file:
        json.dump({"traceEvents": [event for event in events if event]}, file)
    return made


def _serve_once(file: Path) -> None:
    """Print a link to Perfetto's page, and serve the file until the page has loaded it."""
    from http.server import HTTPServer, SimpleHTTPRequestHandler

    loaded = []

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            self.send_header("Access-Control-Allow-Origin", "*")
            super().end_headers()

        def do_GET(self) -> None:
            super().do_GET()
            loaded.append(self.path)

        def log_message(self, *_: Any) -> None:
            """The link is all that is printed."""

    with HTTPServer(("127.0.0.1", PERFETTO_PORT), functools.partial(Handler, directory=str(file.parent))) as server:
        print(f"Open in a browser: https://ui.perfetto.dev/#!/?url=http://127.0.0.1:{PERFETTO_PORT}/{file.name}", flush=True)
        while not any(path.strip("/") == file.name for path in loaded):
            server.handle_request()


# -- annotations

class TraceAnnotation(profiling.TraceMe):
    """A named span in traces: `with TraceAnnotation("load", batch=3): ...`.

    Args:
        name: what the trace shows.
        kwargs: facts about it, which the trace shows too.
    """


class StepTraceAnnotation(TraceAnnotation):
    """One step of a training loop in traces: `with StepTraceAnnotation("train", step_num=i): ...`.

    Args:
        name: what the trace shows.
        kwargs: facts about it; tools count steps by `step_num`.
    """

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, _r=1, **kwargs)


@public
def annotate_function(func: Callable[..., Any], name: str | None = None, **decorator_kwargs: Any) -> Callable[..., Any]:
    """A function whose calls show in traces.

    Args:
        func: the function.
        name: what the trace shows; the function's own name by default.
        decorator_kwargs: facts about it, which the trace shows too.
    """
    shown = name or getattr(func, "__qualname__", None) or getattr(func, "__name__", None) or type(func).__name__

    @functools.wraps(func)
    def call(*args: Any, **kwargs: Any) -> Any:
        with TraceAnnotation(shown, **decorator_kwargs):
            return func(*args, **kwargs)

    return call


# -- memory

@public
def device_memory_profile(backend: str | None = None) -> bytes:
    """Which arrays and programs hold how much of the devices' memory, in the format of pprof.

    Args:
        backend: the platform; the default one without.

    Raises:
        BackendError: there is no such platform.
    """
    return gzip.compress(profiling.memory_profile(clients.client(backend)))


@public
def save_device_memory_profile(filename: os.PathLike | str, backend: str | None = None) -> None:
    """Write what `device_memory_profile` tells into a file, for `pprof`.

    Args:
        filename: the file.
        backend: the platform; the default one without.
    """
    content = device_memory_profile(backend)
    with open(filename, "wb") as file:
        file.write(content)


# -- the server

@public
def start_server(port: int, requires_backend: bool = True) -> Any:
    """Let tools (TensorBoard's "capture profile", say) record traces of this process while it runs.

    Args:
        port: where to listen.
        requires_backend: find the devices first, so that they are traced too.

    Returns:
        The server, which runs until `stop_server`.

    Raises:
        ProfilerError: a server is running already, or `port` is no number.
    """
    if not isinstance(port, int):
        raise ProfilerError(kind="port", what=type(port).__name__)
    with _lock:
        if _server:
            raise ProfilerError(kind="server", what=str(_server[0][1]))
        if requires_backend:
            clients.client()
        made = profiling.start_server(port)
        _server.append((made, port))
        return made


@public
def stop_server() -> None:
    """End the server that `start_server` began.

    Raises:
        ProfilerError: none is running.
    """
    with _lock:
        if not _server:
            raise ProfilerError(kind="no server")
        _server.clear()  # it ends when nothing refers to it


@public
def register_subprocess(pid: int, port: int) -> Callable[[], None]:
    """Let traces of this process show another one too.

    Args:
        pid: the other process.
        port: where its own profiler server listens.

    Returns:
        A function that forgets it again.

    Raises:
        ProfilerError: nothing answers there.
    """
    try:
        return profiling.register_subprocess(pid, port)
    except RuntimeError as error:
        raise ProfilerError(kind="subprocess", what=str(port)) from error


__all__ = [
    "StepTraceAnnotation", "TraceAnnotation", "annotate_function", "device_memory_profile", "register_subprocess",
    "save_device_memory_profile", "start_server", "start_trace", "stop_server", "stop_trace", "trace",
]
