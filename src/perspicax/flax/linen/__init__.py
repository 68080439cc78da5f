"""Modules and layers: `flax.linen`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.flax.linen.module import Module as Module
from perspicax.flax.linen.module import Variable as Variable
from perspicax.flax.linen.module import apply as apply
from perspicax.flax.linen.module import compact as compact
from perspicax.flax.linen.module import compact_name_scope as compact_name_scope
from perspicax.flax.linen.module import disable_named_call as disable_named_call
from perspicax.flax.linen.module import enable_named_call as enable_named_call
from perspicax.flax.linen.module import init as init
from perspicax.flax.linen.module import init_with_output as init_with_output
from perspicax.flax.linen.module import intercept_methods as intercept_methods
from perspicax.flax.linen.module import merge_param as merge_param
from perspicax.flax.linen.module import nowrap as nowrap
from perspicax.flax.linen.module import override_named_call as override_named_call
from perspicax.flax.linen.module import share_scope as share_scope

# Layers, transformations and the rest are fetched from these files when they are first used.
_FROM = {
    "flax.core": ("meta",),
    "flax.core.axes_scan": ("broadcast",),
    "flax.core.frozen_dict": ("FrozenDict",),
    "flax.core.meta": ("PARTITION_NAME", "Partitioned", "get_partition_spec", "get_sharding", "unbox", "with_partitioning"),
    "flax.core.scope": ("DenyList",),
    "flax.linen.activation": (
        "PReLU", "celu", "elu", "gelu", "glu", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu",
        "log_sigmoid", "log_softmax", "logsumexp", "normalize", "one_hot", "relu", "relu6", "selu", "sigmoid", "silu",
        "soft_sign", "softmax", "softplus", "standardize", "swish", "tanh"),
    "flax.linen.attention": (
        "MultiHeadAttention", "MultiHeadDotProductAttention", "SelfAttention", "combine_masks", "dot_product_attention",
        "dot_product_attention_weights", "make_attention_mask", "make_causal_mask"),
    "flax.linen.batch_apply": ("BatchApply",),
    "flax.linen.combinators": ("Sequential",),
    "flax.linen.conv": ("Conv", "ConvLocal", "ConvTranspose"),
    "flax.linen.dense": ("Dense", "DenseGeneral", "Einsum"),
    "flax.linen.embedding": ("Embed",),
    "flax.linen.fp8_ops": (
        "Fp8DirectDotGeneralOp", "Fp8DotGeneral", "Fp8DotGeneralOp", "Fp8Einsum", "NANOOFp8DotGeneralOp"),
    "flax.linen.initializers": ("ones_init", "zeros_init"),
    "flax.linen.normalization": ("BatchNorm", "GroupNorm", "InstanceNorm", "LayerNorm", "RMSNorm"),
    "flax.linen.pooling": ("avg_pool", "max_pool", "pool"),
    "flax.linen.recurrent": (
        "Bidirectional", "ConvLSTMCell", "GRUCell", "LSTMCell", "MGUCell", "OptimizedLSTMCell", "RNN", "RNNCellBase",
        "SimpleCell"),
    "flax.linen.spmd": (
        "LogicallyPartitioned", "get_logical_axis_rules", "logical_axis_rules", "logical_to_mesh", "logical_to_mesh_axes",
        "logical_to_mesh_sharding", "set_logical_axis_rules", "with_logical_constraint", "with_logical_partitioning"),
    "flax.linen.stochastic": ("Dropout",),
    "flax.linen.summary": ("tabulate",),
    "flax.linen.transforms": (
        "add_metadata_axis", "checkpoint", "cond", "custom_vjp", "fold_rngs", "grad", "jit", "jvp", "map_variables",
        "named_call", "remat", "remat_scan", "scan", "switch", "value_and_grad", "vjp", "vmap", "while_loop"),
    "flax.linen.weight_norms": ("SpectralNorm", "WeightNorm"),
}

__getattr__, __dir__ = _on_demand(__name__, modules=(
    "activation", "attention", "batch_apply", "combinators", "dtypes", "embedding", "fp8_ops", "initializers",
    "kw_only_dataclasses", "linear", "module", "normalization", "partitioning", "pooling", "recurrent", "spmd", "stochastic",
    "summary", "transforms"), names={name: f"perspicax.{file}" for file, names in _FROM.items() for name in names})

__all__ = [
    "Module", "Variable", "apply", "compact", "compact_name_scope", "disable_named_call", "enable_named_call", "init",
    "init_with_output", "intercept_methods", "merge_param", "nowrap", "override_named_call", "share_scope",
]
