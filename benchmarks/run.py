"""Compares two implementations of the JAX API, as ratios subject / baseline (below 1: the subject is better).

    python -m benchmarks.run                                   Perspicax against JAX, everything
    python -m benchmarks.run --only '^trace|^lower'            some rows
    python -m benchmarks.run --impl jax,jax                    how much is noise
    python -m benchmarks.run --json FILE --markdown FILE

Implementations: `jax`; `jax+cache`, the same with its persistent compilation cache on; any other NAME is a package
whose `NAME.compat.install()` makes `import jax` mean NAME.

Every repetition measures each side once, in fresh processes with an empty home, one right after the other and in
alternating order, so that the noise of a shared machine hits both alike. The table gives the medians, the median
ratio of the pairs, and how far apart the middle half of these ratios lies.
"""

import argparse
import json
import os
import platform
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import table
from benchmarks.measure import loop_ms
from benchmarks.processes import Failed, Side, measure, warm_up
from benchmarks.table import Row
from benchmarks.targets import TARGETS, Target


def repetitions(workload: str, sides: list[Side], repeat: int, clock: str) -> list[list[dict[str, float]]]:
    """For each side, the values of each repetition.

    Raises:
        Failed: a process of either side ended with an error.
    """
    values: list[list[dict[str, float]]] = [[], []]
    for side in dict.fromkeys(sides):
        with named(side):
            warm_up(workload, side)
    for repetition in range(repeat):
        for i in (0, 1) if repetition % 2 == 0 else (1, 0):
            with named(sides[i]):
                values[i].append(measure(workload, sides[i], clock, is_baseline=i == 0))
    return values


@contextmanager
def named(side: Side) -> Iterator[None]:
    """Put the implementation's name before what went wrong."""
    try:
        yield
    except Failed as failed:
        raise Failed(f"{side.impl}: {failed}")


def rows_of(targets: list[Target], values: list[list[dict[str, float]]]) -> list[Row]:
    baseline, subject = values
    return [
        Row(target, tuple(v[target.baseline_metric] for v in baseline), tuple(v[target.metric] for v in subject))
        for target in targets
    ]


def about(options: argparse.Namespace, loops: list[float], seconds: float) -> dict[str, Any]:
    """What a reader must know to judge the figures."""
    versions: dict[str, str | None] = {}
    for package in ("jax", "jaxlib", "numpy", "perspicax"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "impl": options.impl,
        "repeat": options.repeat,
        "clock": options.clock,
        "cpus": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "versions": versions,
        "load": os.getloadavg()[0],
        "python_loop_ms": [round(f(loops), 3) for f in (min, median, max)],
        "seconds": round(seconds),
        "when": time.strftime("%Y-%m-%d %H:%M", time.gmtime()),
    }


def note(meta: dict[str, Any]) -> str:
    fastest, middle, slowest = meta["python_loop_ms"]
    return (
        f"Median of {meta['repeat']} ({meta['clock']} time) on {meta['cpus']} CPUs, Python {meta['python']}, "
        f"jaxlib {meta['versions']['jaxlib']}, load {meta['load']:.1f}. A fixed loop of Python took {fastest} ms at "
        f"best, {middle} in the median, {slowest} at worst."
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--impl", default="jax,perspicax", metavar="BASELINE,SUBJECT")
    parser.add_argument("--python", default=sys.executable, metavar="PATH[,PATH]", help="an interpreter for each side")
    parser.add_argument("--only", default="", metavar="REGEX", help="rows whose metric (import/time, ...) matches")
    parser.add_argument("--repeat", type=int, default=7)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: for a busy machine")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows with all samples")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table")
    parser.add_argument("--check", action="store_true", help="exit status 1 if a `must` is missed")
    parser.add_argument("--list", action="store_true", help="list the rows, measure nothing")
    options = parser.parse_args(arguments)
    if options.impl.count(",") != 1:
        parser.error("--impl takes two names, the baseline's and the subject's")
    if options.repeat < 1:
        parser.error("--repeat must be at least 1")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    targets = [target for target in TARGETS if re.search(options.only, target.metric)]
    if options.list:
        for target in targets:
            print(f"{target.metric:22s} {target.unit:6s} must {target.must}  aim {target.aim}  {target.says}")
        return 0
    baseline, subject = options.impl.split(",")
    pythons = options.python.split(",")
    sides = [Side(baseline, pythons[0]), Side(subject, pythons[-1])]
    width = max((len(target.says) for target in targets), default=0)
    print(table.text_line(table.headings(baseline, subject), width), flush=True)

    rows: list[Row] = []
    failures, loops, start = [], [loop_ms()], time.time()
    for workload in dict.fromkeys(target.workload for target in targets):
        wanted = [target for target in targets if target.workload == workload]
        try:
            done = rows_of(wanted, repetitions(workload, sides, options.repeat, options.clock))
        except Failed as failed:
            failures.append(workload)
            print(f"{workload}: FAILED\n{failed}", flush=True)
            continue
        finally:
            loops.append(loop_ms())
        for row in done:
            print(table.text_line(row.cells(), width), flush=True)
        rows += done

    meta = about(options, loops, time.time() - start)
    print("\n" + note(meta))
    if options.json:
        content = {"about": meta, "failed": failures, "rows": [row.as_json() for row in rows]}
        options.json.write_text(json.dumps(content, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(table.markdown(rows, baseline, subject, note(meta)))
    missed = options.check and any(row.verdict == "MISSED" for row in rows)
    return 1 if failures or missed else 0


if __name__ == "__main__":
    sys.exit(main())
