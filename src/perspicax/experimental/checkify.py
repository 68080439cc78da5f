"""`jax.experimental.checkify`: checks of values within programs."""
from perspicax.api.check_errors import CheckifyError as JaxRuntimeError
from perspicax.api.checkify import ErrorCategory as ErrorCategory
from perspicax.api.checkify import all_checks as all_checks
from perspicax.api.checkify import automatic_checks as automatic_checks
from perspicax.api.checkify import checkify as checkify
from perspicax.api.checkify import div_checks as div_checks
from perspicax.api.checkify import float_checks as float_checks
from perspicax.api.checkify import index_checks as index_checks
from perspicax.api.checkify import nan_checks as nan_checks
from perspicax.api.checkify import user_checks as user_checks
from perspicax.api.checks import Error as Error
from perspicax.api.checks import check as check
from perspicax.api.checks import check_error as check_error
from perspicax.api.checks import debug_check as debug_check
from perspicax.api.checks import init_error as init_error

__all__ = [
    "Error", "ErrorCategory", "JaxRuntimeError", "all_checks", "automatic_checks", "check", "check_error", "checkify",
    "debug_check", "div_checks", "float_checks", "index_checks", "init_error", "nan_checks", "user_checks",
]
