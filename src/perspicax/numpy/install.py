"""Gives arrays their operators and methods, and the scalar types their constructor: once, when this file is imported."""
from __future__ import annotations

from perspicax.core.array import install_methods
from perspicax.core.dtypes import set_scalar_constructor
from perspicax.numpy.arithmetic import operator_methods
from perspicax.numpy.construct import scalar_class_call
from perspicax.numpy.indexing import INDEX_METHODS

install_methods(operator_methods())
install_methods(INDEX_METHODS)
set_scalar_constructor(scalar_class_call)

__all__ = ["operator_methods"]
