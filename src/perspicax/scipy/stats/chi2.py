"""The chi-squared distribution: `jax.scipy.stats.chi2`.

The gamma distribution of shape `df/2`, stretched by 2.
"""
from __future__ import annotations

from typing import Any

from perspicax.core.array import Array
from perspicax.diagnose.facade import publish
from perspicax.scipy.stats import gamma
from perspicax.scipy.stats.arguments import evaluated, exponential


def _logpdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._logpdf(x, .5 * df, loc, 2 * scale)


def _cdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._cdf(x, .5 * df, loc, 2 * scale)


def _sf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._sf(x, .5 * df, loc, 2 * scale)


def _logcdf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._logcdf(x, .5 * df, loc, 2 * scale)


def _logsf(x: Any, df: Any, loc: Any, scale: Any) -> Any:
    return gamma._logsf(x, .5 * df, loc, 2 * scale)


_pdf = exponential(_logpdf)


def cdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The cumulative distribution function.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.chi2.cdf", _cdf, x, df, loc, scale)


def logcdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the cumulative distribution function.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.chi2.logcdf", _logcdf, x, df, loc, scale)


def logpdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the probability density.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.chi2.logpdf", _logpdf, x, df, loc, scale)


def logsf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The logarithm of the survival function.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.chi2.logsf", _logsf, x, df, loc, scale)


def pdf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The probability density.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.chi2.pdf", _pdf, x, df, loc, scale)


def sf(x: Any, df: Any, loc: Any = 0, scale: Any = 1) -> Array:
    """The survival function, `1 - cdf`.

    Args:
        x: real array of any shape.
        df: degrees of freedom, positive.
        loc: where the distribution is moved to.
        scale: by how much it is stretched.

    Returns:
        Floating array of the shape that all broadcast to.
    """
    return evaluated("jsp.stats.chi2.sf", _sf, x, df, loc, scale)


__all__ = ["cdf", "logcdf", "logpdf", "logsf", "pdf", "sf"]

publish(__name__)
