"""Runs one workload on one implementation in this process: `python -m benchmarks.child WORKLOAD IMPL`."""

import json
import sys

from benchmarks.measure import load, refuse_real_jax
from benchmarks.workloads import WORKLOADS

MARK = "@@values@@"


def main(workload: str, impl: str) -> None:
    jax = load(impl)
    values = WORKLOADS[workload](jax)
    refuse_real_jax(impl)
    print(f"\n{MARK}{json.dumps(values)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
