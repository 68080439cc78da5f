"""What is known of the functions of JAX, NumPy and Flax: by dotted name, whatever the program calls them."""
from __future__ import annotations

import ast

__all__ = ["canonical", "imports_of"]

_PREFIXES = (
    ("perspicax.flax", "flax"), ("perspicax", "jax"), ("jax.tree_util.tree_", "jax.tree."), ("jax._src", "jax"),
    ("jax.experimental.shard_map.shard_map", "jax.shard_map"), ("jax.ad_checkpoint.checkpoint", "jax.checkpoint"),
    ("flax.linen.module.", "flax.linen."), ("flax.linen.transforms.", "flax.linen."), ("jax.tree_map", "jax.tree.map"),
    ("jax.experimental.host_callback", "jax"), ("jax.extend.random", "jax.random"),
)


def canonical(name: str) -> str:
    """One name for what has several: `perspicax.numpy.sum` is `jax.numpy.sum`."""
    for prefix, meant in _PREFIXES:
        if name == prefix or name.startswith(prefix if prefix[-1] in "._" else prefix + "."):
            name = meant + name[len(prefix):]
    return name


def imports_of(node: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """The names that an import binds, and what they mean."""
    if isinstance(node, ast.Import):
        return {a.asname or a.name.partition(".")[0]: canonical(a.name if a.asname else a.name.partition(".")[0])
                for a in node.names}
    if node.level or node.module is None:
        return {a.asname or a.name: "" for a in node.names}
    return {a.asname or a.name: canonical(f"{node.module}.{a.name}") for a in node.names}


# -- transformations that return a function: how the result traces its arguments

STAGED, BATCHED, DERIVED, SAME = "staged", "batched", "derived", "same"
WRAPPERS = {
    "jax.jit": STAGED, "jax.pmap": STAGED, "jax.checkpoint": STAGED, "jax.remat": STAGED, "jax.shard_map": STAGED,
    "jax.make_jaxpr": STAGED, "jax.vmap": BATCHED,
    "jax.grad": DERIVED, "jax.value_and_grad": DERIVED, "jax.jacfwd": DERIVED, "jax.jacrev": DERIVED,
    "jax.jacobian": DERIVED, "jax.hessian": DERIVED,
    "jax.custom_jvp": SAME, "jax.custom_vjp": SAME, "jax.named_call": SAME,
}
LIFTED = frozenset({"flax.linen." + n for n in ("vmap", "scan", "jit", "remat", "checkpoint", "remat_scan", "map_variables",
                                                "add_metadata_axis")})
# -- those that apply functions at once
APPLIERS = frozenset({
    "jax.lax.scan", "jax.lax.map", "jax.lax.fori_loop", "jax.lax.while_loop", "jax.lax.cond", "jax.lax.switch",
    "jax.eval_shape", "jax.jvp", "jax.vjp", "jax.linearize",
})

METADATA = frozenset({"shape", "ndim", "dtype", "size", "aval", "sharding", "weak_type", "itemsize", "nbytes", "device",
                      "vma", "__class__", "__name__"})
ARRAY_ATTRIBUTES = frozenset({"T", "mT", "real", "imag", "at", "flat"})
TO_NUMBER = frozenset({"float", "int", "bool", "complex"})
NUMBER_METHODS = frozenset({"item", "tolist", "__array__"})

# of types and shapes, or by methods and slices of what they are given: these take traced values
NUMPY_OF_TYPES = frozenset({
    "shape", "ndim", "size", "dtype", "issubdtype", "result_type", "promote_types", "can_cast", "common_type", "iscomplexobj",
    "isrealobj", "isscalar", "iterable", "finfo", "iinfo", "broadcast_shapes", "set_printoptions", "printoptions", "errstate",
    "newaxis", "zeros_like", "ones_like", "empty_like", "full_like", "array_repr", "array_str", "array2string", "vectorize",
    "all", "any", "amax", "amin", "argmax", "argmin", "argsort", "around", "array_equal", "array_equiv", "array_split",
    "cumprod", "cumsum", "flip", "hsplit", "vsplit", "dsplit", "imag", "real", "isreal", "max", "mean", "min", "permute_dims",
    "prod", "repeat", "reshape", "round", "searchsorted", "split", "squeeze", "std", "sum", "transpose", "swapaxes",
    "unstack", "var", "ravel", "take", "diagonal", "trace", "compress", "clip", "copyto",
})
NUMPY_TWINS = frozenset({
    "abs", "absolute", "add", "all", "any", "arange", "arccos", "arcsin", "arctan", "arctan2", "argmax", "argmin", "argsort",
    "array", "asarray", "average", "ceil", "clip", "concatenate", "cos", "cosh", "cross", "cumprod", "cumsum", "diag", "diff",
    "divide", "dot", "einsum", "exp", "exp2", "expand_dims", "expm1", "flip", "floor", "hypot", "inner", "isfinite", "isinf",
    "isnan", "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "matmul", "max",
    "maximum", "mean", "median", "min", "minimum", "mod", "moveaxis", "multiply", "nan_to_num", "negative", "outer", "power",
    "prod", "ravel", "reciprocal", "repeat", "reshape", "roll", "round", "sign", "sin", "sinh", "sort", "split", "sqrt",
    "square", "squeeze", "stack", "std", "subtract", "sum", "swapaxes", "take", "tan", "tanh", "tensordot", "tile", "trace",
    "transpose", "tril", "triu", "var", "vdot", "vstack", "hstack", "where",
})
CREATION = frozenset({"zeros", "ones", "full", "empty", "eye", "identity", "arange", "tri"})
ARRAYS = frozenset({
    "full_like", "ones_like", "zeros_like", "empty_like", "linspace", "logspace", "copy", "atleast_1d", "atleast_2d", "pad",
    "normal", "uniform", "randint", "bernoulli", "permutation", "categorical", "gumbel", "truncated_normal", "exponential",
}) | CREATION | NUMPY_TWINS - {"split", "where", "average", "median", "trace"}
"""What gives one array, whatever it is given."""
DYNAMIC = frozenset({"nonzero", "flatnonzero", "argwhere", "unique", "union1d", "intersect1d", "setdiff1d", "setxor1d",
                     "unique_values", "unique_counts"})
PURE = frozenset({"append", "insert", "delete", "concatenate", "where", "clip", "roll", "sort", "flip", "tile", "repeat",
                  "transpose", "reshape", "fill_diagonal", "pad", "squeeze", "expand_dims", "maximum", "minimum", "add",
                  "subtract", "multiply", "divide"})
PURE_METHODS = frozenset({"set", "add", "subtract", "multiply", "mul", "divide", "power", "min", "max", "apply"})
COUNTED_KEYS = frozenset({"key", "PRNGKey", "wrap_key_data", "clone", "fold_in"})
NO_DRAWS = COUNTED_KEYS | {"split", "key_data", "key_impl", "default_prng_impl"}
CLOCKS = frozenset({"time.time", "time.perf_counter", "time.monotonic", "time.time_ns", "time.perf_counter_ns",
                    "datetime.datetime.now", "datetime.datetime.utcnow"})
QUIET_WORDS = ("trac", "compil", "cache", "debug")

LAYERS = frozenset({"flax.linen." + n for n in (
    "Dense", "DenseGeneral", "Conv", "ConvTranspose", "ConvLocal", "Embed", "LayerNorm", "BatchNorm", "GroupNorm", "RMSNorm",
    "InstanceNorm", "WeightNorm", "SpectralNorm", "Dropout", "MultiHeadDotProductAttention", "MultiHeadAttention",
    "SelfAttention", "LSTMCell", "OptimizedLSTMCell", "GRUCell", "SimpleCell", "MGUCell", "ConvLSTMCell", "RNN",
    "Bidirectional", "PReLU", "Sequential", "Einsum", "Module")})
STATELESS = frozenset({"flax.linen.Sequential"})
MODULE_ATTRIBUTES = frozenset({
    "name", "parent", "scope", "variables", "path", "param", "variable", "sow", "perturb", "apply", "init", "init_with_output",
    "lazy_init", "bind", "unbind", "clone", "copy", "setup", "tabulate", "module_paths", "make_rng", "has_rng", "has_variable",
    "get_variable", "put_variable", "is_mutable_collection", "is_initializing", "__class__", "__dict__", "__call__",
    "reset_name", "_state", "_id", "_parent_ref", "__module__", "__name__", "__doc__",
    "__dataclass_fields__", "__annotations__",
})
