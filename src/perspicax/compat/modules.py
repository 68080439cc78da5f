"""The modules of the packages that Perspicax stands for, and their versions."""
from __future__ import annotations

__all__ = ["ROOTS", "VERSIONS", "is_public"]

VERSIONS = {"jax": "0.10.2", "flax": "0.12.8"}
"""The release of each whose interface Perspicax has."""

ROOTS = {"jax": "perspicax", "flax": "perspicax.flax"}
"""The package of ours that each name means."""

_JAX = """
    ad_checkpoint api_util cloud_tpu_init collect_profile core custom_batching custom_derivatives debug distributed
    dlpack dtypes errors example_libraries example_libraries.optimizers example_libraries.stax experimental
    experimental.array_serialization experimental.buffer_callback experimental.checkify
    experimental.colocated_python experimental.compilation_cache experimental.compilation_cache.compilation_cache
    experimental.compute_on experimental.control_deps experimental.custom_partitioning experimental.fused
    experimental.hijax experimental.jax2tf experimental.jet experimental.key_reuse experimental.layout
    experimental.mesh_utils experimental.mosaic experimental.multihost_utils experimental.ode experimental.pallas
    experimental.pjit experimental.profiler experimental.random experimental.rnn experimental.roofline
    experimental.scheduling_groups experimental.serialize_executable experimental.shard_alike experimental.shard_map
    experimental.source_mapper experimental.sparse experimental.sparse.linalg experimental.topologies
    experimental.transfer experimental.xla_metadata export extend extend.backend extend.core extend.core.primitives
    extend.ifrt_programs extend.linear_util extend.lowering extend.mlir extend.mlir.dialects extend.pallas
    extend.random extend.sharding extend.source_info_util extend.xla ffi flatten_util image interpreters
    interpreters.ad interpreters.batching interpreters.mlir interpreters.partial_eval interpreters.pxla
    interpreters.xla lax lax.linalg lib monitoring nn nn.initializers numpy numpy.fft numpy.linalg ops profiler
    random ref scipy scipy.cluster scipy.cluster.vq scipy.fft scipy.integrate scipy.interpolate scipy.linalg
    scipy.ndimage scipy.optimize scipy.signal scipy.sparse scipy.sparse.linalg scipy.spatial scipy.spatial.transform
    scipy.special scipy.stats scipy.stats.bernoulli scipy.stats.beta scipy.stats.betabinom scipy.stats.binom
    scipy.stats.cauchy scipy.stats.chi2 scipy.stats.dirichlet scipy.stats.expon scipy.stats.gamma
    scipy.stats.gennorm scipy.stats.geom scipy.stats.gumbel_l scipy.stats.gumbel_r scipy.stats.laplace
    scipy.stats.logistic scipy.stats.multinomial scipy.stats.multivariate_normal scipy.stats.nbinom scipy.stats.norm
    scipy.stats.pareto scipy.stats.poisson scipy.stats.t scipy.stats.truncnorm scipy.stats.uniform
    scipy.stats.vonmises scipy.stats.wrapcauchy sharding stages test_util tools tree tree_util typing version
""".split()

_PUBLIC = {"jax": frozenset(_JAX)}

# Packages whose every module is JAX's own; there are too many to list.
_WHOLE = tuple(f"{package}." for package in (
    "experimental.array_serialization", "experimental.colocated_python", "experimental.jax2tf", "experimental.mosaic",
    "experimental.pallas", "experimental.roofline", "experimental.source_mapper", "experimental.sparse", "extend.mlir",
    "tools"))


def is_public(name: str) -> bool:
    """Whether a module, given in full, is part of the interface that Perspicax has or will have.

    Rooms of ours that happen to lie below the same package (`perspicax.xla`) are not; nor is what begins with `_`.
    """
    root, _, rest = name.partition(".")
    if not rest:
        return root in ROOTS
    if root in _PUBLIC:
        return rest in _PUBLIC[root] or rest.startswith(_WHOLE)
    return not any(part.startswith("_") for part in rest.split("."))
