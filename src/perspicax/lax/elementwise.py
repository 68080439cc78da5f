"""Elementwise arithmetic."""
from __future__ import annotations

import numpy as np

from perspicax.lax.families import (
    LINEAR,
    NUMBER,
    INEXACT,
    elementwise,
    linear_in_each,
    kind,
)


def _exact(f):  # type: ignore[no-untyped-def]
    """NumPy computes the same bits for integers and booleans alone; floating arithmetic always runs in XLA."""
    def host(*arrays, **params):  # type: ignore[no-untyped-def]
        return f(*arrays, **params) if kind(arrays[0].dtype) in "sub" else NotImplemented

    return host


neg = elementwise("neg", over=NUMBER, jvp=LINEAR, emit="negate", transpose=lambda ct, x: [neg(ct)], host=_exact(np.negative))
sin = elementwise("sin", over=INEXACT, jvp=lambda t, out, x: mul(t, cos(x)), emit="sine")
cos = elementwise("cos", over=INEXACT, jvp=lambda t, out, x: neg(mul(t, sin(x))), emit="cosine")
add = elementwise("add", over=NUMBER, jvp=(lambda t, out, x, y: t, lambda t, out, x, y: t), emit="add",
                  transpose=linear_in_each(lambda ct, x, y: ct, lambda ct, x, y: ct), host=_exact(np.add))
mul = elementwise("mul", over=NUMBER, jvp=(lambda t, out, x, y: mul(t, y), lambda t, out, x, y: mul(x, t)), emit="multiply",
                  transpose=linear_in_each(lambda ct, x, y: mul(ct, y), lambda ct, x, y: mul(x, ct)), host=_exact(np.multiply))
