"""Functions with transformations stacked on them: `jax.extend.linear_util`."""
from perspicax.api.wrapped_functions import StoreException as StoreException
from perspicax.api.wrapped_functions import WrappedFun as WrappedFun
from perspicax.api.wrapped_functions import cache as cache
from perspicax.api.wrapped_functions import merge_linear_aux as merge_linear_aux
from perspicax.api.wrapped_functions import transformation as transformation
from perspicax.api.wrapped_functions import transformation2 as transformation2
from perspicax.api.wrapped_functions import transformation_with_aux as transformation_with_aux
from perspicax.api.wrapped_functions import transformation_with_aux2 as transformation_with_aux2
from perspicax.api.wrapped_functions import wrap_init as wrap_init

__all__ = [
    "StoreException", "WrappedFun", "cache", "merge_linear_aux", "transformation", "transformation2",
    "transformation_with_aux", "transformation_with_aux2", "wrap_init",
]
