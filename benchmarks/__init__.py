"""The same workloads on Perspicax and on JAX, as ratios: `python -m benchmarks.run`."""
