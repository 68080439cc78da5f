"""Starts the processes in which an implementation is measured, each with an empty home of its own."""

import json
import os
import re
import resource
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.child import MARK
from benchmarks.measure import is_real_jax

ROOT = Path(__file__).parents[1]
TIMEOUT = 600  # seconds; far above any workload's time, so that a hang ends

NO_CACHE = {"JAX_ENABLE_COMPILATION_CACHE": "false"}


class Failed(Exception):
    """A process that measures ended with an error; the text is the end of what it said."""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared: an implementation, and the interpreter it is installed in."""

    impl: str
    python: str

    def program(self, file: Path) -> list[str]:
        """The command that runs a program which says `import jax`."""
        prefix = [] if is_real_jax(self.impl) else ["-m", f"{self.impl}.compat"]
        return [self.python, *prefix, str(file)]


def environment(home: str, impl: str, clock: str, extra: dict[str, str] | None = None) -> dict[str, str]:
    """The user's variables without those that configure an implementation; caches go to `home`."""
    own = re.compile("JAX_|PERSPICAX_|XLA_|XDG_|PYTHONPATH$|PYTHONDONTWRITEBYTECODE$")
    env = {k: v for k, v in os.environ.items() if not own.match(k)}
    env.update(HOME=home, JAX_PLATFORMS="cpu", PYTHONHASHSEED="0", BENCH_CLOCK=clock)
    if impl == "jax+cache":
        env.update(
            JAX_COMPILATION_CACHE_DIR=os.path.join(home, "jax-cache"),
            JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0",
            JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES="-1",
        )
    return {**env, **(extra or {})}


def output(command: list[str], env: dict[str, str]) -> tuple[str, str]:
    """What a command prints, to stdout and to stderr."""
    try:
        done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        raise Failed(f"still running after {TIMEOUT} s")
    if done.returncode:
        raise Failed(last_words(done.stderr, done.returncode))
    return done.stdout, done.stderr


def last_words(errors: str, status: int) -> str:
    """The end of what a failed process wrote to stderr."""
    lines = [line for line in errors.strip().splitlines() if not line.startswith("import time:")]
    return "\n".join(lines[-4:]) or f"exit status {status}"


def measure(workload: str, side: Side, clock: str, is_baseline: bool) -> dict[str, float]:
    """Run a workload once; {metric: value in its unit}.

    Args:
        workload: a name of `targets.py`.
        side: what to measure.
        clock: "wall", or "cpu" for the time that all threads of the process computed.
        is_baseline: also measure what only the baseline needs (its start with its own cache).

    Raises:
        Failed: a process ended with an error.
    """
    match workload:
        case "import":
            return measure_import(side, clock)
        case "start":
            return measure_start(side, clock, is_baseline)
        case "linen_resnet50" | "linen_transformer":
            return measure_linen(workload.removeprefix("linen_"), side, clock)
    with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
        env = environment(home, side.impl, clock)
        out, _ = output([side.python, "-m", "benchmarks.child", workload, side.impl], env)
    return json.loads(out.rpartition(MARK)[2])


def measure_import(side: Side, clock: str) -> dict[str, float]:
    probe = Path(__file__).with_name("import_probe.py")
    with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
        out, _ = output([side.python, str(probe), side.impl, clock], environment(home, side.impl, clock))
    seconds, megabytes = map(float, out.split())
    return {"import/time": seconds * 1e3, "import/memory": megabytes}


# ------------------------------------------------------ examples/digits.py

DIGITS = ROOT / "examples" / "digits.py"
ONE_STEP = ["--model", "cnn", "--steps", "1", "--train-only"]


def measure_start(side: Side, clock: str, is_baseline: bool) -> dict[str, float]:
    """From the start of the process to the first step done: without a disk cache, then twice in one home."""
    values = {}
    with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
        env = environment(home, side.impl, clock, NO_CACHE)
        values["start/no_cache"] = start_to_first_step(side, env, clock)
        if left := files_in(home):
            raise Failed(f"with its cache turned off it left {left[0]}")
    with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
        env = environment(home, side.impl, clock)
        values["start/first"] = start_to_first_step(side, env, clock)
        values["start/second"] = values["start/second_v_cache"] = start_to_first_step(side, env, clock)
    if is_baseline:
        with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
            env = environment(home, f"{side.impl.removesuffix('+cache')}+cache", clock)
            start_to_first_step(side, env, clock)
            if not files_in(home):
                raise Failed("with its cache turned on it left no file")
            values["start/own_cache"] = start_to_first_step(side, env, clock)
    return values


def files_in(folder: str) -> list[Path]:
    return [path for path in Path(folder).rglob("*") if path.is_file()]


def start_to_first_step(side: Side, env: dict[str, str], clock: str) -> float:
    """Milliseconds until the program says that its first step is done (cpu: of the whole process, its end included)."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    with subprocess.Popen(
        [*side.program(DIGITS), *ONE_STEP], cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        limit = threading.Timer(TIMEOUT, process.kill)
        limit.start()
        line = process.stdout.readline() if process.stdout else ""
        wall = time.perf_counter() - start
        _, errors = process.communicate()
        limit.cancel()
    if process.returncode:
        raise Failed(last_words(errors, process.returncode))
    if not re.match(r"cnn  step +1/1 ", line):
        raise Failed(f"the first line of the program does not tell of its first step: {line!r}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return (cpu if clock == "cpu" else wall) * 1e3


# ------------------------------------------------------ models of Linen

def measure_linen(model: str, side: Side, clock: str) -> dict[str, float]:
    """One training step of a model, in a process without a disk cache; and in the second process with one.

    JAX has no disk cache by default: its first process is its second one as well.
    """
    with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
        values = start_to_step(model, side, environment(home, side.impl, clock, NO_CACHE), clock)
        if left := files_in(home):
            raise Failed(f"with its cache turned off it left {left[0]}")
    second = values
    if not is_real_jax(side.impl):
        with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
            env = environment(home, side.impl, clock)
            start_to_step(model, side, env, clock, "once")
            second = start_to_step(model, side, env, clock, "once")
    found = {f"{model}/{name}": value for name, value in values.items()}
    return {**found, f"{model}/init_second": second["init"], f"{model}/start_second": second["start"]}


def start_to_step(model: str, side: Side, env: dict[str, str], clock: str, once: str = "") -> dict[str, float]:
    """What the program tells, and `start`: milliseconds from the start of its process to its end after one step.

    Further steps, which are made to be timed, are not counted.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.perf_counter()
    out, _ = output([side.python, "-m", "benchmarks.linen", model, side.impl, *([once] if once else [])], env)
    wall = (time.perf_counter() - begin) * 1e3
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1e3
    values: dict[str, float] = json.loads(out.rpartition(MARK)[2])
    return {**values, "start": (cpu if clock == "cpu" else wall) - values.pop("more", 0.0)}


def check_program(side: Side) -> None:
    """Run the example once, and see that a stand-in for JAX did not load JAX; warms the byte code and page caches.

    The measured runs cannot look: the program is the user's, and what it imports is its own.
    """
    command = [side.python, "-X", "importtime", *side.program(DIGITS)[1:], *ONE_STEP]
    with tempfile.TemporaryDirectory(prefix="bench_home_") as home:
        _, errors = output(command, environment(home, side.impl, "wall"))
    if not is_real_jax(side.impl) and re.search(r"\| +jax\._src\b", errors):
        raise Failed(f"{side.impl}: the real jax package was imported")


def warm_up(workload: str, side: Side) -> None:
    """One run that does not count, where the first one would pay for reading files from the disk."""
    if workload == "start":
        check_program(side)
    elif workload == "import":
        measure_import(side, "wall")
