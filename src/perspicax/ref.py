"""`jax.ref`: mutable references to arrays."""
from perspicax.api.refs import AbstractRef as AbstractRef
from perspicax.api.refs import Ref as Ref
from perspicax.api.refs import addupdate as addupdate
from perspicax.api.refs import empty_ref as empty_ref
from perspicax.api.refs import free_ref as free_ref
from perspicax.api.refs import freeze as freeze
from perspicax.api.refs import get as get
from perspicax.api.refs import new_ref as new_ref
from perspicax.api.refs import set as set
from perspicax.api.refs import swap as swap

__all__ = ["AbstractRef", "Ref", "addupdate", "empty_ref", "free_ref", "freeze", "get", "new_ref", "set", "swap"]
