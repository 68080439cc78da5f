"""The gamma distribution, and those that are made of gamma samples.

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
from perspicax.lax.elementwise import abs as absolute
from perspicax.lax.elementwise import add, div, log, mul, neg, sqrt, sub
from perspicax.lax.elementwise import max as maximum
from perspicax.lax.elementwise import pow as power
from perspicax.lax.errors import OperationShapeError
from perspicax.lax.incomplete import random_gamma_grad
from perspicax.lax.loops import map as loop_over
from perspicax.lax.markers import stop_gradient
from perspicax.lax.random_bits import KeyDType, host_place, random_wrap_p
from perspicax.lax.reductions import reduce_max, reduce_sum
from perspicax.lax.shape import broadcast_in_dim, broadcast_shapes, expand_dims, reshape, transpose
from perspicax.lax.transcendental import exp
from perspicax.lax.while_loops import while_loop
from perspicax.random.bits import Staged, check_broadcast, parameter, sample_dtype, sample_shape, staged_here
from perspicax.random.chunks import FixedProgram, run_pieces
from perspicax.random.discrete import signs_of
from perspicax.random.errors import SampleShapeError, SamplingError
from perspicax.random.keys import parts_of, single_key, split_in_two, split_keys
from perspicax.random.sampling import exponential_of, normal_of, uniform_of
from perspicax.random.threefry import threefry
from perspicax.transform.batch import BatchAxis, to_axis
from perspicax.transform.vmap import vmap
from perspicax.xla import dispatch
from perspicax.xla.array import ArrayImpl

SQUEEZE = 0.0331  # accepts most proposals without a logarithm, section 2 of the paper


# -- one sample

def _sample(key: Any, a: Any, log_space: bool) -> Any:
    """The sample of one element.

    A shape below 1 is raised by 1, and the sample scaled by a power of a uniform one (section 6 of the paper).
    """
    dtype: Any = get_aval(a).dtype  # type: ignore[attr-defined]
    one, third = dtype.type(1), dtype.type(1 / 3)
    enough = ge(a, one)
    d = sub(select(enough, a, add(a, one)), third)
    c = div(third, sqrt(d))
    key, scaling = split_in_two(key)
    _, _, cube, _ = while_loop(lambda state: _refused(d, *state[1:]), lambda state: _propose(c, state[0], dtype),
                               (key, dtype.type(0), one, dtype.type(2)))
    if not log_space:
        scale = power(sub(one, uniform_of(scaling, 0., 1., (), dtype)), div(one, a))
        return mul(mul(d, cube), select(enough, one, scale))
    logarithm = neg(exponential_of(scaling, (), dtype))
    unscaled = bitwise_or(enough, eq(logarithm, dtype.type(0)))
    scale = select(unscaled, dtype.type(0), mul(logarithm, div(one, a)))
    return add(add(log(d), log(cube)), scale)


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
    return key, mul(x, x), mul(mul(v, v), v), uniform_of(uniform_key, 0., 1., (), dtype)


def _positive(c: Any, key: Any, dtype: Any) -> tuple[Any, Any, Any]:
    key, used = split_in_two(key)
    x = normal_of(used, (), dtype)
    return key, x, add(dtype.type(1), mul(x, c))


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


def _turned(words: Any) -> Any:
    """`[words, n]` as `[n, words]`."""
    return transpose(words, (1, 0))


def _gamma_evaluate(keys: Any, a: Any, *, log_space: bool) -> Any:
    """On the CPU in pieces of fixed size: nothing is compiled for the shape, and quick pieces do not wait for slow ones."""
    arrays = [dispatch.as_array(keys), dispatch.as_array(a)]
    values = random_gamma_p.pack(dict(log_space=log_space))
    aval = random_gamma_p.infer((arrays[0].aval, arrays[1].aval), values)
    place = host_place(arrays)
    if place is None or arrays[0].shape or aval.size == 0:
        return dispatch.run_kernel(random_gamma_p, tuple(arrays), values)
    generator = arrays[0].aval.dtype.generator
    words = generator.split(arrays[0].value(), (aval.size,))
    if words is NotImplemented:
        words = split_keys(arrays[0], (aval.size,)).value()
    fixed = (("generator", generator), ("log_space", log_space))
    samples = run_pieces(_programs, place, words.T, [np.ascontiguousarray(arrays[1].value()).reshape(-1)], fixed)
    return ArrayImpl(aval, None, samples.reshape(aval.shape), place.sharding, place.committed)


random_gamma_p: Primitive = Primitive(
    "random_gamma", params=("log_space",), type_rule=_gamma_type, jvp=_gamma_jvp,
    transpose=NotLinear("gamma samples are not linear in their parameter"), batch=_gamma_batch, emit=_gamma_emit,
    evaluate=_gamma_evaluate, handles_extended=True, sanitize={"keys": lambda args, params: (args[0],)},
    source="Marsaglia and Tsang, ACM TOMS 26 (2000)")


# -- gamma itself

def _gamma(key: Any, a: Any, *, shape: tuple[int, ...], dtype: Any, log_space: bool) -> Any:
    return random_gamma_p(key, spread(convert_element_type(a, dtype), shape), log_space=log_space)


_staged_gamma = Staged(_gamma)


def spread(x: Any, shape: tuple[int, ...]) -> Any:
    """A parameter for each sample."""
    own: tuple[int, ...] = get_aval(x).shape  # type: ignore[attr-defined]
    return x if own == shape else broadcast_in_dim(x, shape, range(len(shape) - len(own), len(shape)))


def shared_shape(function: str, shape: Any, out_sharding: Any, **parameters: Any) -> tuple[int, ...]:
    """The shape of the samples: as given, or what the parameters broadcast to.

    Raises:
        SampleShapeError: a parameter does not broadcast to it.
        ShapeError: it is no shape.
    """
    if shape is None:
        shape = broadcast_shapes(*[get_aval(x).shape for x in parameters.values()])  # type: ignore[attr-defined]
    shape = sample_shape(function, shape, out_sharding)
    check_broadcast(function, shape, **parameters)
    return shape


def gamma_of(key: Any, a: Any, shape: tuple[int, ...], dtype: Any, log_space: bool = True) -> Any:
    """Gamma samples, or their logarithms, inside of another distribution."""
    return _staged_gamma(key, a, shape=shape, dtype=dtype, log_space=log_space)


def _checked_gamma(name: str, key: Any, a: Any, shape: Any, dtype: Any, out_sharding: Any) -> Any:
    found, _ = single_key(name, key)
    dtype = sample_dtype(name, dtype)
    a = parameter(name, "a", a)
    shape = shared_shape(name, shape, out_sharding, a=a)
    if type(found) is ArrayImpl and type(a) in (ArrayImpl, int, float, np.ndarray) and not staged_here():
        return random_gamma_p(found, spread(convert_element_type(a, dtype), shape), log_space=name == "loggamma")
    return gamma_of(found, a, shape, dtype, name == "loggamma")


@public
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
    return _checked_gamma("gamma", key, a, shape, dtype, out_sharding)


@public
def loggamma(key: Any, a: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Logarithms of samples of the gamma distribution, accurate for small `a` too.

    Arguments and errors are those of `gamma`.
    """
    return _checked_gamma("loggamma", key, a, shape, dtype, out_sharding)


# -- made of gamma samples

def _beta(key: Any, a: Any, b: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    a, b = [convert_element_type(x, dtype) for x in (a, b)]
    first, second = split_in_two(key)
    x, y = gamma_of(first, spread(a, shape), shape, dtype), gamma_of(second, spread(b, shape), shape, dtype)
    most = maximum(x, y)  # the logarithms are shifted, so that the larger sample is 1
    x, y = exp(sub(x, most)), exp(sub(y, most))
    return div(x, add(x, y))


def _chisquare(key: Any, df: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    two = dtype.type(2)
    return mul(exp(gamma_of(key, div(convert_element_type(df, dtype), two), shape, dtype)), two)


def _f(key: Any, dfnum: Any, dfden: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    dfden, dfnum = convert_element_type(dfden, dtype), convert_element_type(dfnum, dtype)
    below, above = split_in_two(key)
    over = _staged_chisquare(above, dfnum, shape=shape, dtype=dtype)
    under = _staged_chisquare(below, dfden, shape=shape, dtype=dtype)
    return div(div(over, spread(dfnum, shape)), div(under, spread(dfden, shape)))


def _t(key: Any, df: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    df = convert_element_type(df, dtype)
    first, second = split_in_two(key)
    n = normal_of(first, shape, dtype)
    half = div(df, dtype.type(2))
    g = gamma_of(second, half, shape, dtype, False)
    return mul(n, sqrt(div(spread(half, shape), g)))


def _generalized_normal(key: Any, p: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    first, second = split_in_two(key)
    p = _floating(p)
    inverse = div(get_aval(p).dtype.type(1), p)  # type: ignore[attr-defined]
    g = gamma_of(first, inverse, shape, dtype, False)
    return mul(signs_of(second, shape, dtype), power(g, convert_element_type(inverse, dtype)))


def _floating(x: Any) -> Any:
    aval: Any = get_aval(x)
    if dtypes.issubdtype(aval.dtype, np.floating):
        return convert_element_type(x, aval.dtype)
    return convert_element_type(x, dtypes.default_dtype("float"))


def _ball(key: Any, p: Any, *, d: int, shape: tuple[int, ...], dtype: Any) -> Any:
    """A point on no sphere: coordinates of a generalised normal distribution, divided by their norm with one more
    coordinate that is dropped (Barthe, Guédon, Mendelson, Naor, Annals of Probability 33, 2005)."""
    first, second = split_in_two(key)
    p = _floating(p)
    g = _staged_generalized(first, p, shape=(*shape, d), dtype=dtype)
    e = exponential_of(second, shape, dtype)
    total = add(reduce_sum(power(absolute(g), convert_element_type(p, dtype)), (len(shape),)), e)
    inverse = div(get_aval(p).dtype.type(1), p)  # type: ignore[attr-defined]
    norm = power(total, convert_element_type(inverse, dtype))
    return div(g, expand_dims(norm, (len(shape),)))


def _dirichlet(key: Any, alpha: Any, *, shape: tuple[int, ...], dtype: Any) -> Any:
    last = len(shape)
    size: int = get_aval(alpha).shape[-1]  # type: ignore[attr-defined]
    logarithms = gamma_of(key, convert_element_type(alpha, dtype), (*shape, size), dtype)
    if size == 0:
        return logarithms
    most = stop_gradient(expand_dims(reduce_max(logarithms, (last,)), (last,)))
    weights = exp(sub(logarithms, most))
    return div(weights, expand_dims(reduce_sum(weights, (last,)), (last,)))


_staged_beta, _staged_chisquare, _staged_f, _staged_t = Staged(_beta), Staged(_chisquare), Staged(_f), Staged(_t)
_staged_generalized, _staged_ball, _staged_dirichlet = Staged(_generalized_normal), Staged(_ball), Staged(_dirichlet)


def sampled(name: str, samples: Staged, key: Any, shape: Any, dtype: Any, out_sharding: Any, **parameters: Any) -> Any:
    """Samples of a distribution whose parameters broadcast to `shape`."""
    found, _ = single_key(name, key)
    dtype = sample_dtype(name, dtype)
    parameters = {argument: parameter(name, argument, x) for argument, x in parameters.items()}
    shape = shared_shape(name, shape, out_sharding, **parameters)
    return samples(found, *parameters.values(), shape=shape, dtype=dtype)


@public
def beta(key: Any, a: Any, b: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the beta distribution, from (0, 1).

    Args:
        key: one key.
        a, b: positive numbers or arrays that broadcast to `shape`.
        shape: of the samples; what the parameters broadcast to by default.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: a parameter is no array or number.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: a parameter does not broadcast to `shape`.
    """
    return sampled("beta", _staged_beta, key, shape, dtype, out_sharding, a=a, b=b)


@public
def chisquare(key: Any, df: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the chi-square distribution of `df` degrees of freedom. The rest is as for `beta`."""
    return sampled("chisquare", _staged_chisquare, key, shape, dtype, out_sharding, df=df)


@public
def f(key: Any, dfnum: Any, dfden: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the F distribution, a ratio of two chi-square samples, each by its degrees of freedom.

    Args:
        dfnum, dfden: degrees of freedom above and below. The rest is as for `beta`.
    """
    return sampled("f", _staged_f, key, shape, dtype, out_sharding, dfnum=dfnum, dfden=dfden)


@public
def t(key: Any, df: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of Student's t distribution of `df` degrees of freedom. The rest is as for `beta`."""
    return sampled("t", _staged_t, key, shape, dtype, out_sharding, df=df)


@public
def generalized_normal(key: Any, p: Any, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the generalised normal distribution, whose density is proportional to `exp(-|x| ** p)`.

    Args:
        key: one key.
        p: positive number.
        shape: of the samples.
        dtype: floating.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `p` does not broadcast to `shape`.
    """
    return sampled("generalized_normal", _staged_generalized, key, shape, dtype, out_sharding, p=p)


@public
def ball(key: Any, d: int, p: Any = 2, shape: Any = (), dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Points that are uniform in the unit ball of the p-norm in `d` dimensions.

    Args:
        key: one key.
        d: number of dimensions.
        p: positive number, the norm.
        shape: of the points.
        dtype: floating.

    Returns:
        Array `[*shape, d]`.

    Raises:
        KeyTypeError: `key` is no key.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `p` does not broadcast to `shape`.
    """
    found, _ = single_key("ball", key)
    dtype = sample_dtype("ball", dtype)
    shape = sample_shape("ball", shape, out_sharding)
    p = parameter("ball", "p", p)
    check_broadcast("ball", (), p=p)
    return _staged_ball(found, p, d=_dimension(d), shape=shape, dtype=dtype)


def _dimension(d: Any) -> int:
    return sample_shape("ball", (d,))[0]


@public
def dirichlet(key: Any, alpha: Any, shape: Any = None, dtype: Any = None, *, out_sharding: Any = None) -> Any:
    """Samples of the Dirichlet distribution: weights that sum to 1.

    Args:
        key: one key.
        alpha: array `[..., n]` of positive numbers, one for each weight.
        shape: of the samples, without the weights; that of `alpha` without its last axis by default.
        dtype: floating.

    Returns:
        Array `[*shape, n]`.

    Raises:
        KeyTypeError: `key` is no key.
        ParameterTypeError: `alpha` is no array.
        SampleDTypeError: `dtype` is not floating.
        SampleShapeError: `alpha` without its last axis does not broadcast to `shape`.
        SamplingError: `alpha` has no axis.
    """
    found, _ = single_key("dirichlet", key)
    dtype = sample_dtype("dirichlet", dtype)
    alpha = parameter("dirichlet", "alpha", alpha)
    own: tuple[int, ...] = get_aval(alpha).shape  # type: ignore[attr-defined]
    if not own:
        raise SamplingError(says="`alpha` of `dirichlet` is one number.",
                            why="it is an array with one number for each weight along its last axis")
    shape = sample_shape("dirichlet", own[:-1] if shape is None else shape, out_sharding)
    if len(own) - 1 > len(shape) or any(m not in (1, n) for m, n in zip(own[-2::-1], shape[::-1])):
        raise SampleShapeError(function="dirichlet", shape=shape, parameters=(("alpha without its last axis", own[:-1]),))
    return _staged_dirichlet(found, alpha, shape=shape, dtype=dtype)


__all__ = ["ball", "beta", "chisquare", "dirichlet", "f", "gamma", "gamma_of", "generalized_normal", "loggamma",
           "random_gamma_p", "sampled", "shared_shape", "spread", "t"]
