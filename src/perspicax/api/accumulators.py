"""`jax.ad`: what stands for cotangents that are returned, added to references, or not wanted."""
from __future__ import annotations

from types import SimpleNamespace

from perspicax.transform.accumulation import DidntWant, DontWant, GradRef, GradValue

__all__ = ["ad"]

ad = SimpleNamespace(DidntWant=DidntWant, DontWant=DontWant, GradRef=GradRef, GradValue=GradValue)
"""A namespace, as in JAX."""
