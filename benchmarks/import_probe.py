"""Prints the seconds that importing an implementation takes, and the megabytes it leaves resident.

Run as a file, in an interpreter that has imported nothing but sys and time: what another import brings in
before the clock starts would not be counted.
"""

import sys
import time


def resident_mb() -> float:
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    raise SystemExit("no VmRSS in /proc/self/status")


def main(impl: str, clock_name: str) -> None:
    clock = time.process_time if clock_name == "cpu" else time.perf_counter
    start = clock()
    if impl not in ("jax", "jax+cache"):
        __import__(f"{impl}.compat").compat.install()
    jax = __import__("jax.numpy")
    seconds = clock() - start
    megabytes = resident_mb()

    if not callable(jax.numpy.sin):
        raise SystemExit(f"{impl}: there is no jax.numpy.sin after the import")
    from measure import refuse_real_jax  # stands beside this file; only now, for it imports more of Python

    refuse_real_jax(impl)
    print(seconds, megabytes)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
