"""Train a transformer on many devices, and see that it learns just what it would on one.

    python -m perspicax.compat examples/transformer_sharded.py                 8 devices of the CPU, in one process
    python -m perspicax.compat examples/transformer_sharded.py --processes 2   2 processes, each with half of them
    python examples/transformer_sharded.py                                     under JAX and Flax: the same file

The network's variables and activations have axes with names: `batch`, `embed`, `heads`, `mlp`. What these mean is said in one
place, `RULES`: on a mesh of devices with the axes `data` and `model`, batches are spread over `data`, heads and hidden units
over `model`. The network itself knows nothing of devices. It is trained on four meshes:

    one       1 x 1   a single device
    data      8 x 1   each device has all weights, and an eighth of each batch
    model     1 x 8   each device has an eighth of the weights, and whole batches
    both      2 x 4   half of each batch, a quarter of the weights

Weights, the optimizer's state and gradients lie as the names say from the first moment: `init` runs under `jit` with
`out_shardings`, so that no device ever holds all of them. The compiler puts in the communication. The losses are equal to
the last few bits, in which sums differ that are added up in another order; if they were not, the program would say so and
end with status 1.
"""

import argparse
import pydoc_data.topics
import socket
import subprocess
import sys
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from flax.training.train_state import TrainState
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

CHARACTERS = 128
RULES = (("batch", "data"), ("heads", "model"), ("mlp", "model"), ("vocab", "model"), ("embed", None), ("length", None),
         ("depth", None), ("layers", None))
TOLERANCE = 1e-4


# ---------------------------------------------------------------- the network


def weights(*names: str) -> Any:
    """An initialiser of weights whose axes have these names."""
    return nn.with_logical_partitioning(nn.initializers.lecun_normal(), names)


def numbers(first: Any, *names: str) -> Any:
    """An initialiser of biases and scales, all of which begin as `first` makes them."""
    return nn.with_logical_partitioning(first, names)


ZEROS, ONES = nn.initializers.zeros_init(), nn.initializers.ones_init()


class Block(nn.Module):
    """Attention to the characters before, then two dense layers; each adds to what comes in."""

    heads: int

    @nn.compact
    def __call__(self, x: Any, mask: Any) -> tuple[Any, None]:
        width = x.shape[-1]
        norm = partial(nn.LayerNorm, scale_init=numbers(ONES, "embed"), bias_init=numbers(ZEROS, "embed"))
        project = partial(nn.Dense, width, kernel_init=weights("embed", "heads"), bias_init=numbers(ZEROS, "heads"))
        y = norm(name="norm_1")(x)
        query, key, value = [nn.with_logical_constraint(project(name=name)(y).reshape(*x.shape[:2], self.heads, -1),
                                                        ("batch", "length", "heads", "depth"))
                             for name in ("query", "key", "value")]
        y = nn.dot_product_attention(query, key, value, mask=mask).reshape(x.shape)
        y = nn.Dense(width, kernel_init=weights("heads", "embed"), bias_init=numbers(ZEROS, "embed"), name="out")(y)
        x = nn.with_logical_constraint(x + y, ("batch", "length", "embed"))
        y = nn.Dense(4 * width, kernel_init=weights("embed", "mlp"), bias_init=numbers(ZEROS, "mlp"), name="up")(
            norm(name="norm_2")(x))
        y = nn.with_logical_constraint(nn.gelu(y), ("batch", "length", "mlp"))
        y = nn.Dense(width, kernel_init=weights("mlp", "embed"), bias_init=numbers(ZEROS, "embed"), name="down")(y)
        return nn.with_logical_constraint(x + y, ("batch", "length", "embed")), None


class Writer(nn.Module):
    """Scores for the character after each place: int `[batch, length]` to float `[batch, length, CHARACTERS]`."""

    width: int
    layers: int
    heads: int = 8

    @nn.compact
    def __call__(self, codes: Any) -> Any:
        small = nn.initializers.normal(0.02)
        named = nn.with_logical_partitioning(small, ("length", "embed"))
        places: Any = self.param("places", named, (codes.shape[1], self.width))
        x = nn.Embed(CHARACTERS, self.width, embedding_init=nn.with_logical_partitioning(small, ("vocab", "embed")))(codes)
        x = nn.with_logical_constraint(x + places, ("batch", "length", "embed"))
        # One block's program for all layers; their variables are stacked along an axis named `layers`.
        blocks = nn.scan(nn.remat(Block), length=self.layers, variable_axes={"params": 0}, split_rngs={"params": True},
                         in_axes=nn.broadcast, metadata_params={nn.PARTITION_NAME: "layers"})
        x, _ = blocks(self.heads, name="blocks")(x, nn.make_causal_mask(codes))
        return nn.Dense(CHARACTERS, kernel_init=weights("embed", "vocab"), bias_init=numbers(ZEROS, "vocab"))(x)


# ---------------------------------------------------------------- the training


def start(key: Any, model: Writer, length: int) -> TrainState:
    """The state before the first step; its variables are in boxes that know the names of their axes."""
    params = model.init(key, jnp.zeros((1, length), jnp.int32))["params"]
    return TrainState.create(apply_fn=model.apply, params=params, tx=optax.adam(3e-3))


def step(state: TrainState, windows: Any) -> tuple[TrainState, Any]:
    """One step of training on windows `[batch, length + 1]` of text."""
    def loss_of(params: Any) -> Any:
        scores = state.apply_fn({"params": params}, windows[:, :-1])
        return optax.softmax_cross_entropy_with_integer_labels(scores, windows[:, 1:]).mean()

    loss, gradients = jax.value_and_grad(loss_of)(state.params)
    return state.apply_gradients(grads=gradients), loss


def train(mesh: Mesh, options: argparse.Namespace) -> tuple[list[float], TrainState]:
    """The losses of the steps, and the state after them, on one mesh."""
    model, text = Writer(options.width, options.layers), load()
    begin = partial(start, model=model, length=options.length)
    key = jax.random.key(options.seed)
    batches = NamedSharding(mesh, P("data"))
    with jax.set_mesh(mesh), nn.logical_axis_rules(RULES):
        names = nn.get_partition_spec(jax.eval_shape(begin, key))
        places = nn.logical_to_mesh_sharding(names, mesh, RULES)
        state = jax.jit(begin, out_shardings=places)(key)
        run = jax.jit(step, in_shardings=(places, batches), out_shardings=(places, NamedSharding(mesh, P())), donate_argnums=0)
        losses = []
        for number in range(options.steps):
            windows = windows_of(text, options, number)
            # Each device takes its rows; a process asks for those of its own devices alone.
            given = jax.make_array_from_callback(windows.shape, batches, windows.__getitem__)
            state, loss = run(state, given)
            losses.append(loss)
    return [float(loss) for loss in losses], state


def load() -> np.ndarray:
    """The topics of Python's `help()`, one after the other, as codes of characters."""
    topics = pydoc_data.topics.topics
    text = "\n\n".join(topics[name] for name in sorted(topics))
    return np.frombuffer(text.encode("ascii", "ignore"), np.uint8)


def windows_of(text: np.ndarray, options: argparse.Namespace, number: int) -> np.ndarray:
    """The batch of a step, int `[batch, length + 1]`: places in the text that depend on the seed and the step alone."""
    starts = np.random.default_rng([options.seed, number]).integers(0, len(text) - options.length, options.batch)
    return text[starts[:, None] + np.arange(options.length + 1)].astype(np.int32)


# ---------------------------------------------------------------- the devices


def meshes(names: list[str]) -> dict[str, Mesh]:
    """The meshes over all devices of all processes, and one of a single device, which each process has for itself."""
    count = jax.device_count()
    rows = 2 if count % 2 == 0 else 1
    grids = {"one": np.array(jax.local_devices()[:1]).reshape(1, 1), "data": np.array(jax.devices()).reshape(count, 1),
             "model": np.array(jax.devices()).reshape(1, count), "both": np.array(jax.devices()).reshape(rows, count // rows)}
    return {name: Mesh(grids[name], ("data", "model")) for name in names}


def compare(options: argparse.Namespace) -> int:
    """Train on each mesh; 1 where the losses differ, else 0."""
    jax.config.update("jax_num_cpu_devices", options.devices // options.processes)
    if options.processes > 1:
        jax.distributed.initialize(options.address, options.processes, options.process)  # before anything else
    first: list[float] = []
    furthest = 0.0
    for name, mesh in meshes(options.meshes).items():
        begin = time.monotonic()
        losses, state = train(mesh, options)
        first = first or losses
        furthest = max(furthest, max(abs(a - b) for a, b in zip(losses, first)))
        kernel = state.params["blocks"]["up"]["kernel"].value
        piece = kernel.addressable_shards[0].data.shape
        say(f"{name:6} {dict(mesh.shape)}: loss {' '.join(f'{loss:.5f}' for loss in losses[::options.report])}, "
            f"a device has {piece} of {kernel.shape}, {time.monotonic() - begin:.0f} s")
    same = furthest <= TOLERANCE
    say(f"the losses {'are equal' if same else 'DIFFER'}: they are apart by {furthest:.0e} at most")
    return 0 if same else 1


def say(text: str) -> None:
    """Print in one process alone."""
    if jax.process_index() == 0:
        print(text, flush=True)


def start_all(count: int) -> int:
    """Run this program once for each process; the exit status is that of the first one that fails."""
    with socket.create_server(("localhost", 0)) as free:
        address = f"localhost:{free.getsockname()[1]}"
    running = [subprocess.Popen([*sys.orig_argv, "--address", address, "--process", str(i)]) for i in range(count)]
    try:
        while any(process.poll() is None for process in running):
            failed = [process for process in running if process.poll()]
            if failed:
                time.sleep(5)  # time for the others to tell what they see of it
                return abs(failed[0].returncode)
            time.sleep(0.1)
        return max(abs(process.returncode) for process in running)
    finally:
        for process in running:
            process.kill()


def main() -> int:
    """Read the options, and train."""
    parser = argparse.ArgumentParser(description="Train a transformer on meshes of devices, and compare the losses.")
    parser.add_argument("--devices", type=int, default=8, help="CPU devices in all, 8 at most: so many heads there are")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--meshes", nargs="+", choices=("one", "data", "model", "both"),
                        default=["one", "data", "model", "both"])
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--report", type=int, default=10, help="tell the loss of every so many steps")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--width", type=int, default=64, help="numbers for each character, a multiple of 8")
    parser.add_argument("--layers", type=int, default=2)
    parser.add_argument("--length", type=int, default=32, help="characters that it sees")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--process", type=int, help="which process this is; without it, all are started")
    parser.add_argument("--address", help="where process 0 listens")
    options = parser.parse_args()
    if options.processes > 1 and options.process is None:
        return start_all(options.processes)
    return compare(options)


if __name__ == "__main__":
    sys.exit(main())
