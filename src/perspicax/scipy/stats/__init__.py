"""Statistics with SciPy's signatures: `jax.scipy.stats`. Its distributions are imported when they are first used."""
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(__name__, modules=(
    "bernoulli", "beta", "betabinom", "binom", "cauchy", "chi2", "dirichlet", "expon", "gamma", "gennorm", "geom", "gumbel_l",
    "gumbel_r", "laplace", "logistic", "multinomial", "multivariate_normal", "nbinom", "norm", "pareto", "poisson", "t",
    "truncnorm", "uniform", "vonmises", "wrapcauchy",
), names={
    "gaussian_kde": "perspicax.api.kernel_density", "mode": "perspicax.scipy.stats.summaries",
    "rankdata": "perspicax.scipy.stats.summaries", "sem": "perspicax.scipy.stats.summaries",
}, published=True)

__all__ = ["gaussian_kde", "mode", "rankdata", "sem"]
