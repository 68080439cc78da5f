"""`perspicax run`: programs behave as under plain Python, and what goes wrong is shown in the format asked for."""
from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

BROKEN = """\
import jax.numpy as jnp
x = jnp.ones(3)
x.at[0].set(2.0)
x + jnp.ones(4)
"""


def perspicax(*arguments: str, stdin: str = "", cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    """The command, run by itself."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("JAX_", "PERSPICAX_SANITIZE"))}
    return subprocess.run([sys.executable, "-m", "perspicax", "run", *arguments], input=stdin, capture_output=True, text=True,
                          cwd=cwd, env={**environment, "NO_COLOR": "1", **env}, timeout=120)


def program(folder: Path, source: str, name: str = "program.py") -> str:
    path = folder / name
    path.write_text(textwrap.dedent(source), encoding="utf-8")
    return str(path)


def test_a_program_is_main_with_its_own_arguments_and_its_folder_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("name = 'found'\n", encoding="utf-8")
    done = perspicax(program(tmp_path, """\
        import sys, jax, beside
        print(__name__, sys.argv[1:], beside.name, jax.__name__)
        """), "a", "--sanitize=b")
    assert done.stdout.split("\n")[0] == "__main__ ['a', '--sanitize=b'] found perspicax"
    assert (done.returncode, done.stderr) == (0, "")


def test_code_modules_and_standard_input(tmp_path: Path) -> None:
    program(tmp_path, "import sys; print('module', sys.argv[1:])", "mine.py")
    assert perspicax("-c", "import sys, jax; print(sys.argv, jax.__name__)", "x").stdout == "['-c', 'x'] perspicax\n"
    assert perspicax("-m", "mine", "y", cwd=tmp_path).stdout == "module ['y']\n"
    assert perspicax("-", "z", stdin="import sys; print(sys.argv)").stdout == "['-', 'z']\n"
    assert perspicax("-c", "print(input())", stdin="a line\n").stdout == "a line\n"


def test_folders_and_archives_and_modules_that_are_not_there(tmp_path: Path) -> None:
    folder = tmp_path / "app"
    folder.mkdir()
    program(folder, "import sys, jax, beside; print(beside.name, sys.argv[1:], __name__, jax.__name__)", "__main__.py")
    program(folder, "name = 'found'", "beside.py")
    archive = shutil.make_archive(str(tmp_path / "packed"), "zip", folder)
    for path in (str(folder), archive):
        assert perspicax(path, "a").stdout == "found ['a'] __main__ perspicax\n"
    missing = perspicax("-m", "nowhere.module")
    assert missing.returncode == 1
    assert len(missing.stderr.splitlines()) == 1
    assert "nowhere" in missing.stderr


def test_findings_and_errors_are_shown_as_reports(tmp_path: Path) -> None:
    done = perspicax(program(tmp_path, BROKEN))
    assert done.returncode == 1
    finding, error = done.stderr.split("Traceback (most recent call last)")
    assert finding.startswith("DiscardedUpdate: ")
    assert "program.py:3:1" in finding
    assert "x = x.at[0].set(2.0)" in finding
    assert "BroadcastError: `x`" in error
    assert str(Path(sys.prefix)) not in error  # the user's frames only


def test_an_attribute_of_another_library_is_explained(tmp_path: Path) -> None:
    done = perspicax(program(tmp_path, "import jax.numpy as jnp\nbatch = jnp.ones(3)\nbatch.numpy()\n"))
    assert "\nAttributeError: Arrays have no attribute `numpy`." in done.stderr
    assert "program.py:3:1" in done.stderr
    assert "np.asarray(batch)" in done.stderr


def test_json_is_one_object_for_each_report(tmp_path: Path) -> None:
    done = perspicax("--format=json", program(tmp_path, BROKEN))
    finding, error = [json.loads(line) for line in done.stderr.splitlines()]
    assert (finding["name"], finding["primary"]["line"]) == ("DiscardedUpdate", 3)
    assert (error["name"], error["primary"]["line"]) == ("BroadcastError", 4)
    plain = json.loads(perspicax("--format=json", "-c", "x = 1\n1 / 0").stderr)
    assert (plain["name"], plain["primary"]["line"], plain["says"]) == ("ZeroDivisionError", 2, "division by zero")


def test_github_and_html(tmp_path: Path) -> None:
    script = program(tmp_path, BROKEN)
    first, second = perspicax("--format", "github", script).stderr.splitlines()
    assert first.startswith(f"::warning file={script.replace(':', '%3A')},line=3,col=1,title=DiscardedUpdate::The result of")
    assert second.startswith("::error file=")
    html = perspicax("--format=html", script).stderr
    assert html.count('<pre class="perspicax-report"') == 2
    assert "BroadcastError" in html


def test_findings_are_errors_where_that_is_asked_for_and_may_be_caught(tmp_path: Path) -> None:
    script = program(tmp_path, """\
        import jax.numpy as jnp, perspicax
        x = jnp.ones(3)
        for method in ("add", "set"):
            try:
                if method == "add":
                    x.at[0].add(1.0)
                    print("not reached")
            except perspicax.sanitize.DiscardedUpdate as found:
                print("caught", found.target)
        x.at[0].set(2.0)
        print(x)
        """)
    done = perspicax("--sanitize=updates,error", script)
    assert done.stdout == "caught x\n"
    assert done.returncode == 1
    assert "DiscardedUpdate" in done.stderr


@pytest.mark.parametrize(("code", "status", "message"), [
    ("import sys; sys.exit(3)", 3, ""), ("raise SystemExit('stop')", 1, "stop\n"), ("import sys; sys.exit()", 0, ""),
])
def test_exit_status(code: str, status: int, message: str) -> None:
    done = perspicax("-c", code)
    assert (done.returncode, done.stderr) == (status, message)


def test_an_interrupt_ends_the_program_as_in_plain_python() -> None:
    code = ("import atexit, os, signal\natexit.register(print, 'at exit')\n"
            "signal.signal(signal.SIGINT, signal.default_int_handler)\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = perspicax("-c", code)
    assert done.returncode == -signal.SIGINT
    assert done.stdout == "at exit\n"
    assert done.stderr.splitlines()[0] == "Traceback (most recent call last):"
    assert done.stderr.splitlines()[-1] == "KeyboardInterrupt"
    assert "perspicax" not in done.stderr


def test_an_error_in_a_thread_is_shown_and_the_program_goes_on(tmp_path: Path) -> None:
    done = perspicax(program(tmp_path, """\
        import threading
        import jax.numpy as jnp

        def work():
            jnp.ones(3) + jnp.ones(4)

        thread = threading.Thread(target=work, name="worker")
        thread.start()
        thread.join()
        print("goes on")
        """))
    assert (done.returncode, done.stdout) == (0, "goes on\n")
    assert "Exception in thread worker" in done.stderr
    assert "BroadcastError: " in done.stderr
    assert "program.py:5" in done.stderr


CHILDREN = """\
import multiprocessing, sys, warnings

def work(n):
    import jax, jax.numpy as jnp
    x = jnp.ones(n)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        x.at[0].set(2.0)
    return jax.__name__, [type(w.message).__name__ for w in caught], float(x.sum())

if __name__ == "__main__":
    with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
        print(pool.map(work, [3]))
"""


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_children_stay_under_perspicax_and_its_sanitizers(tmp_path: Path, method: str) -> None:
    done = perspicax("--sanitize=updates", program(tmp_path, CHILDREN), method)
    assert done.stdout == "[('perspicax', ['DiscardedUpdate'], 3.0)]\n", done.stderr


def test_the_number_of_compilations_can_be_chosen(tmp_path: Path) -> None:
    script = program(tmp_path, """\
        import jax, jax.numpy as jnp
        f = jax.jit(lambda x: x.sum())
        for n in range(1, 5):
            f(jnp.ones(n))
        """)
    assert "compiled 3 times" in perspicax(script).stderr
    assert "compiled 2 times" in perspicax("--recompiles=1", script).stderr
    assert perspicax("--recompiles=4", script).stderr == ""
    assert perspicax("--sanitize=none", script).stderr == ""


def test_a_leak_is_told_when_the_trace_ends(tmp_path: Path) -> None:
    done = perspicax("--sanitize=leaks", program(tmp_path, """\
        import jax, jax.numpy as jnp
        kept = []
        def double(x):
            y = 2 * x
            kept.append(y)
            return y
        jax.jit(double)(jnp.ones(3))
        """))
    assert done.stderr.startswith("LeakedTracer: ")
    assert "program.py:5:" in done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(("arguments", "message"), [
    ([], "no program is named"), (["--sanitize=nan", "x.py"], "There is no sanitizer `nan`. Did you mean `nans`?"),
    (["--format=xml", "x.py"], "--format is one of"), (["--recompiles=many", "x.py"], "takes a number"),
    (["--what"], "there is no option --what"), (["nowhere.py"], "there is no file nowhere.py"), (["-m"], "-m needs a module"),
])
def test_a_command_line_that_is_not_understood(arguments: list[str], message: str) -> None:
    done = perspicax(*arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert done.stderr.startswith("usage: perspicax run")


def test_help() -> None:
    done = perspicax("--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--sanitize=NAMES" in done.stdout


def test_a_program_is_compiled_by_its_own_future_imports_alone(tmp_path: Path) -> None:
    source = "def f(x: int) -> None: ...\nprint(f.__annotations__['x'])\n"
    assert perspicax(program(tmp_path, source)).stdout == perspicax("-c", source).stdout == "<class 'int'>\n"
