"""`import jax` means Perspicax: in processes of their own, since this one may hold the oracle."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HAVE = {**os.environ, "JAX_PLATFORMS": "cpu"}


def python(*arguments: str, stdin: str = "", env: dict[str, str] | None = None,
           cwd: Path | None = None) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, *arguments], input=stdin, capture_output=True, text=True, timeout=120,
                          env={**HAVE, **(env or {})}, cwd=cwd)


def facts(program: str, **options: Any) -> Any:
    """What a program prints last, as JSON."""
    done = python("-c", program, **options)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


SAME = """
import perspicax.compat, json
perspicax.compat.install()
perspicax.compat.install()
import importlib, importlib.metadata, sys
import jax, jax.numpy as jnp, perspicax, perspicax.numpy
from jax import lax, tree_util
import jax.tree_util, jax.experimental
from jax.sharding import PartitionSpec as P
import jax.version, jax.extend.core
first = perspicax.numpy.__spec__.name
import jax.numpy
known = {}
for name, module in list(sys.modules.items()):
    if name.startswith("jax.") and not name.startswith("jax._src"):
        known[name] = module is sys.modules.get("perspicax" + name[3:])
print(json.dumps({
    "same": [jax is perspicax, jnp is perspicax.numpy, jax.numpy is jnp, lax is perspicax.lax, tree_util is jax.tree_util],
    "spec": [first, perspicax.numpy.__spec__.name, perspicax.__name__, perspicax.__spec__.name],
    "modules": known,
    "versions": [jax.__version__, list(jax.__version_info__), jax.version.__version__, importlib.metadata.version("jax"),
                 importlib.metadata.version("flax"), importlib.metadata.metadata("jax")["Name"]],
    "numpy": importlib.metadata.version("numpy") == __import__("numpy").__version__,
    "value": float(jax.grad(lambda x: x * x)(3.0)),
    "reload": importlib.import_module("jax.lax") is lax,
    "finders": sum(type(f).__module__.startswith("perspicax") for f in sys.meta_path),
}))
"""


@pytest.fixture(scope="module")
def same() -> dict[str, Any]:
    return facts(SAME)


def test_modules_are_the_same_objects_under_both_names(same: dict[str, Any]) -> None:
    assert same["same"] == [True] * 5
    assert len(same["modules"]) > 5
    assert all(same["modules"].values()), same["modules"]
    assert same["spec"] == ["perspicax.numpy", "perspicax.numpy", "perspicax", "perspicax"]
    assert same["value"] == 6.0
    assert same["reload"]


def test_libraries_that_ask_for_the_version_get_that_of_the_reference(same: dict[str, Any]) -> None:
    assert same["versions"] == ["0.10.2", [0, 10, 2], "0.10.2", "0.10.2", "0.12.8", "jax"]
    assert same["numpy"], "other packages are not touched"


def test_installing_twice_does_nothing_more(same: dict[str, Any]) -> None:
    assert same["finders"] == 1


MISSING = """
import perspicax.compat, json, sys
perspicax.compat.install()
import jax
def attempt(code):
    try:
        exec(code, {"jax": jax})
    except BaseException as error:
        return [type(error).__name__, isinstance(error, ImportError), isinstance(error, AttributeError),
                isinstance(error, NotImplementedError), str(error).split(chr(10))[0], getattr(error, "name", "")]
    return ["nothing raised"]
print(json.dumps({code: attempt(code) for code in sys.stdin.read().splitlines()}))
"""


def test_what_is_not_there_says_so() -> None:
    codes = ["jax.interpreters.batching.register_vmappable", "from jax.interpreters.batching import register_vmappable",
             "import jax.experimental.pallas", "from jax.experimental import pallas", "import jax._src.interpreters.batching",
             "import jax.xla", "import jax.diagnose", "jax.tree_map", "jax.vmpa",
             "from jax import vmpa", "from jax._src import core as c; c.get_aval"]
    found = facts(MISSING, stdin="\n".join(codes))
    absent = "`jax.interpreters.batching.register_vmappable` is not there yet."
    assert found[codes[0]][:5] == ["NotThereYet", False, True, True, absent]
    assert found[codes[1]][:5] == ["NameNotThereYet", True, False, True, absent]
    assert found["import jax.experimental.pallas"] == [
        "ModuleNotThereYet", True, False, True, "`jax.experimental.pallas` is not there yet.", "jax.experimental.pallas"]
    assert found["from jax.experimental import pallas"][0] == "NameNotThereYet"
    assert found["import jax._src.interpreters.batching"][0] == "ModuleNotThereYet"
    for room in ("import jax.xla", "import jax.diagnose"):
        assert found[room][:2] == ["ModuleNotFoundError", True], "our rooms are no part of JAX"
    assert found["jax.tree_map"][:3] == ["UnknownNameError", False, True]
    assert found["jax.tree_map"][4] == "`jax` has no name `tree_map`: JAX took it away."
    assert found["jax.vmpa"][4] == "`jax` has no name `vmpa`."
    assert found["from jax import vmpa"][:2] == ["ImportError", True]
    assert found["from jax._src import core as c; c.get_aval"][0] == "NotThereYet"


def test_hasattr_and_getattr_find_nothing_where_nothing_is() -> None:
    program = """
import perspicax.compat, json; perspicax.compat.install()
import jax
import jax.interpreters.batching as batching
print(json.dumps([hasattr(batching, "register_vmappable"), getattr(jax, "vmpa", 3), hasattr(jax, "jit"), "jacfwd" in dir(jax),
                  "register_vmappable" in dir(batching)]))
"""
    assert facts(program) == [False, 3, True, True, False]


def test_flax_is_ours_unless_asked_otherwise(tmp_path: Path) -> None:
    (tmp_path / "flax").mkdir()
    (tmp_path / "flax" / "__init__.py").write_text("import jax\nwhose = jax.__name__\n")
    ask = "import perspicax.compat; perspicax.compat.install({}); import flax, json; print(json.dumps(flax.whose))"
    assert facts(ask.format("flax=False"), cwd=tmp_path) == "perspicax"
    done = python("-c", ask.format(""), cwd=tmp_path)
    assert done.returncode != 0 and "whose" not in done.stdout
    assert "perspicax" not in done.stdout, "the other flax was not imported"


def test_a_private_module_names_who_asked_for_it(tmp_path: Path) -> None:
    (tmp_path / "library.py").write_text("from jax._src.lax import control_flow\n")
    done = python("-c", "import perspicax.compat; perspicax.compat.install(); import library", cwd=tmp_path)
    assert "`jax._src.lax`, which `library` imports, is not there yet." in done.stderr
    assert "private to JAX" in done.stderr


@pytest.mark.oracle
def test_it_is_too_late_once_jax_is_imported() -> None:
    done = python("-c", "import jax; import perspicax.compat; perspicax.compat.install()")
    assert done.returncode == 1
    assert "ReferenceImportedError: `jax` is imported already" in done.stderr
    assert "python -m perspicax.compat" in done.stderr


@pytest.mark.oracle
def test_every_module_that_is_served_is_one_of_jax() -> None:
    """Also a check that importing Perspicax leaves real JAX alone."""
    from importlib.util import find_spec

    from perspicax.compat import modules

    assert find_spec("jax") is not None
    unknown = [name for name in modules._JAX if find_spec(f"jax.{name}") is None]
    assert not unknown


# -- the runner

SCRIPT = """\
import sys
import jax
import helper
import jax.numpy as jnp

@jax.jit
def pick(x):
    if x > 0:
        return x
    return -x

print(__name__, sys.argv[1:], helper.value, sys.modules["__main__"].pick is pick)
if len(sys.argv) > 2:
    sys.exit(int(sys.argv[2]))
if len(sys.argv) > 1:
    raise KeyError(sys.argv[1])
pick(1.0)
"""


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "helper.py").write_text("value = 7\n")
    path = tmp_path / "there" / "script.py"
    path.write_text(SCRIPT)
    return path


def test_a_script_runs_as_main_and_its_error_is_shown_trimmed(script: Path, tmp_path: Path) -> None:
    done = python("-m", "perspicax.compat", str(script), cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout == "__main__ [] 7 True\n"
    frames = [line for line in done.stderr.splitlines() if line.startswith("  File ")]
    assert [line.split(", ")[1:] for line in frames] == [["line 17", "in <module>"], ["line 8", "in pick"]], done.stderr
    assert all("script.py" in line for line in frames)
    lines = done.stderr.splitlines()
    said = next(i for i, line in enumerate(lines) if line.startswith("TracerBoolConversionError: "))
    assert "-->" in "\n".join(lines[said:]) and "script.py:8" in "\n".join(lines[said:])
    assert "\x1b[" not in done.stderr, "no colour where no terminal is"


def test_other_errors_exit_codes_and_arguments_are_pythons(script: Path, tmp_path: Path) -> None:
    done = python("-m", "perspicax.compat", str(script), "one", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.startswith("__main__ ['one']")
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[1].endswith('script.py", line 16, in <module>')
    assert done.stderr.splitlines()[-1] == "KeyError: 'one'"
    assert python("-m", "perspicax.compat", str(script), "one", "5", cwd=tmp_path).returncode == 5


def test_a_module_runs_as_with_python_m(script: Path) -> None:
    done = python("-m", "perspicax.compat", "-m", "script", "one", "0", cwd=script.parent)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("__main__ ['one', '0'] 7")


@pytest.mark.parametrize("arguments", [(), ("nowhere.py",), ("--wrong", "x.py"), ("-m",)])
def test_a_wrong_command_line_is_explained(arguments: tuple[str, ...], tmp_path: Path) -> None:
    done = python("-m", "perspicax.compat", *arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage: python -m perspicax.compat" in done.stderr


# -- the environment

def report_of(code: str, **env: str) -> Any:
    return facts("import perspicax as jax, json\n" + code, env=env)


def test_the_environment_is_honoured_before_the_client_is_made() -> None:
    count = "print(json.dumps([len(jax.devices()), jax.default_backend()]))"
    assert report_of(count, XLA_FLAGS="--xla_force_host_platform_device_count=3") == [3, "cpu"]
    assert report_of(count, JAX_NUM_CPU_DEVICES="2", JAX_PLATFORMS="cpu") == [2, "cpu"]
    late = """
jax.config.update("jax_num_cpu_devices", 2)
jax.config.update("jax_enable_x64", True)
before = len(jax.devices())
try:
    jax.config.update("jax_num_cpu_devices", 4)
except RuntimeError as error:
    print(json.dumps([before, type(error).__name__, error.option, str(jax.numpy.asarray(1.5).dtype)]))
"""
    assert report_of(late) == [2, "ClientStartedError", "jax_num_cpu_devices", "float64"]


def test_widths_and_platforms_come_from_the_environment() -> None:
    program = """
try:
    jax.devices()
except RuntimeError as error:
    print(json.dumps([type(error).__name__, error.platform, jax.config.jax_enable_x64]))
"""
    assert report_of(program, JAX_PLATFORMS="cpu,nosuch", JAX_ENABLE_X64="1") == ["UnknownPlatformError", "nosuch", True]


def test_a_wrong_value_in_the_environment_is_explained() -> None:
    done = python("-c", "import perspicax", env={"JAX_ENABLE_X64": "maybe"})
    assert "was set to 'maybe' by the environment" in done.stderr


LOGGED = """
import logging, io
stream = io.StringIO()
logging.basicConfig(stream=stream, level=logging.WARNING, format="%(name)s %(levelname)s %(message)s")
jax.jit(lambda x: x + 1, keep_unused=True)(1.0)
lines = stream.getvalue().splitlines()
print(json.dumps([[line.split()[:2] for line in lines], any("<lambda>" in line or "lambda" in line for line in lines)]))
"""


def test_compilations_are_logged_by_the_logger_of_jax() -> None:
    lines, named = report_of(LOGGED, JAX_LOG_COMPILES="1")
    assert len(lines) >= 2 and named
    assert all(name == "jax" or name.startswith("jax.") for name, _ in lines)
    assert {level for _, level in lines} == {"WARNING"}
    assert report_of(LOGGED)[0] == []


def test_the_disk_cache_can_be_switched_off(tmp_path: Path) -> None:
    program = "print(json.dumps(float(jax.jit(lambda x: x * 3 + 1)(2.0))))"
    on, off = tmp_path / "on", tmp_path / "off"
    assert report_of(program, PERSPICAX_CACHE_DIR=str(on)) == 7.0
    assert list(on.rglob("*")), "programs are kept by default"
    assert report_of(program, PERSPICAX_CACHE_DIR=str(off), JAX_ENABLE_COMPILATION_CACHE="false") == 7.0
    assert not off.exists() or not list(off.rglob("*"))


def test_traceback_filtering_follows_the_configuration() -> None:
    program = """
import traceback
def frames():
    try:
        jax.jit(lambda x: x @ 3.0 if False else bool(x))(1.0)
    except Exception as error:
        return sum("perspicax" in frame.filename for frame in traceback.extract_tb(error.__traceback__))
trimmed = frames()
jax.config.update("jax_traceback_filtering", "off")
print(json.dumps([trimmed, frames() > 0]))
"""
    assert report_of(program) == [0, True]
    assert report_of(program, JAX_TRACEBACK_FILTERING="off")[0] > 0


# -- the command

def test_explain_prints_a_page_and_proposes_near_names() -> None:
    from perspicax.diagnose.pages import catalogue_names

    name = "TracerBoolConversionError"
    assert name in catalogue_names()
    done = python("-m", "perspicax.cli.main", "explain", "--lang=en", f"perspicax.errors.{name}")
    assert done.returncode == 0
    assert done.stdout.startswith(f"# {name}: ") and "## Wrong" in done.stdout
    wrong = python("-m", "perspicax.cli.main", "explain", "TracerBolConversionError")
    assert wrong.returncode == 1 and name in wrong.stderr
    assert name in python("-m", "perspicax.cli.main", "explain").stdout.split()


def test_run_runs(script: Path, tmp_path: Path) -> None:
    done = python("-m", "perspicax.cli.main", "run", str(script), "one", "0", cwd=tmp_path)
    assert done.returncode == 0 and done.stdout.startswith("__main__ ['one', '0'] 7")
