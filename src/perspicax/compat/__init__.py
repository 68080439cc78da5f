"""Makes `import jax` and `import flax` mean Perspicax: `install()`, or `python -m perspicax.compat SCRIPT`."""

from perspicax.compat.errors import ReferenceImportedError as ReferenceImportedError
from perspicax.compat.finder import install as install

__all__ = ["ReferenceImportedError", "install"]
