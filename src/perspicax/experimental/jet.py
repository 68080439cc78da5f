"""`jax.experimental.jet`: Taylor-mode differentiation."""
import perspicax.api.jet_rules  # noqa: F401  (founds the rules)
from perspicax.api.jet import jet as jet

__all__ = ["jet"]
