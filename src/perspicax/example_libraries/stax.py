"""`jax.example_libraries.stax`: layers as pairs of functions."""
from perspicax.api.stax import AvgPool as AvgPool
from perspicax.api.stax import BatchNorm as BatchNorm
from perspicax.api.stax import Conv as Conv
from perspicax.api.stax import Conv1DTranspose as Conv1DTranspose
from perspicax.api.stax import ConvTranspose as ConvTranspose
from perspicax.api.stax import Dense as Dense
from perspicax.api.stax import Dropout as Dropout
from perspicax.api.stax import Elu as Elu
from perspicax.api.stax import Exp as Exp
from perspicax.api.stax import FanInConcat as FanInConcat
from perspicax.api.stax import FanInSum as FanInSum
from perspicax.api.stax import FanOut as FanOut
from perspicax.api.stax import Flatten as Flatten
from perspicax.api.stax import Gelu as Gelu
from perspicax.api.stax import GeneralConv as GeneralConv
from perspicax.api.stax import GeneralConvTranspose as GeneralConvTranspose
from perspicax.api.stax import Identity as Identity
from perspicax.api.stax import LeakyRelu as LeakyRelu
from perspicax.api.stax import LogSoftmax as LogSoftmax
from perspicax.api.stax import MaxPool as MaxPool
from perspicax.api.stax import Relu as Relu
from perspicax.api.stax import Selu as Selu
from perspicax.api.stax import Sigmoid as Sigmoid
from perspicax.api.stax import Softmax as Softmax
from perspicax.api.stax import Softplus as Softplus
from perspicax.api.stax import SumPool as SumPool
from perspicax.api.stax import Tanh as Tanh
from perspicax.api.stax import elementwise as elementwise
from perspicax.api.stax import parallel as parallel
from perspicax.api.stax import serial as serial
from perspicax.api.stax import shape_dependent as shape_dependent
from perspicax.nn import elu as elu
from perspicax.nn import gelu as gelu
from perspicax.nn import leaky_relu as leaky_relu
from perspicax.nn import log_softmax as log_softmax
from perspicax.nn import log_softmax as logsoftmax
from perspicax.nn import relu as relu
from perspicax.nn import selu as selu
from perspicax.nn import sigmoid as sigmoid
from perspicax.nn import softmax as softmax
from perspicax.nn import softplus as softplus
from perspicax.nn import standardize as standardize
from perspicax.nn.initializers import glorot_normal as glorot
from perspicax.nn.initializers import glorot_normal as glorot_normal
from perspicax.nn.initializers import normal as normal
from perspicax.nn.initializers import normal as randn
from perspicax.nn.initializers import ones as ones
from perspicax.nn.initializers import zeros as zeros

__all__ = [
    "AvgPool", "BatchNorm", "Conv", "Conv1DTranspose", "ConvTranspose", "Dense", "Dropout", "Elu", "Exp", "FanInConcat",
    "FanInSum", "FanOut", "Flatten", "Gelu", "GeneralConv", "GeneralConvTranspose", "Identity", "LeakyRelu", "LogSoftmax",
    "MaxPool", "Relu", "Selu", "Sigmoid", "Softmax", "Softplus", "SumPool", "Tanh", "elementwise", "elu", "gelu", "glorot",
    "glorot_normal", "leaky_relu", "log_softmax", "logsoftmax", "normal", "ones", "parallel", "randn", "relu", "selu",
    "serial", "shape_dependent", "sigmoid", "softmax", "softplus", "standardize", "zeros",
]
