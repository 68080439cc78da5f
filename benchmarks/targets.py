"""What is measured, and how small the ratio to JAX must and shall be."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Target:
    """One row of the table.

    Fields:
        metric: the key under which its workload gives the value.
        workload: what to run; several rows may come from one.
        unit: of the value (the ratio has none).
        says: what is measured.
        must: the ratio subject / baseline that a release may not exceed; `None` for a figure given as information.
        aim: the ratio worked towards.
        against: the baseline's key, where the two sides are not in the same state.
    """

    metric: str
    workload: str
    unit: str
    says: str
    must: float | None
    aim: float | None
    against: str | None = None

    @property
    def baseline_metric(self) -> str:
        return self.against or self.metric


KERNELS = (
    "matmul matvec einsum outer conv conv_grad conv_transpose max_pool attention attention_grad softmax log_softmax_grad "
    "logsumexp layer_norm layer_norm_grad gelu one_hot variance resize cumsum cumprod sort argsort top_k gather gather_rows "
    "scatter_add segment_sum where median quantile histogram searchsorted interp fft rfft2 convolve cholesky solve inverse "
    "svd eigh qr expm gammaln erfinv"
).split()
EAGER = (
    "ones full eye linspace array_of_list asarray_of_numpy zeros_like transpose ravel expand_dims squeeze broadcast_to "
    "swapaxes concatenate stack split flip roll pad tile repeat index_array index_newaxis take at_add astype tril one_hot "
    "sort argsort argmax where nonzero unique"
).split()

TARGETS = (
    Target("import/time", "import", "ms", "import jax, jax.numpy", 0.6, 0.4),
    Target("import/memory", "import", "MB", "resident memory after the import", 0.8, 0.6),
    Target("trace/chain", "trace", "us/op", "trace a chain of 3000 elementwise operations", 0.25, 0.1),
    Target("trace/mix", "trace", "us/op", "trace a realistic mix of 1000 operations", 0.3, 0.15),
    Target("trace/grad", "autodiff", "ms", "trace grad of the chain", 0.25, 0.1),
    Target("trace/vmap_grad", "autodiff", "ms", "trace vmap(grad) of the chain", 0.25, 0.1),
    Target("trace/linearize", "autodiff", "ms", "trace linearize of the chain", 0.25, 0.1),
    Target("mixed/trace", "mixed", "ms", "trace a model of 2,000 equations", 0.3, 0.15),
    Target("mixed/grad", "mixed", "ms", "trace its grad", 0.3, 0.15),
    Target("mixed/vmap_grad", "mixed", "ms", "trace vmap(grad) of it", 0.3, 0.15),
    Target("mixed/remat", "mixed", "ms", "trace grad(checkpoint) of it", 0.4, 0.2),
    Target("mixed/lower", "mixed", "ms", "lower it", 0.2, 0.1),
    Target("mixed/lower_grad", "mixed", "ms", "lower its grad", 0.2, 0.1),
    Target("mixed/operations", "mixed", "", "operations of its module", 1.05, 1.0),
    Target("mixed/operations_grad", "mixed", "", "operations of the module of its grad", 1.05, 1.0),
    Target("control/scan", "loops", "ms", "trace a scan whose body has 200 equations", 0.3, 0.15),
    Target("control/scan_grad", "loops", "ms", "trace its grad", 0.3, 0.15),
    Target("control/conds", "loops", "ms", "trace and lower a chain of 200 conds", 0.4, 0.2),
    Target("control/steady_scan", "loops", "us", "a compiled scan of 200 products of a matrix and a vector", 1.05, 1.0),
    Target("control/steady_while", "loops", "us", "a compiled while loop of 300 of them", 1.05, 1.0),
    Target("control/prints", "callbacks", "ms", "debug.print in a loop of 10,000 steps", 1.0, 0.8),
    Target("control/pure_callback", "callbacks", "us", "a round trip of pure_callback", 1.1, 1.0),
    Target("lower/chain", "lower", "us/op", "lower the traced chain", 0.2, 0.05),
    Target("jit/2_args", "jit", "us", "call a jitted function: 2 arguments", 1.3, 1.0),
    Target("jit/100_leaves", "jit_leaves", "us", "the same: 100 leaves in and out", 1.0, 0.85),
    Target("jit/1000_leaves", "jit_leaves", "us", "the same: 1000 leaves in and out", 1.0, 0.85),
    Target("eager/add", "eager_arithmetic", "us", "x + y, outside jit", 0.9, 0.6),
    Target("eager/sin", "eager_arithmetic", "us", "jnp.sin(x)", 0.9, 0.6),
    Target("eager/matmul64", "eager_arithmetic", "us", "a @ a, 64x64", 0.9, 0.6),
    Target("eager/index_int", "eager_shapes", "us", "x[0]", 0.3, 0.1),
    Target("eager/index_slice", "eager_shapes", "us", "x[1:3]", 0.3, 0.1),
    Target("eager/zeros", "eager_shapes", "us", "jnp.zeros(4)", 0.3, 0.1),
    Target("eager/arange", "eager_shapes", "us", "jnp.arange(4)", 0.3, 0.1),
    Target("eager/reshape", "eager_shapes", "us", "a.reshape(32, 128)", 0.3, 0.1),
    Target("eager/at_set", "eager_shapes", "us", "x.at[0].set(1.0)", 0.3, 0.1),
    Target("eager/grad", "eager_transforms", "us", "grad of 3 operations, outside jit", 0.3, 0.1),
    Target("eager/vmap", "eager_transforms", "us", "vmap of 2 operations, outside jit", 0.3, 0.1),
    Target("start/no_cache", "start", "ms", "digits, start to first step: no disk cache", 0.6, 0.4),
    Target("start/first", "start", "ms", "first process, defaults (the cache is filled)", None, None),
    Target("start/second", "start", "ms", "second process v JAX's default (no cache)", 0.25, 0.12),
    Target("start/second_v_cache", "start", "ms", "second process v JAX with its cache", 0.9, 0.5, "start/own_cache"),
    Target("trace/library", "trace_library", "us/call", "trace a mix of 400 calls of the library", 0.3, 0.2),
    *[Target(f"eager/{name}", "eager_arrays", "us", f"{name}, outside jit", 0.4, 0.2) for name in EAGER],
    Target("eager/arrays", "eager_arrays", "us", "geometric mean of these", 0.4, 0.2),
    *[Target(f"kernels/{name}", "kernels", "us", f"{name}, compiled", 1.1, 1.0) for name in KERNELS],
    Target("kernels/all", "kernels", "us", "geometric mean of the compiled kernels", 1.0, 1.0),
    Target("steady/digits_step", "steady", "us", "the compiled training step of digits", 1.03, 1.0),
    Target("resnet50/import", "linen_resnet50", "ms", "import flax.linen, after jax", 0.3, 0.2),
    Target("resnet50/init", "linen_resnet50", "ms", "init of ResNet-50, no disk cache", 0.2, 0.1),
    Target("resnet50/init_second", "linen_resnet50", "ms", "the same in a second process v JAX's default", 0.05, 0.03),
    Target("resnet50/start", "linen_resnet50", "ms", "ResNet-50, start to first step: no disk cache", 0.45, 0.3),
    Target("resnet50/start_second", "linen_resnet50", "ms", "second process v JAX's default", 0.15, 0.1),
    Target("resnet50/trace", "linen_resnet50", "ms", "trace its training step", 0.3, 0.15),
    Target("resnet50/step", "linen_resnet50", "ms", "its compiled training step", 1.03, 1.0),
    Target("resnet50/operations", "linen_resnet50", "", "operations of the step's module", 1.0, 1.0),
    Target("transformer/init", "linen_transformer", "ms", "init of a transformer of 12 layers, no disk cache", 0.2, 0.1),
    Target("transformer/init_second", "linen_transformer", "ms", "the same in a second process v JAX's default", 0.05, 0.03),
    Target("transformer/start", "linen_transformer", "ms", "transformer, start to first step: no disk cache", 0.45, 0.3),
    Target("transformer/start_second", "linen_transformer", "ms", "second process v JAX's default", 0.15, 0.1),
    Target("transformer/trace", "linen_transformer", "ms", "trace its training step", 0.3, 0.15),
    Target("transformer/step", "linen_transformer", "ms", "its compiled training step", 1.03, 1.0),
    Target("transformer/operations", "linen_transformer", "", "operations of the step's module", 1.0, 1.0),
    Target("files/to_state_dict", "files", "ms", "state dict of a tree of 5,000 leaves", 0.7, 0.4),
    Target("files/from_state_dict", "files", "ms", "the tree from it", 0.7, 0.4),
    Target("files/to_bytes", "files", "ms", "bytes of a tree of 100 MB", 0.9, 0.4),
    Target("files/from_bytes", "files", "ms", "the tree from them", 0.9, 0.6),
    Target("files/save", "files", "ms", "save it as a checkpoint", 0.9, 0.6),
    Target("files/restore", "files", "ms", "restore it", 0.9, 0.6),
    Target("files/async_save", "files", "ms", "what a background save blocks v a synchronous one", 0.5, 0.1, "files/save"),
    Target("files/save_memory", "files", "MB", "additional peak memory of a save v the tree", 1.2, 0.1, "files/tree"),
    Target("random/normal", "sampling", "us", "normal, 1e6 numbers", 1.05, 0.8),
    Target("random/bits", "sampling", "us", "bits, 1e6 words", 1.05, 0.8),
    Target("random/uniform_bf16", "sampling", "us", "uniform, 1e6 numbers of bfloat16", 1.05, 0.8),
    Target("random/split", "sampling", "us", "split into 1,000 keys", 1.05, 0.8),
    Target("random/permutation", "sampling", "us", "permutation of 1e5", 1.05, 0.8),
    Target("random/categorical", "sampling", "us", "categorical over 50,000 x 128", 1.05, 0.8),
    Target("random/gamma", "sampling", "us", "gamma, 1e5 numbers", 1.05, 0.8),
    Target("random/new_shapes", "sampling", "ms", "normal at 20 new shapes, no disk cache", 0.2, 0.05),
    Target("random/trace", "sampling", "us", "trace normal", 0.3, 0.2),
    Target("sharded/put", "sharded", "ms", "put 1,000 leaves onto 8 devices", 1.0, 0.8),
    Target("sharded/call", "sharded", "us", "call a jitted function: 100 leaves on 8 devices", 1.0, 0.85),
    Target("sharded/lower", "sharded", "ms", "trace and lower a step of 12 layers on 8 devices", 0.3, 0.15),
    Target("sharded/step", "sharded", "us", "the compiled step", 1.03, 1.0),
    Target("scaling/two", "scaling", "us", "a step over 2 processes of 4 devices", 1.1, 1.0),
    Target("scaling/growth", "scaling", "", "the same v half the work on one of them", 1.1, 1.0),
)
