"""Every elementwise function of lax, once: where it is defined, over which dtypes, and where it has derivatives."""
from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from perspicax.lax import bitwise, compare, convert, elementwise, incomplete, special, transcendental

MODULES = (elementwise, compare, convert, bitwise, transcendental, special, incomplete)


def function(name: str) -> Callable[..., Any]:
    """Ours, by its name in lax."""
    return next(getattr(m, name) for m in MODULES if name in m.__all__)


@dataclass(frozen=True)
class Case:
    """One function.

    Attributes:
        name: in lax.
        domains: for each operand the interval from which real values are drawn.
        kinds: of dtypes that it takes: `b`, `s`, `u`, `f`, `c`.
        order: to which order derivatives exist; 0 for none.
        moving: the operands in which it can be differentiated; all of them by default.
        call: how it is called on `lax` (ours, or the oracle's); by its name by default.
        ulps: by how much eager results may differ from the oracle's.
    """

    name: str
    domains: tuple[tuple[float, float], ...]
    kinds: str = "fc"
    order: int = 2
    moving: tuple[int, ...] | None = None
    params: dict[str, Any] = field(default_factory=dict)
    ulps: int = 0

    def __str__(self) -> str:
        return "-".join([self.name, *map(str, self.params.values())])

    def ours(self, *args: Any) -> Any:
        return function(self.name)(*args, **self.params)

    def on(self, lax: Any) -> Callable[..., Any]:
        """The same of another implementation of lax."""
        return lambda *args: getattr(lax, self.name)(*args, **self.params)

    def operands(self, dtype: Any, n: int = 3, seed: int = 0) -> list[np.ndarray]:
        """Values in the domain."""
        rng = np.random.default_rng(seed)
        dtype = np.dtype(dtype)
        found = []
        for low, high in self.domains:
            x = rng.uniform(low, high, n)
            if dtype.kind == "b":
                x = rng.integers(0, 2, n)
            elif dtype.kind in "iu":
                x = rng.integers(0 if dtype.kind == "u" else -8, 9, n)
            elif dtype.kind == "c":
                x = x + 1j * rng.uniform(-1, 1, n)
            found.append(x.astype(dtype))
        return found


ANY, UNIT, POSITIVE, BEYOND = (-2., 2.), (-.9, .9), (.2, 3.), (1.1, 4.)
REAL = "suf"
NUMBER = "sufc"

CASES = [
    Case("neg", (ANY,), NUMBER), Case("abs", (ANY,), "sfc"), Case("sign", (ANY,), NUMBER, order=0),
    Case("floor", (ANY,), "f", order=0), Case("ceil", (ANY,), "f", order=0), Case("round", (ANY,), "f", order=0),
    Case("round", (ANY,), "f", order=0, params={"rounding_method": 1}),
    Case("square", (ANY,), NUMBER), *[Case("integer_pow", (POSITIVE,), "fc", params={"y": y}) for y in (-3, -1, 0, 1)],
    *[Case("integer_pow", (ANY,), NUMBER, params={"y": y}) for y in (2, 3, 7)], Case("reciprocal", (POSITIVE,)),
    Case("sqrt", (POSITIVE,)), Case("rsqrt", (POSITIVE,)), Case("cbrt", (POSITIVE,), "f"),
    Case("exp", (ANY,)), Case("exp2", (ANY,)), Case("log", (POSITIVE,)), Case("log1p", (UNIT,)), Case("expm1", (ANY,)),
    Case("logistic", (ANY,)), Case("sin", (ANY,)), Case("cos", (ANY,)), Case("tan", (UNIT,)), Case("asin", (UNIT,)),
    Case("acos", (UNIT,)), Case("atan", (ANY,)), Case("sinh", (ANY,)), Case("cosh", (ANY,)), Case("tanh", (ANY,)),
    Case("asinh", (ANY,)), Case("acosh", (BEYOND,)), Case("atanh", (UNIT,)),
    Case("erf", (ANY,), "f"), Case("erfc", (ANY,), "f"), Case("erf_inv", (UNIT,), "f"),
    Case("lgamma", (POSITIVE,), "f"),
    Case("digamma", (POSITIVE,), "f"), Case("bessel_i0e", (ANY,), "f"), Case("bessel_i1e", (ANY,), "f"),
    Case("is_finite", (ANY,), "f", order=0), Case("real", (ANY,), "c"), Case("imag", (ANY,), "c"),
    Case("bitwise_not", (ANY,), "bsu", order=0), Case("population_count", (ANY,), "su", order=0),
    Case("clz", (ANY,), "su", order=0),
    Case("reduce_precision", (ANY,), "f", order=0, params={"exponent_bits": 5, "mantissa_bits": 10}),

    Case("add", (ANY, ANY), NUMBER), Case("sub", (ANY, ANY), NUMBER), Case("mul", (ANY, ANY), NUMBER),
    Case("div", (ANY, POSITIVE), NUMBER), Case("rem", (BEYOND, (.3, .8)), REAL), Case("pow", (POSITIVE, ANY)),
    Case("max", (ANY, ANY), "bsufc"), Case("min", (ANY, ANY), "bsufc"), Case("atan2", (ANY, POSITIVE), "f"),
    Case("nextafter", (ANY, ANY), "f", order=0), Case("mulhi", (ANY, ANY), "su", order=0),
    *[Case(name, (ANY, ANY), "bsufc", order=0) for name in ("eq", "ne")],
    *[Case(name, (ANY, ANY), "bsuf", order=0) for name in ("lt", "le", "gt", "ge")],
    *[Case(name, (ANY, ANY), "bsu", order=0) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")],
    *[Case(name, (ANY, ANY), "su", order=0)
      for name in ("shift_left", "shift_right_arithmetic", "shift_right_logical")],
    Case("igamma", (POSITIVE, POSITIVE), "f", order=1), Case("igammac", (POSITIVE, POSITIVE), "f", order=1),
    Case("igamma_grad_a", (POSITIVE, POSITIVE), "f", order=0),
    Case("random_gamma_grad", (POSITIVE, POSITIVE), "f", order=0, ulps=8),
    Case("zeta", (BEYOND, POSITIVE), "f", order=0), Case("betainc", (POSITIVE, POSITIVE, (.1, .9)), "f", moving=(2,)),
    Case("clamp", ((-1., -.5), ANY, (.5, 1.)), "suf"),
]
