"""Gives arrays their operators and methods, and the scalar types their constructor: once, when this file is imported."""
from __future__ import annotations

from perspicax.core.array import install_methods
from perspicax.core.dtypes import set_scalar_constructor
from perspicax.numpy.construct import scalar_class_call
from perspicax.numpy.methods import methods

install_methods(methods())
set_scalar_constructor(scalar_class_call)
