"""Staging, lowering and compiling ahead of time."""
from __future__ import annotations

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.experimental.layout import Format, Layout
from perspicax.transform.ahead import ArgInfo
from perspicax.transform.errors import CompiledCallError, DialectError, MissingDtypeError

XS = np.array([0.3, 0.7, -1.1], np.float32)


def f(x, t):
    return {"o": jnp.sin(x) * t["w"]}


def test_every_stage_knows_the_types():
    traced = px.jit(f, donate_argnums=0).trace(XS, {"w": 2.0})
    lowered = traced.lower()
    compiled = lowered.compile()
    for stage in (traced, lowered, compiled):
        (x, t), kwargs = stage.args_info
        assert (x.shape, x.dtype, x.donated, t["w"].donated, kwargs) == ((3,), np.float32, True, False, {})
        assert stage.in_avals[0][0].str_short() == "float32[3]"
        assert (stage.out_info["o"].shape, stage.out_tree) == ((3,), px.tree.structure({"o": 0}))
        assert stage.donate_argnums == (0,)
    assert traced.fun_name == "f" and traced.lojax.jaxpr is traced.jaxpr
    assert compiled.input_formats[0][1]["w"] == Format(Layout((), ()), compiled.input_shardings[0][1]["w"])
    assert compiled.output_formats["o"] == jnp.asarray(XS).format and jnp.ones((2, 3)).format.layout.major_to_minor == (0, 1)
    closed = traced.jaxpr
    assert (closed.invars, closed.outvars, closed.constvars) == (closed.jaxpr.invars, closed.jaxpr.outvars, [])
    assert closed.map_jaxpr(lambda jaxpr: jaxpr.replace(outvars=[]))(XS, 2.0) == [] and closed.eqns[0].ctx.compute_type is None
    assert repr(traced.args_info[0][0]) == "ArgInfo(_aval=ShapedArray(float32[3]), donated=True)"
    assert traced.args_info[0][0] == ArgInfo(px.typeof(jnp.asarray(XS)), True)


def test_call():
    compiled = px.jit(f).lower(XS, {"w": 2.0}).compile()
    np.testing.assert_allclose(compiled(XS, {"w": 3.0})["o"], 3 * np.sin(XS), rtol=1e-6)
    by_types = px.jit(f).lower(px.ShapeDtypeStruct((3,), np.float32), {"w": px.ShapeDtypeStruct((), np.float32)}).compile()
    np.testing.assert_allclose(by_types(XS, {"w": np.float32(3.0)})["o"], 3 * np.sin(XS), rtol=1e-6)


@pytest.mark.parametrize(("args", "kind", "name"), [
    ((XS[:2], {"w": 2.0}), "type", "x"), ((XS.astype(np.int32), {"w": 2.0}), "type", "x"), ((XS, {"w": XS}), "type", "t['w']"),
    ((XS,), "tree", ""), ((XS, {"v": 2.0}), "tree", ""),
])
def test_arguments_of_other_types(args, kind, name):
    compiled = px.jit(f).lower(XS, {"w": 2.0}).compile()
    with pytest.raises(CompiledCallError) as caught:
        compiled(*args)
    assert (caught.value.kind, caught.value.name) == (kind, name)


@pytest.mark.parametrize("transform", [px.jit, px.grad, px.vmap])
def test_under_a_transformation(transform):
    compiled = px.jit(lambda x: x * 2).lower(2.0).compile()
    x = XS if transform is px.vmap else 1.0
    with pytest.raises(TypeError):
        transform(lambda v: compiled(v))(x)


def test_texts_and_estimates():
    lowered = px.jit(f).lower(XS, {"w": 2.0})
    assert "stablehlo.multiply" in lowered.as_text() and "func.func public @main" in lowered.as_text(dialect="stablehlo")
    assert lowered.as_text(dialect="hlo").startswith("HloModule")
    assert px.jit(lambda x: x * 2 + 1).lower(np.ones((3, 5))).cost_analysis()["flops"] == 30
    assert lowered.compile().cost_analysis()["flops"] > 0
    assert lowered.compile().memory_analysis().output_size_in_bytes > 0
    with pytest.raises(DialectError):
        lowered.as_text(dialect="vhdl")
    assert "stablehlo.multiply" in str(lowered.compiler_ir())
    assert "multiply(" in lowered.compiler_ir("hlo").as_hlo_text()
    with pytest.raises(DialectError):
        lowered.compiler_ir("vhdl")


def test_static_arguments_are_left_out_of_the_call():
    compiled = px.jit(lambda x, n: x * n, static_argnums=1).lower(2.0, 3).compile()
    assert compiled(4.0) == 12.0
    with pytest.raises(CompiledCallError):
        compiled(4.0, 3)


def test_neither_stage_runs_the_program():
    ran = []
    struct = px.ShapeDtypeStruct((), np.float32)
    px.jit(lambda x: px.pure_callback(lambda v: ran.append(1) or v, struct, x)).lower(1.0).compile()
    assert not ran


def test_compiler_options():
    compiled = px.jit(f).lower(XS, {"w": 2.0}).compile(compiler_options={"xla_cpu_enable_fast_math": False})
    np.testing.assert_allclose(compiled(XS, {"w": 1.0})["o"], np.sin(XS), rtol=1e-6)
    with pytest.raises(px.errors.JaxRuntimeError):
        px.jit(f).lower(XS, {"w": 2.0}).compile(compiler_options={"xla_nonsense": 1})


class TestShapeDtypeStruct:
    def test_fields(self):
        struct = px.ShapeDtypeStruct([2, 3], "bfloat16", weak_type=True)
        assert (struct.shape, struct.ndim, struct.size, len(struct), str(struct.dtype)) == ((2, 3), 2, 6, 2, "bfloat16")
        assert repr(struct) == "ShapeDtypeStruct(shape=(2, 3), dtype=bfloat16, weak_type=True)"

    def test_equality(self):
        make = lambda **more: px.ShapeDtypeStruct((2,), np.float32, **more)
        assert make() == make() and hash(make()) == hash(make())
        assert make() != make(weak_type=True) and make() != 3
        assert make().update(shape=(3,)) == px.ShapeDtypeStruct((3,), np.float32)

    def test_what_is_missing(self):
        with pytest.raises(MissingDtypeError):
            px.ShapeDtypeStruct((2,), None)
        with pytest.raises(TypeError, match="unsized"):
            len(px.ShapeDtypeStruct((), np.float32))


@pytest.mark.parametrize("wrap", [px.jit, px.grad, px.vmap, lambda f: lambda x: px.jvp(f, (x,), (x,))])
def test_a_compiled_function_cannot_be_traced(wrap):
    compiled = px.jit(f).lower(XS[0], {"w": 2.0}).compile()
    with pytest.raises(CompiledCallError) as caught:
        wrap(lambda x: compiled(x, {"w": 2.0})["o"])(XS if wrap is px.vmap else XS[0])
    error = caught.value
    assert (error.kind, error.name, error.function, error.got) == ("tracer", "x", "f", "float32[]")
    assert "jax.jit(f)" in str(error)
    outside = px.jit(lambda y: y * compiled(XS[0], {"w": 2.0})["o"])  # of values it may be called while tracing
    np.testing.assert_allclose(outside(3.0), 6 * np.sin(XS[0]), rtol=1e-6)


@pytest.mark.parametrize("donate", [(), (0,)])
def test_debug_nans_looks_at_compiled_and_at_donating_programs(donate):
    def program(x):
        return jnp.log(x) * 2

    with px.debug_nans(True):
        jitted = px.jit(program, donate_argnums=donate)
        calls = [jitted] if donate else [jitted, jitted.lower(XS).compile()]
        for call in calls:
            x = jnp.asarray(XS)
            with pytest.raises(FloatingPointError) as caught:
                call(x)
            assert caught.value.what == "log" and not x.is_deleted()
            assert caught.value.__context__ is None
    compiled = px.jit(program, donate_argnums=donate).lower(XS).compile()
    assert np.isnan(compiled(jnp.asarray(XS))).any()
    with px.debug_nans(True), pytest.raises(FloatingPointError):
        compiled(jnp.asarray(XS))


def test_the_text_of_a_program_has_locations_when_asked_for():
    lowered = px.jit(lambda x: px.lax.fori_loop(0, 3, lambda i, c: jnp.sin(c) * i, x)).lower(XS)
    assert "loc(" not in lowered.as_text() and lowered.as_text().count("stablehlo.sine") == 1
    assert 'loc("0")' in lowered.as_text(debug_info=True)
    assert lowered.as_text("stablehlo") == lowered.as_text()
    np.testing.assert_allclose(lowered.compile()(XS), 0 * XS)
