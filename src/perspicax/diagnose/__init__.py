"""What an error is, and how it is shown."""

from perspicax.diagnose.boundary import public, trim
from perspicax.diagnose.errors import InternalError, PerspicaxError, ReportedError
from perspicax.diagnose.optional import MissingPackageError, optional
from perspicax.diagnose.pages import catalogue_page
from perspicax.diagnose.report import Edit, Fix, Label, Position, Report, Span
from perspicax.diagnose.retirement import retired
from perspicax.diagnose.source import expression_at, mark_internal, user_place, user_position, user_stack

__all__ = [
    "Edit", "Fix", "InternalError", "Label", "MissingPackageError", "PerspicaxError", "Position", "Report",
    "ReportedError", "Span", "catalogue_page", "expression_at", "mark_internal", "optional", "public", "retired",
    "trim", "user_place", "user_position", "user_stack",
]
