"""`perspicax check`: what it reads, writes and returns."""
from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from perspicax.analyse.source.rules import RULES
from perspicax.cli.check import main

ROOT = Path(__file__).parents[2]
LOST = "import jax.numpy as jnp\n\n\ndef f(x):\n    x.at[0].set(1.0)\n    return x\n"
SOUND = "import jax.numpy as jnp\n\nprint(jnp.ones(3))\n"
BRANCH = "import jax\n\n\n@jax.jit\ndef f(x):\n    if x > 0:\n        return x\n    return -x\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    for name, text in (("lost.py", LOST), ("sound.py", SOUND), ("branch.py", BRANCH)):
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def test_the_exit_status_says_whether_something_was_found(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sound.py"]) == 0
    assert capsys.readouterr().out == "Nothing found in 1 file.\n"
    assert main(["sound.py", "lost.py"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("discarded-update: ") and "--> lost.py:5:5 in f" in out and out.endswith("1 problem in 2 files.\n")
    assert main(["missing.py"]) == 2
    assert "missing.py" in capsys.readouterr().err
    assert main(["--format=odd", "sound.py"]) == 2


def test_long_expressions_are_read_and_pythons_limit_of_recursion_is_left_as_it_was(
        folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limit = sys.getrecursionlimit()
    (folder / "long.py").write_text("x = " + " + ".join(["1"] * 1500) + "\n", encoding="utf-8")
    assert main(["long.py"]) == 0
    assert sys.getrecursionlimit() == limit


def test_folders_are_gone_through(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "inner" / "__pycache__").mkdir(parents=True)
    (folder / "inner" / "lost.py").write_text(LOST, encoding="utf-8")
    (folder / "inner" / "__pycache__" / "lost.py").write_text(LOST, encoding="utf-8")
    assert main(["."]) == 1
    assert capsys.readouterr().out.endswith("3 problems in 4 files.\n")


def test_json_has_rule_place_and_edits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format=json", "lost.py"]) == 1
    [problem] = json.loads(capsys.readouterr().out)
    assert (problem["rule"], problem["name"], problem["safe"]) == ("discarded-update", "DiscardedUpdate", True)
    assert (problem["primary"]["file"], problem["primary"]["line"], problem["primary"]["column"]) == ("lost.py", 5, 5)
    assert problem["fixes"][0]["edits"][0]["replacement"] == "x = x.at[0].set(1.0)"
    assert main(["--format=json", "sound.py"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_sarif_names_the_rules_and_the_places(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format=sarif", "lost.py", "branch.py"]) == 1
    log = json.loads(capsys.readouterr().out)
    assert log["version"] == "2.1.0"
    [run] = log["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(RULES)
    assert [(r["ruleId"], r["level"]) for r in run["results"]] == [("discarded-update", "warning"), ("traced-branch", "error")]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place == {"artifactLocation": {"uri": "lost.py"},
                     "region": {"startLine": 5, "startColumn": 5, "endLine": 5, "endColumn": 21}}


def test_github_gets_annotations(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--format=github", "branch.py"]) == 1
    out = capsys.readouterr().out
    assert out.startswith("::error file=branch.py,line=6,col=8,title=traced-branch (TracerBoolConversionError)::")


def test_rules_are_selected_and_ignored(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--select=traced", "lost.py", "branch.py"]) == 1
    assert capsys.readouterr().out.endswith("1 problem in 2 files.\n")
    assert main(["--ignore=traced-branch,DiscardedUpdate", "lost.py", "branch.py"]) == 0
    capsys.readouterr()
    assert main(["--select=traced-brunch", "lost.py"]) == 2
    assert "traced-branch" in capsys.readouterr().err


def test_fix_shows_a_diff_and_edits(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "lost.py").write_bytes(LOST.replace("\n", "\r\n").encode())
    (folder / "lost.py").chmod(0o640)
    assert main(["--diff", "lost.py"]) == 1
    assert "+    x = x.at[0].set(1.0)" in capsys.readouterr().out
    assert b"x = x" not in (folder / "lost.py").read_bytes()
    assert main(["--fix", "lost.py", "branch.py"]) == 1  # of a branch, the right edit is not known
    out = capsys.readouterr().out
    assert "-    x.at[0].set(1.0)\n+    x = x.at[0].set(1.0)\n" in out and out.endswith("1 problem in 2 files.\n")
    assert (folder / "lost.py").read_bytes() == LOST.replace("    x.at", "    x = x.at").replace("\n", "\r\n").encode()
    assert (folder / "lost.py").stat().st_mode & 0o777 == 0o640
    assert sorted(p.name for p in folder.iterdir()) == ["branch.py", "lost.py", "sound.py"]
    assert (folder / "branch.py").read_text(encoding="utf-8") == BRANCH


def test_nothing_of_the_program_is_run_or_imported_and_no_client_is_made(tmp_path: Path) -> None:
    (tmp_path / "jax.py").write_text("raise SystemExit('imported')", encoding="utf-8")
    (tmp_path / "program.py").write_text("import jax\nopen('ran', 'w')\n" + LOST, encoding="utf-8")
    code = ("import sys; from perspicax.cli.main import main; status = main(['check', 'program.py']); "
            "from perspicax.xla.client import _clients; print('clients:', len(_clients)); sys.exit(status)")
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "discarded-update" in done.stdout and done.stdout.endswith("clients: 0\n")
    assert not (tmp_path / "ran").exists()


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "lost.py").write_text(LOST.replace("    x.at[0].set(1.0)\n", "    x.at[0].set(1.0)\n" * 400), encoding="utf-8")
    command = [sys.executable, "-m", "perspicax", "check", "lost.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline().startswith(b"discarded-update")
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 1


def test_long_expressions_are_read(tmp_path: Path) -> None:
    (tmp_path / "long.py").write_text(LOST + "y = " + " + ".join(["1"] * 900) + "\n", encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "perspicax", "check", "--format=github", "long.py"], cwd=tmp_path,
                          capture_output=True, text=True)
    assert done.stderr == ""
    assert (done.returncode, done.stdout.count("::warning")) == (1, 1)


def test_the_page_on_check_lists_every_rule() -> None:
    page = (ROOT / "docs" / "check.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:4] for line in page.partition("## Rules")[2].splitlines() if line.startswith("| `")]
    listed = {row[0].strip().strip("`"): (row[1].strip(), row[2].strip().strip("`")) for row in rows}
    assert listed == {rule.id: (rule.about, rule.foresees) for rule in RULES.values()}
