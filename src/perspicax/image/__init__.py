"""Images of another size: `jax.image`."""

from perspicax.diagnose.facade import publish as _publish
from perspicax.image.resampling import ResizeMethod, resize, scale_and_translate

__all__ = ["ResizeMethod", "resize", "scale_and_translate"]

_publish(__name__)
