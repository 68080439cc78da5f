"""Special functions with SciPy's signatures: `jax.scipy.special`."""
from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.diagnose.facade import publish as _publish
from perspicax.numpy.log_sums import logsumexp
from perspicax.scipy.special.bessel import bessel_jn, erf, erfc, erfinv, i0, i0e, i1, i1e, sph_harm_y
from perspicax.scipy.special.complex_gamma import loggamma
from perspicax.scipy.special.entropies import (
    boxcox,
    boxcox1p,
    entr,
    expit,
    kl_div,
    log_softmax,
    logit,
    rel_entr,
    softmax,
    xlog1py,
    xlogy,
)
from perspicax.scipy.special.faddeeva import dawsn, erfcx, fresnel, wofz
from perspicax.scipy.special.gammas import (
    bernoulli,
    beta,
    betainc,
    betaln,
    comb,
    digamma,
    factorial,
    gamma,
    gammainc,
    gammaincc,
    gammaln,
    gammasgn,
    multigammaln,
    poch,
    polygamma,
    zeta,
)
from perspicax.scipy.special.hypergeometric import hyp1f1, hyp2f1
from perspicax.scipy.special.integrals import exp1, expi, expn, sici, spence
from perspicax.scipy.special.normal import log_ndtr, ndtr, ndtri, owens_t

__all__ = [
    "bernoulli", "bessel_jn", "beta", "betainc", "betaln", "boxcox", "boxcox1p", "comb", "dawsn", "digamma", "entr", "erf",
    "erfc", "erfcx", "erfinv", "exp1", "expi", "expit", "expn", "factorial", "fresnel", "gamma", "gammainc", "gammaincc",
    "gammaln", "gammasgn", "hyp1f1", "hyp2f1", "i0", "i0e", "i1", "i1e", "kl_div", "log_ndtr", "log_softmax", "loggamma",
    "logit", "logsumexp", "multigammaln", "ndtr", "ndtri", "owens_t", "poch", "polygamma", "rel_entr", "sici", "softmax",
    "spence", "sph_harm_y", "wofz", "xlog1py", "xlogy", "zeta",
]

__getattr__, __dir__ = _on_demand(__name__, names={
    "lpmn": "perspicax.scipy.special.legendre", "lpmn_values": "perspicax.scipy.special.legendre"})
_publish(__name__)
