"""Uses chex: its assertions, dataclasses and variants, and prints what happened."""
import json

import chex
import jax
import jax.numpy as jnp


def outcome(call):
    try:
        call()
    except AssertionError:
        return "refused"
    except Exception as error:
        return type(error).__name__
    return "accepted"


a, b = jnp.ones((2, 3)), jnp.zeros((3,))
found = {
    "shape": [outcome(lambda: chex.assert_shape(a, (2, 3))), outcome(lambda: chex.assert_shape([a, b], (2, 3)))],
    "rank": [outcome(lambda: chex.assert_rank([a, b], [2, 1])), outcome(lambda: chex.assert_rank(a, 1))],
    "type": [outcome(lambda: chex.assert_type(a, float)), outcome(lambda: chex.assert_type(a, int))],
    "axis": [outcome(lambda: chex.assert_axis_dimension(a, 1, 3)), outcome(lambda: chex.assert_axis_dimension(a, 1, 4))],
    "close": [outcome(lambda: chex.assert_trees_all_close({"x": a}, {"x": a + 1e-8})),
              outcome(lambda: chex.assert_trees_all_close({"x": a}, {"x": a + 1}))],
    "finite": [outcome(lambda: chex.assert_tree_all_finite({"x": a})),
               outcome(lambda: chex.assert_tree_all_finite({"x": a / 0}))],
    "scalar": [outcome(lambda: chex.assert_scalar(1.0)), outcome(lambda: chex.assert_scalar(a))],
    "structure": [outcome(lambda: chex.assert_trees_all_equal_structs({"x": 1}, {"x": 2})),
                  outcome(lambda: chex.assert_trees_all_equal_structs({"x": 1}, {"y": 2}))],
    "dtypes": [outcome(lambda: chex.assert_trees_all_equal_shapes_and_dtypes(a, a * 2)),
               outcome(lambda: chex.assert_trees_all_equal_shapes_and_dtypes(a, a.astype(int)))],
}


@chex.dataclass(frozen=True)
class Point:
    x: chex.Array
    y: chex.Array


point = jax.jit(lambda p: jax.tree.map(lambda v: v * 2, p))(Point(x=a, y=b))
found["dataclass"] = [type(point).__name__, float(point.x.sum()), list(point.keys())]
retraced = chex.assert_max_traces(n=1)(lambda x: x + 1)
traced = jax.jit(retraced)
found["traces"] = [outcome(lambda: traced(a)), outcome(lambda: traced(a)), outcome(lambda: traced(b))]


@chex.chexify
@jax.jit
def checked(x):
    chex.assert_tree_all_finite(x)
    return jnp.log(x)


found["chexify"] = [outcome(lambda: (checked(a), checked.wait_checks())),
                    outcome(lambda: (checked(a / 0), checked.wait_checks()))]
with chex.fake_jit():
    found["fake jit"] = float(jax.jit(lambda x: x + 1)(1.0))
with chex.fake_pmap():
    found["fake pmap"] = jax.pmap(lambda x: jax.lax.psum(x, "i"), axis_name="i")(jnp.arange(3.0)).tolist()


def compile_something():
    with chex.restrict_backends(forbidden=["cpu"]):
        jax.jit(lambda x: x * 3 - 1.25)(a)


found["forbidden"] = "Restricted" in outcome(compile_something)
found["allowed"] = float(jax.jit(lambda x: x * 5 - 1.25)(1.0))
found["whose"] = jax.__name__
print(json.dumps(found))
