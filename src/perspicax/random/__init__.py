"""Random numbers: keys, and the distributions drawn from them."""

from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.random.bits import bits
from perspicax.random.choices import categorical, choice
from perspicax.random.discrete import bernoulli, permutation, randint
from perspicax.random.keys import (
    PRNGKey,
    clone,
    fold_in,
    key,
    key_data,
    key_dtype,
    key_impl,
    split,
    wrap_key_data,
)
from perspicax.random.sampling import (
    cauchy,
    exponential,
    gumbel,
    laplace,
    logistic,
    normal,
    truncated_normal,
    uniform,
)

__getattr__, __dir__ = _on_demand(__name__, absent=(
    "ball", "beta", "binomial", "chisquare", "dirichlet", "double_sided_maxwell", "f", "gamma", "generalized_normal",
    "geometric", "loggamma", "lognormal", "maxwell", "multinomial", "multivariate_normal", "orthogonal", "pareto",
    "poisson", "rademacher", "rayleigh", "t", "triangular", "wald", "weibull_min",
))

__all__ = [
    "PRNGKey", "bernoulli", "bits", "categorical", "cauchy", "choice", "clone", "exponential", "fold_in", "gumbel", "key",
    "key_data", "key_dtype", "key_impl", "laplace", "logistic", "normal", "permutation", "randint", "split",
    "truncated_normal", "uniform", "wrap_key_data",
]
