"""Derivatives against finite differences: `jax.test_util`."""
from perspicax.api.derivative_checks import check_grads as check_grads
from perspicax.api.derivative_checks import check_jvp as check_jvp
from perspicax.api.derivative_checks import check_vjp as check_vjp

__all__ = ["check_grads", "check_jvp", "check_vjp"]
