"""The gamma distribution.

Samples are found by the method of Marsaglia and Tsang ("A simple method for generating gamma variables", ACM TOMS 26,
2000): a cubed normal sample is proposed until one is accepted. Each element has a key of its own, so that its sample
depends on nothing but the key, its index and its parameter. The derivative is implicit: of the sample's own cumulative
distribution (Figurnov, Mohamed, Mnih, "Implicit reparameterization gradients", NeurIPS 2018).
"""
from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from perspicax.core import dtypes
from perspicax.core.avals import ShapedArray
from perspicax.core.primitive import NotLinear, Primitive
from perspicax.core.trace import Zero, stage_flat
from perspicax.core.tracer import get_aval
from perspicax.diagnose.boundary import public
from perspicax.lax.bitwise import bitwise_and, bitwise_or
from perspicax.lax.compare import eq, ge, le, select
from perspicax.lax.convert import convert_element_type
from perspicax.lax.elementwise import add, div, log, mul, neg, sqrt, sub
from perspicax.lax.elementwise import pow as power
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.incomplete import random_gamma_grad
from perspicax.lax.loops import map as loop_over
from perspicax.lax.markers import optimization_barrier
from perspicax.lax.random_bits import KeyDType, Place, host_place, random_wrap_p
from perspicax.lax.shape import broadcast_in_dim, reshape, transpose
from perspicax.lax.transcendental import exp
from perspicax.lax.while_loops import while_loop
from perspicax.random.bits import (
    GivenBits,
    Staged,
    bit_width,
    broadcast_parameters,
    check_broadcast,
    concrete,
    parameter,
    placeable,
    sample_dtype,
    sample_shape,
)
from perspicax.random.chunks import FixedProgram, mapped
from perspicax.random.draws import LOOPS, drawn
from perspicax.random.keys import parts_of, single_key, split_in_two, split_keys
from perspicax.random.piecewise import Composite, Rental, rental
from perspicax.random.sampling import exponential_of, normal_of, uniform_of
from perspicax.random.threefry import Words, counts, joined_bits, numbered_blocks, threefry
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.vmap import vmap
from perspicax.xla import dispatch
from perspicax.xla.array import ArrayImpl

HANDFUL = 64  # samples; the program for a piece of so many takes a fifth of the time of the next larger one
SQUEEZE = 0.0331  # accepts most proposals without a logarithm, section 2 of the paper


# -- one sample

def _constants(a: Any) -> tuple[Any, Any]:
    """What the proposals of a shape depend on. One below 1 is raised by 1 (section 6 of the paper)."""
    dtype: Any = get_aval(a).dtype  # type: ignore[attr-defined]
    one, third = dtype.type(1), dtype.type(1 / 3)
    d = sub(select(ge(a, one), a, add(a, one)), third)
    return d, div(third, sqrt(d))


def _sample(key: Any, a: Any, log_space: bool) -> Any:
    """The sample of one element."""
    dtype: Any = get_aval(a).dtype  # type: ignore[attr-defined]
    one = dtype.type(1)
    d, c = _constants(a)
    key, scaling = split_in_two(key)
    _, _, cube, _ = while_loop(lambda state: _refused(d, *state[1:]), lambda state: _propose(c, state[0], dtype),
                               (key, dtype.type(0), one, dtype.type(2)))
    return _scaled(scaling, a, d, cube, log_space)


def _scaled(key: Any, a: Any, d: Any, cube: Any, log_space: bool) -> Any:
    """The sample that was accepted, scaled by a power of a uniform one where its shape was raised."""
    aval: Any = get_aval(a)
    dtype, shape = aval.dtype, aval.shape
    one, enough = dtype.type(1), ge(a, dtype.type(1))
    if log_space:
        return logarithm(d, cube, _log_scale(key, a))
    scale = power(sub(one, uniform_of(key, 0., 1., shape, dtype)), div(one, a))
    return mul(mul(d, cube), select(enough, _full(one, shape), scale))


def _log_scale(key: Any, a: Any) -> Any:
    """The logarithm of the power."""
    aval: Any = get_aval(a)
    dtype, shape = aval.dtype, aval.shape
    logarithm = neg(exponential_of(key, shape, dtype))
    unscaled = bitwise_or(ge(a, dtype.type(1)), eq(logarithm, dtype.type(0)))
    return select(unscaled, _full(dtype.type(0), shape), mul(logarithm, div(dtype.type(1), a)))


def logarithm(d: Any, cube: Any, scale: Any) -> Any:
    return add(add(log(d), log(cube)), scale)


def _full(value: Any, shape: tuple[int, ...]) -> Any:
    return np.broadcast_to(value, shape) if shape else value


def _refused(d: Any, square: Any, cube: Any, u: Any) -> Any:
    """Whether a proposal is refused: by the quick test, and by the exact one."""
    one: Any = get_aval(d).dtype.type(1)  # type: ignore[attr-defined]
    quick = ge(u, sub(one, mul(type(one)(SQUEEZE), mul(square, square))))
    exact = ge(log(u), add(mul(square, type(one)(0.5)), mul(d, add(sub(one, cube), log(cube)))))
    return bitwise_and(quick, exact)


def _propose(c: Any, key: Any, dtype: Any) -> tuple[Any, Any, Any, Any]:
    """The next proposal: the square of a normal sample, the cube of `1 + c x`, and a uniform sample."""
    key, normal_key, uniform_key = parts_of(key, 3)
    _, x, v = while_loop(lambda state: le(state[2], dtype.type(0)), lambda state: _positive(c, state[0], dtype),
                         (normal_key, dtype.type(0), dtype.type(-1)))
    return key, *_powers(x, v), uniform_of(uniform_key, 0., 1., (), dtype)


def _powers(x: Any, v: Any) -> tuple[Any, Any]:
    return mul(x, x), mul(mul(v, v), v)


def _positive(c: Any, key: Any, dtype: Any) -> tuple[Any, Any, Any]:
    key, used = split_in_two(key)
    return key, *_tried(c, used)


def _tried(c: Any, key: Any) -> tuple[Any, Any]:
    """A normal sample `x`, and `1 + c x`."""
    aval: Any = get_aval(c)
    x = normal_of(key, aval.shape, aval.dtype)
    return x, add(aval.dtype.type(1), mul(x, c))


# -- samples of all elements on the host, in pieces

def _tried_of_bits(bits: Any, c: Any) -> tuple[Any, Any, Any]:
    x, v = _tried(c, GivenBits(bits))
    return x, v, le(v, v.dtype.type(0))


def _judged(bits: Any, d: Any, x: Any, v: Any) -> tuple[Any, Any]:
    """The cube of a proposal, and whether it is refused.

    A barrier stands where one step of the loop hands its state to the next: no product before it is contracted with a
    sum behind it.
    """
    aval: Any = get_aval(x)
    state = (*_powers(x, v), uniform_of(GivenBits(bits), 0., 1., aval.shape, aval.dtype))
    square, cube, u = optimization_barrier(state)
    return cube, _refused(d, square, cube, u)


_constants_program, _tried_program, _judged_program = [
    FixedProgram(f"gamma_{body.__name__.strip('_')}", body) for body in (_constants, _tried_of_bits, _judged)]
_scaled_program = FixedProgram("gamma_scaled", lambda bits, a, d, cube, *, log_space:
                               _scaled(GivenBits(bits), a, d, cube, log_space))
log_scale_program = FixedProgram("gamma_log_scale", lambda bits, a: _log_scale(GivenBits(bits), a))


def accepted_on_host(place: Place, words: np.ndarray, a: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The loop of `_sample` for each key of `words` `[n, 2]`: each step for those elements alone that need it.

    A step takes a few blocks of the generator and three small programs; the loop as one program takes seconds to compile.

    Returns:
        `d`, the cubes that were accepted, and the bits for scaling.
    """
    d, c = mapped(_constants_program, place, [a])
    width = bit_width(a.dtype)
    own = words[:, 0], words[:, 1]
    key, scaling = numbered_blocks([own, own], (0, 1), place)
    cube = np.empty(len(words), a.dtype)
    left = np.arange(len(words))
    while left.size:
        key, normal_key, uniform_key = numbered_blocks([key] * 3, (0, 1, 2), place)
        x, v = _positiveaccepted_on_host(place, normal_key, c[left], width)
        bits = joined_bits(numbered_blocks([uniform_key], (0,), place)[0], width)
        cube[left], refused = mapped(_judged_program, place, [bits, d[left], x, v])
        left, key = left[refused], (key[0][refused], key[1][refused])
    return d, cube, joined_bits(numbered_blocks([scaling], (0,), place)[0], width)


def _positiveaccepted_on_host(place: Place, key: Words, c: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    """`_tried`, for each key until `v` is positive."""
    n = len(key[0])
    x, v = np.empty(n, c.dtype), np.empty(n, c.dtype)
    left = np.arange(n)
    while left.size:
        key, used = numbered_blocks([key] * 2, (0, 1), place)
        bits = joined_bits(numbered_blocks([used], (0,), place)[0], width)
        x[left], v[left], again = mapped(_tried_program, place, [bits, c[left]])
        left, key = left[again], (key[0][again], key[1][again])
    return x, v


# -- the primitive

def _gamma_type(keys: ShapedArray, a: ShapedArray, *, log_space: bool) -> ShapedArray:
    if type(keys.dtype) is not KeyDType or a.shape[:keys.ndim] != keys.shape:
        raise OperationShapeError(says=f"random_gamma was given {keys.str_short()} and {a.str_short()}.",
                                  why="the first operand is keys, and the second begins with the axes of the first")
    return a.strong


def _gamma_jvp(primals: Sequence[Any], tangents: Sequence[Any], *, log_space: bool) -> tuple[Any, Any]:
    key, a = primals
    out = random_gamma_p(key, a, log_space=log_space)
    if type(tangents[1]) is Zero:
        return out, Zero.like(out)
    if not log_space:
        return out, mul(tangents[1], random_gamma_grad(a, out))
    dtype: Any = get_aval(a).dtype  # type: ignore[attr-defined]
    tiny = np.broadcast_to(np.asarray(dtypes.finfo(dtype).tiny, dtype), get_aval(a).shape)  # type: ignore[attr-defined]
    sample = exp(out)
    sample = select(eq(sample, dtype.type(0)), tiny, sample)
    return out, mul(tangents[1], div(random_gamma_grad(a, sample), sample))


def _gamma_batch(axis: BatchAxis, args: tuple, axes: tuple, *, log_space: bool) -> tuple[Any, int]:
    keys, a = [to_axis(x, at, 0, axis.size) for x, at in zip(args, axes)]
    return random_gamma_p(keys, a, log_space=log_space), 0


def _flat_gamma(keys: Any, a: Any, *, log_space: bool) -> Any:
    """Traceable: samples of all elements, each by a key of its own."""
    shape: tuple[int, ...] = get_aval(a).shape  # type: ignore[attr-defined]
    n, count = math.prod(shape), math.prod(get_aval(keys).shape)  # type: ignore[attr-defined]
    if n == 0:
        return a
    own = split_keys(reshape(keys, (count,)), (n // count,))
    return reshape(_each(reshape(own, (n,)), reshape(a, (n,)), log_space), shape)


def _each(keys: Any, a: Any, log_space: bool) -> Any:
    """Samples of keys and parameters `[n]`. One by one where a generator makes all bits of a batch of the first key."""
    if keys.dtype.generator is threefry:
        return vmap(lambda key, x: _sample(key, x, log_space))(keys, a)
    return loop_over(lambda pair: _sample(pair[0], pair[1], log_space), (keys, a))


def _gamma_emit(b: Any, keys: Any, a: Any, *, log_space: bool) -> Any:
    closed = stage_flat(lambda *args: [_flat_gamma(*args, log_space=log_space)], (keys.aval, a.aval))
    return b.call(closed, [keys, a], "gamma")[0]


def _of_words(words: Any, a: Any, *, generator: Any, log_space: bool) -> Any:
    return _each(random_wrap_p(words, impl=generator), a, log_space)


_programs = FixedProgram("gamma", lambda words, a, **static: _of_words(_turned(words), a, **static))


_rentals: dict[Any, Rental] = {}


def _turned(words: Any) -> Any:
    """`[words, n]` as `[n, words]`."""
    return transpose(words, (1, 0))


def _gamma_evaluate(keys: Any, a: Any, *, log_space: bool) -> Any:
    """On the CPU without a program for the shape."""
    arrays = [dispatch.as_array(keys), dispatch.as_array(a)]
    values = random_gamma_p.pack(dict(log_space=log_space))
    aval = random_gamma_p.infer((arrays[0].aval, arrays[1].aval), values)
    place = host_place(arrays)
    if place is None or aval.size == 0:
        return dispatch.run_kernel(random_gamma_p, tuple(arrays), values)
    generator, each = arrays[0].aval.dtype.generator, aval.size // arrays[0].size
    words = generator.split(arrays[0].value(), (each,), place)
    if words is NotImplemented:
        words = split_keys(arrays[0], (each,)).value()
    words = words.reshape((aval.size, *generator.key_shape))
    fixed = (("generator", generator), ("log_space", log_space))
    a = np.ascontiguousarray(arrays[1].value()).reshape(-1)
    least = HANDFUL if aval.size <= HANDFUL else 0
    rent = rental(_rentals, (least, aval.dtype, log_space))
    if not counts(generator) or not rent.cheap():
        samples = mapped(_programs, place, [words.T, a], fixed, least)[0]
    else:
        with rent.time():
            d, cube, bits = accepted_on_host(place, words, a)
            samples = mapped(_scaled_program, place, [bits, a, d, cube], (("log_space", log_space),))[0]
    return ArrayImpl(aval, None, samples.reshape(aval.shape), place.sharding, place.committed)


random_gamma_p: Primitive = Primitive(
    "random_gamma", params=("log_space",), type_rule=_gamma_type, jvp=_gamma_jvp,
    transpose=NotLinear("gamma samples are not linear in their parameter"), batch=_gamma_batch, emit=_gamma_emit,
    evaluate=_gamma_evaluate, handles_extended=True, sanitize={"keys": lambda args, params: (args[0],)},
    source="Marsaglia and Tsang, ACM TOMS 26 (2000)")
random_gamma_p.extra["reads_options"] = True


# -- gamma itself

def _gamma(key: Any, a: Any, *, shape: tuple[int, ...], dtype: Any, log_space: bool) -> Any:
    return random_gamma_p(key, spread(convert_element_type(a, dtype), shape), log_space=log_space)


_staged_gamma = Staged(_gamma)


def spread(x: Any, shape: tuple[int, ...]) -> Any:
    """A parameter for each sample."""
    own: tuple[int, ...] = get_aval(x).shape  # type: ignore[attr-defined]
    return x if own == shape else broadcast_in_dim(x, shape, range(len(shape) - len(own), len(shape)))


def shared_shape(function: str, shape: Any, **parameters: Any) -> tuple[int, ...]:
    """The shape of the samples: as given, or what the parameters broadcast to.

    Raises:
        SampleShapeError: a parameter does not broadcast to it.
        ShapeError: it is no shape.
    """
    if shape is None:
        shape = broadcast_parameters(function, {name: get_aval(x).shape for name, x in parameters.items()})  # type: ignore[attr-defined]
    shape = sample_shape(function, shape)
    check_broadcast(function, shape, **parameters)
    return shape


def gamma_of(key: Any, a: Any, shape: tuple[int, ...], dtype: Any, log_space: bool = True) -> Any:
    """Gamma samples, or their logarithms."""
    if concrete(key, a):
        return _gamma(key, a, shape=shape, dtype=dtype, log_space=log_space)
    return _staged_gamma(key, a, shape=shape, dtype=dtype, log_space=log_space)


def _checked_gamma(name: str, key: Any, a: Any, shape: Any, dtype: Any) -> Any:
    found, _ = single_key(name, key)
    dtype = sample_dtype(name, dtype)
    a = parameter(name, "a", a)
    shape = shared_shape(name, shape, a=a)
    made = gamma_of(found, a, shape, dtype, name == "loggamma")
    if dispatch.checking.nans and concrete(made):
        dispatch.check_results([made], _staged_gamma.name)
    return made


@public
@drawn("a", price=LOOPS)
@placeable
def gamma(key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the gamma distribution of shape `a` and scale 1.

    Args:
        key: one key.
        a: positive number or array that broadcasts to `shape`; samples are differentiable in it.
        shape: of the samples; that of `a` by default.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `a` is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `a` does not broadcast to `shape`.

    Small `a` make samples that round to 0; `loggamma` does not have that trouble.

    Marsaglia and Tsang, ACM TOMS 26, 2000.
    """
    return _checked_gamma("gamma", key, a, shape, dtype)


@public
@drawn("a", price=LOOPS)
@placeable
def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Logarithms of samples of the gamma distribution, accurate for small `a` too.

    Arguments and errors are those of `gamma`.
    """
    return _checked_gamma("loggamma", key, a, shape, dtype)


def sampled(name: str, samples: Composite, key: Any, shape: Any, dtype: Any, **parameters: Any) -> Any:
    """Samples of a distribution whose parameters broadcast to `shape`."""
    found, _ = single_key(name, key)
    dtype = sample_dtype(name, dtype)
    parameters = {argument: parameter(name, argument, x) for argument, x in parameters.items()}
    shape = shared_shape(name, shape, **parameters)
    return samples(found, *parameters.values(), shape=shape, dtype=dtype)


__all__ = ["accepted_on_host", "gamma", "gamma_of", "log_scale_program", "logarithm", "loggamma", "random_gamma_p", "sampled",
           "shared_shape", "spread"]
