"""First values of parameters: functions of a key, a shape and a dtype."""

from perspicax.diagnose.facade import publish as _publish
from perspicax.nn.initializers.filling import Initializer, constant, normal, ones, truncated_normal, uniform, zeros
from perspicax.nn.initializers.orthogonality import delta_orthogonal, orthogonal
from perspicax.nn.initializers.scaling import (
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    kaiming_normal,
    kaiming_uniform,
    lecun_normal,
    lecun_uniform,
    variance_scaling,
    xavier_normal,
    xavier_uniform,
)

__all__ = [
    "Initializer", "constant", "delta_orthogonal", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform",
    "kaiming_normal", "kaiming_uniform", "lecun_normal", "lecun_uniform", "normal", "ones", "orthogonal",
    "truncated_normal", "uniform", "variance_scaling", "xavier_normal", "xavier_uniform", "zeros",
]

_publish(__name__)
