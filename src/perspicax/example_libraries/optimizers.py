"""`jax.example_libraries.optimizers`: small optimizers in functional form."""
from perspicax.api.example_optimizers import JoinPoint as JoinPoint
from perspicax.api.example_optimizers import Optimizer as Optimizer
from perspicax.api.example_optimizers import OptimizerState as OptimizerState
from perspicax.api.example_optimizers import adagrad as adagrad
from perspicax.api.example_optimizers import adam as adam
from perspicax.api.example_optimizers import adamax as adamax
from perspicax.api.example_optimizers import clip_grads as clip_grads
from perspicax.api.example_optimizers import constant as constant
from perspicax.api.example_optimizers import exponential_decay as exponential_decay
from perspicax.api.example_optimizers import inverse_time_decay as inverse_time_decay
from perspicax.api.example_optimizers import l2_norm as l2_norm
from perspicax.api.example_optimizers import make_schedule as make_schedule
from perspicax.api.example_optimizers import momentum as momentum
from perspicax.api.example_optimizers import nesterov as nesterov
from perspicax.api.example_optimizers import optimizer as optimizer
from perspicax.api.example_optimizers import pack_optimizer_state as pack_optimizer_state
from perspicax.api.example_optimizers import piecewise_constant as piecewise_constant
from perspicax.api.example_optimizers import polynomial_decay as polynomial_decay
from perspicax.api.example_optimizers import rmsprop as rmsprop
from perspicax.api.example_optimizers import rmsprop_momentum as rmsprop_momentum
from perspicax.api.example_optimizers import sgd as sgd
from perspicax.api.example_optimizers import sm3 as sm3
from perspicax.api.example_optimizers import unpack_optimizer_state as unpack_optimizer_state

__all__ = [
    "JoinPoint", "Optimizer", "OptimizerState", "adagrad", "adam", "adamax", "clip_grads", "constant", "exponential_decay",
    "inverse_time_decay", "l2_norm", "make_schedule", "momentum", "nesterov", "optimizer", "pack_optimizer_state",
    "piecewise_constant", "polynomial_decay", "rmsprop", "rmsprop_momentum", "sgd", "sm3", "unpack_optimizer_state",
]
