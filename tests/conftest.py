"""What holds for every test, set before anything is imported that reads it: XLA reads its flags only once."""

import importlib.util
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

HERE = Path(__file__).parent

collect_ignore_glob = ["*/golden/*"]  # programs that fail, on purpose

# A test must not depend on what the developer has set for his own programs. `PERSPICAX_ACCEPT` (write golden files)
# and `PERSPICAX_TEST_*`, `PERSPICAX_KILLS` (how to test) are meant for the tests and stay.
for _name in list(os.environ):
    if _name.startswith("JAX_") or _name in ("PERSPICAX_CACHE", "PERSPICAX_TRACEBACK", "XLA_FLAGS"):
        del os.environ[_name]

# The cache of compiled programs is this process's own: with `pytest -n`, each worker has one.
SCRATCH = Path(tempfile.mkdtemp(prefix="perspicax-tests-"))
os.environ["PERSPICAX_CACHE_DIR"] = str(SCRATCH / "cache")

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"
# A hook for quick runs, e.g. `--xla_backend_optimization_level=0`. It is empty by default since it holds for the whole
# process, and tests of bits, ulps, random streams and of the cache need XLA's own level.
if _flags := os.environ.get("PERSPICAX_TEST_XLA_FLAGS"):
    os.environ["XLA_FLAGS"] = _flags

# The time of one example says more about the neighbours than about the code; CI draws the same examples each time.
settings.register_profile("perspicax", deadline=None, derandomize="CI" in os.environ, print_blob=True)
settings.load_profile("perspicax")

HAVE_ORACLE = importlib.util.find_spec("jax") is not None


def pytest_report_header() -> str:
    return "oracle: real JAX" if HAVE_ORACLE else "oracle: JAX is not installed, so tests/oracle is left out"


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out `tests/oracle` where JAX is missing: its files import it."""
    return True if not HAVE_ORACLE and collection_path.is_relative_to(HERE / "oracle") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All of `tests/oracle` needs the oracle; elsewhere a test that does is marked so, and is skipped without it."""
    for item in items:
        if item.path.is_relative_to(HERE / "oracle"):
            item.add_marker(pytest.mark.oracle)
        if not HAVE_ORACLE and item.get_closest_marker("oracle"):
            item.add_marker(pytest.mark.skip(reason="JAX is not installed"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Each worker has a half of the tests in their order: what the tests of a file share is made once, not in each worker."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_unconfigure() -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)
