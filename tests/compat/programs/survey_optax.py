"""Calls optax's optimizers, schedules and losses, each once or twice, and prints what comes out."""
import inspect
import json

import jax
import jax.numpy as jnp
import numpy as np
import optax

params = {"w": jnp.array([[0.5, -1.0], [2.0, 0.25]]), "b": jnp.array([0.1, -0.2])}
grads = {"w": jnp.array([[0.1, 0.2], [-0.3, 0.4]]), "b": jnp.array([1.0, -1.0])}
found = {}


def leaves(tree):
    return [np.asarray(leaf, np.float64).ravel().tolist() for leaf in jax.tree.leaves(tree)]


optimizers = {}
SPECIAL = {"lbfgs", "polyak_sgd", "noisy_sgd", "optimistic_gradient_descent", "optimistic_adam", "optimistic_adam_v2"}
for name in dir(optax):
    function = getattr(optax, name)
    if name.startswith("_") or not inspect.isfunction(function) or name in SPECIAL:
        continue
    names = list(inspect.signature(function).parameters)
    if names[:1] == ["learning_rate"]:
        optimizers[name] = function(0.1)


@jax.jit  # all in one program: to compile it is what takes time
def updated(params):
    ends = {}
    for name, optimizer in optimizers.items():
        state, now = optimizer.init(params), params
        for _ in range(2):
            updates, state = optimizer.update(grads, state, now)
            now = optax.apply_updates(now, updates)
        ends[name] = now
    return ends


for name, end in updated(params).items():
    found[f"optimizer {name}"] = leaves(end)
schedules = {
    "constant": optax.constant_schedule(0.1), "cosine": optax.cosine_decay_schedule(0.1, 10, 0.1),
    "exponential": optax.exponential_decay(0.1, 3, 0.5, staircase=True), "linear": optax.linear_schedule(0.1, 0.0, 7, 2),
    "one cycle": optax.cosine_onecycle_schedule(12, 0.3), "line cycle": optax.linear_onecycle_schedule(12, 0.3),
    "piecewise": optax.piecewise_constant_schedule(0.1, {3: 0.5, 6: 0.1}),
    "polynomial": optax.polynomial_schedule(1.0, 0.1, 2, 9),
    "sgdr": optax.sgdr_schedule([dict(init_value=0.0, peak_value=0.1, decay_steps=5, warmup_steps=2, end_value=0.0)] * 2),
    "warm cosine": optax.warmup_cosine_decay_schedule(0.0, 0.1, 3, 10),
    "warm constant": optax.warmup_constant_schedule(0.0, 1.0, 4),
    "warm exponential": optax.warmup_exponential_decay_schedule(0.0, 0.1, 3, 4, 0.5),
    "joined": optax.join_schedules([optax.constant_schedule(1.0), optax.linear_schedule(1.0, 0.0, 5)], [4]),
}
for name, schedule in schedules.items():
    found[f"schedule {name}"] = leaves(jax.vmap(schedule)(jnp.array([0, 1, 3, 5, 9, 12])))
logits = jnp.array([[1.0, -2.0, 0.5], [0.3, 0.2, -0.1]])
labels = jnp.array([[0.0, 1.0, 0.0], [0.2, 0.3, 0.5]])
chances = jax.nn.softmax(logits)
of_labels = jnp.array([1, 2])
known = optax.losses
losses = {"smooth": lambda: known.smooth_labels(labels, 0.1), "ranking": lambda: known.ranking_softmax_loss(logits, labels),
          "triplet": lambda: known.triplet_margin_loss(logits, labels, -labels),
          "ctc": lambda: known.ctc_loss(logits[None], jnp.zeros((1, 2)), jnp.array([[1]]), jnp.zeros((1, 1))),
          "fenchel": lambda: known.make_fenchel_young_loss(jax.nn.logsumexp)(logits[0], labels[0]),
          "ntxent": lambda: known.ntxent(logits, of_labels),
          "integers": lambda: known.softmax_cross_entropy_with_integer_labels(logits, of_labels)}
for name in ("l2_loss", "squared_error", "huber_loss", "log_cosh", "cosine_distance", "cosine_similarity",
             "sigmoid_binary_cross_entropy", "softmax_cross_entropy", "safe_softmax_cross_entropy", "poly_loss_cross_entropy",
             "sigmoid_focal_loss", "dice_loss", "hinge_loss", "perceptron_loss", "sparsemax_loss"):
    losses[name] = lambda name=name: getattr(known, name)(logits, labels)
for name in ("kl_divergence", "convex_kl_divergence", "generalized_kl_divergence", "kl_divergence_with_log_targets"):
    losses[name] = lambda name=name: getattr(known, name)(jnp.log(chances), chances[::-1])
for name in ("multiclass_hinge_loss", "multiclass_perceptron_loss", "multiclass_sparsemax_loss"):
    losses[name] = lambda name=name: getattr(known, name)(logits, of_labels)
for name, value in jax.jit(lambda: {each: loss() for each, loss in losses.items()})().items():
    found[f"loss {name}"] = leaves(value)
print(json.dumps(found))
