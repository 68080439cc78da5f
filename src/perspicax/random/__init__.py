"""Random numbers: keys, and the distributions drawn from them."""

from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.random.bits import bits
from perspicax.random.choices import categorical, choice
from perspicax.random.discrete import bernoulli, permutation, rademacher, randint
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

__getattr__, __dir__ = _on_demand(__name__, names={
    "ball": "perspicax.random.of_gammas", "beta": "perspicax.random.of_gammas", "binomial": "perspicax.random.trials",
    "chisquare": "perspicax.random.of_gammas", "dirichlet": "perspicax.random.of_gammas", "double_sided_maxwell":
    "perspicax.random.continuous", "f": "perspicax.random.of_gammas", "gamma": "perspicax.random.gammas",
    "generalized_normal": "perspicax.random.of_gammas", "geometric": "perspicax.random.counting", "loggamma":
    "perspicax.random.gammas", "lognormal": "perspicax.random.continuous", "maxwell": "perspicax.random.continuous",
    "multinomial": "perspicax.random.trials", "multivariate_normal": "perspicax.random.matrices", "orthogonal":
    "perspicax.random.matrices", "pareto": "perspicax.random.continuous", "poisson": "perspicax.random.counting",
    "random_gamma_p": "perspicax.random.gammas", "rayleigh": "perspicax.random.continuous", "t":
    "perspicax.random.of_gammas", "triangular": "perspicax.random.continuous", "wald": "perspicax.random.continuous",
    "weibull_min": "perspicax.random.continuous",
})

__all__ = [
    "PRNGKey", "ball", "bernoulli", "beta", "binomial", "bits", "categorical", "cauchy", "chisquare", "choice", "clone",
    "dirichlet", "double_sided_maxwell", "exponential", "f", "fold_in", "gamma", "generalized_normal", "geometric",
    "gumbel", "key", "key_data", "key_dtype", "key_impl", "laplace", "loggamma", "logistic", "lognormal", "maxwell",
    "multinomial", "multivariate_normal", "normal", "orthogonal", "pareto", "permutation", "poisson", "rademacher",
    "randint", "random_gamma_p", "rayleigh", "split", "t", "triangular", "truncated_normal", "uniform", "wald",
    "weibull_min", "wrap_key_data",
]
