"""Compilation: what is compiled once, the disk cache in fresh processes, effects at the end of a process."""
from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

import perspicax as px
import perspicax.numpy as jnp
from perspicax.xla import compile as compilation

XS = np.array([0.3, 0.7, -1.1], np.float32)

ENTRIES = {
    "elementwise": "print(px.jit(lambda x: jnp.sin(x) * x)(XS).tolist())",
    "eager kernels": "print((jnp.exp(jnp.asarray(XS)) + 1).sum().tolist())",
    "donation": """
        x = jnp.asarray(XS) * 1
        print(px.jit(lambda x: x * 2, donate_argnums=0)(x).tolist(), x.is_deleted())
    """,
    "loop and gradient": """
        f = lambda x: px.lax.scan(lambda c, y: (jnp.tanh(c * y), c), x, XS)[0]
        print(px.jit(px.grad(f))(0.5).tolist())
    """,
    "hidden constants": """
        table = jnp.asarray(np.arange(1000, dtype=np.float32))
        print(px.jit(lambda i: table[i] * 2)(7).tolist())
    """,
    "two devices": """
        mesh = px.sharding.Mesh(np.array(px.devices()), ("x",))
        x = px.device_put(np.arange(4.0, dtype=np.float32), px.sharding.NamedSharding(mesh, px.sharding.PartitionSpec("x")))
        y = px.jit(lambda x: x * 2 + x.sum())(x)
        print(y.tolist(), [str(s.device) for s in y.addressable_shards], y.sharding.spec)
    """,
    "second device": "print(px.jit(lambda x: x * 3)(px.device_put(XS, px.devices()[1])).devices())",
    "native code": """
        from perspicax.core.avals import ShapedArray
        from perspicax.core.primitive import NotLinear, Primitive
        from perspicax.transform.batch import ELEMENTWISE
        from perspicax.transform.jvp import LINEAR

        # LAPACK's Cholesky factorisation, by hand
        factor = Primitive("factor", type_rule=lambda a: a, jvp=LINEAR, transpose=NotLinear("no"), batch=ELEMENTWISE,
                           emit=lambda b, a: b.custom_call(
            "lapack_spotrf_ffi", [a], [a.aval, ShapedArray((), np.int32)], config="uplo = 76 : ui8", native="lapack",
            operand_layouts=[(0, 1)], result_layouts=[(0, 1), ()], aliases={0: 0})[0])
        print(np.tril(px.jit(lambda a: factor(a))(np.array([[4.0, 2.0], [2.0, 5.0]], np.float32))).tolist())
    """,
}

PREAMBLE = """
import json, os, sys, numpy as np
import perspicax as px, perspicax.numpy as jnp
from perspicax.xla.compile import compiled
XS = np.array([0.3, 0.7, -1.1], np.float32)
"""


def run(body: str, folder: Path, devices: int = 2, **environment: str) -> subprocess.CompletedProcess:
    """A fresh process with its own cache folder; its last line tells how many programs it compiled and loaded."""
    code = PREAMBLE + textwrap.dedent(body) + "\nprint(json.dumps(compiled))\n"
    env = {**os.environ, "PERSPICAX_CACHE_DIR": str(folder), "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
           **environment}
    return subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, timeout=120)


def said(result: subprocess.CompletedProcess) -> tuple[list[str], dict]:
    assert result.returncode == 0, result.stderr
    *lines, counts = result.stdout.splitlines()
    return lines, json.loads(counts)


class TestDiskCache:
    @pytest.mark.parametrize("name", ENTRIES)
    def test_an_entry_is_loaded_in_a_fresh_process(self, name, tmp_path):
        first, counts = said(run(ENTRIES[name], tmp_path / "cache"))
        assert counts["count"] > 0 and counts["loaded"] == 0
        second, counts = said(run(ENTRIES[name], tmp_path / "cache"))
        assert counts["count"] == 0 and counts["loaded"] > 0
        assert second == first and first

    def test_programs_with_callbacks_are_not_kept(self, tmp_path):
        body = """
            f = px.jit(lambda x: px.pure_callback(lambda v: np.asarray(v) * 2, px.ShapeDtypeStruct((3,), np.float32), x))
            print(f(XS).tolist())
        """
        for _ in range(2):
            lines, counts = said(run(body, tmp_path / "cache"))
            assert counts["loaded"] == 0 and lines == [str((2 * XS).tolist())]

    def test_a_damaged_entry_is_replaced(self, tmp_path):
        folder = tmp_path / "cache"
        expected, _ = said(run(ENTRIES["elementwise"], folder))
        files = list(folder.glob("*.pxc"))
        for file in files:
            data = file.read_bytes()
            file.write_bytes(data[:len(data) // 2])
        damaged = run(ENTRIES["elementwise"], folder)
        lines, counts = said(damaged)
        assert lines == expected and counts["count"] > 0
        assert damaged.stderr.count("CacheWarning") == 1
        again = run(ENTRIES["elementwise"], folder)
        assert said(again)[1]["count"] == 0 and "CacheWarning" not in again.stderr

    def test_bytes_that_xla_does_not_take_are_compiled_anew(self, tmp_path):
        body = """
            from perspicax.binding import runtime
            def refuse(*_):
                raise runtime.RuntimeFailure("INVALID_ARGUMENT: made elsewhere")
            runtime.deserialize = refuse
            print(px.jit(lambda x: jnp.sin(x) * x)(XS).tolist())
        """
        expected, _ = said(run(ENTRIES["elementwise"], tmp_path / "cache"))
        lines, counts = said(run(body, tmp_path / "cache"))
        assert lines == expected and counts["count"] > 0

    def test_a_folder_that_others_may_write_is_not_used(self, tmp_path):
        folder = tmp_path / "cache"
        folder.mkdir()
        folder.chmod(0o777)
        for _ in range(2):
            result = run(ENTRIES["elementwise"], folder)
            lines, counts = said(result)
            assert counts["loaded"] == 0 and lines
            assert result.stderr.count("CacheWarning") == 1
        assert not list(folder.iterdir())

    def test_one_switch_turns_it_off(self, tmp_path):
        _, counts = said(run(ENTRIES["elementwise"], tmp_path / "cache", PERSPICAX_CACHE="off"))
        assert counts["count"] > 0 and not (tmp_path / "cache").exists()

    def test_the_key_knows_options_devices_and_text(self):
        placed = px.xla.sharding.first_sharding()
        closed = px.make_jaxpr(lambda x: x * 2)(XS)
        lowered = [compilation.lower(closed, name=name, placed=placed) for name in ("jit_f", "jit_f", "jit_g")]
        assert lowered[0].text == lowered[1].text != lowered[2].text


class TestEndOfTheProcess:
    def test_effects_happen_before_it(self, tmp_path):
        body = """
            import time
            def late(v):
                time.sleep(0.3)
                print("done", int(v), flush=True)
            slow = px.jit(lambda x: px.lax.scan(lambda c, _: (c @ c * 1e-3, None), x, None, length=20)[0])
            f = px.jit(lambda x: px.experimental.io_callback(late, None, x[0, 0]))
            f(slow(np.zeros((300, 300), np.float32)))
        """
        result = run(body, tmp_path / "cache")
        assert result.returncode == 0 and "done 0" in result.stdout

    @pytest.mark.parametrize("callback", ["px.experimental.io_callback", "px.pure_callback"])
    def test_a_callback_that_is_under_way_does_not_abort_it(self, callback, tmp_path):
        body = f"""
            slow = px.jit(lambda x: px.lax.scan(lambda c, _: (c @ c * 1e-3, None), x, None, length=20)[0])
            f = px.jit(lambda x: {callback}(lambda v: v, px.ShapeDtypeStruct((), np.float32), x[0, 0]))
            x = slow(np.zeros((300, 300), np.float32))
            y = f(x)
        """
        result = run(body, tmp_path / "cache")
        assert result.returncode == 0, result.stderr

    def test_an_effect_that_fails_is_told(self, tmp_path):
        body = """
            def fails(v):
                raise KeyError("no such table")
            slow = px.jit(lambda x: px.lax.scan(lambda c, _: (c @ c * 1e-3, None), x, None, length=20)[0])
            f = px.jit(lambda x: px.experimental.io_callback(fails, None, x[0, 0]))
            x = slow(np.zeros((300, 300), np.float32))
            f(x)
        """
        result = run(body, tmp_path / "cache")
        assert "no such table" in result.stderr


def test_the_barrier_waits_and_tells():
    seen = []
    f = px.jit(lambda x: px.experimental.io_callback(lambda v: seen.append(int(v)), None, x))
    for i in range(compilation.MAX_RUNNING + 10):
        f(jnp.int32(i))
    px.effects_barrier()
    assert sorted(seen) == list(range(compilation.MAX_RUNNING + 10))


def test_unread_arguments_are_left_out_of_the_call():
    jaxpr = px.make_jaxpr(lambda x, y, z, w: (x, z * 1, jnp.sin(w))[:2])(1.0, 2.0, 3.0, 4.0).jaxpr
    alive, read = compilation.without_dead_equations(jaxpr)
    assert read == [True, False, True, False]
    assert [e.primitive.name for e in alive.eqns] == ["mul"]


def test_one_program_for_each_combination():
    before = dict(compilation.compiled)
    f = px.jit(lambda x: x * 2 + 1)
    for _ in range(3):
        f(XS)
        px.jit(f.__wrapped__)(XS)
    after = compilation.compiled
    assert sum(after.values()) - sum(before.values()) == 1
