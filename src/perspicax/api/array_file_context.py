"""What tensorstore's reads and writes share: made when somebody asks for it, since it needs the package."""
from perspicax.api.array_files import tensorstore_context

__all__ = ["TS_CONTEXT"]

TS_CONTEXT = tensorstore_context()
