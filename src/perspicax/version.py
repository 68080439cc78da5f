"""The release of JAX whose interface this is: `jax.version`. Perspicax's own is `perspicax.__version__`."""
__version__ = "0.10.2"
__version_info__ = (0, 10, 2)

__all__ = ["__version__", "__version_info__"]
