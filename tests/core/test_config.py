"""Options: values, overrides by thread, checks, environment variables, and the state key."""
from __future__ import annotations

import copy
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from perspicax.core import config as module
from perspicax.core.config import (
    before_change,
    checking_leaks,
    config,
    debug_nans,
    default_device,
    default_matmul_precision,
    disable_jit,
    disable_x64,
    enable_x64,
    jit_disabled,
    log_compiles,
    make_user_context,
    numpy_rank_promotion,
    on_change,
    option_named,
    options,
    state_key,
    transfer_guard,
    transfer_guard_device_to_host,
    transfer_guard_host_to_device,
)
from perspicax.core.config_errors import (
    MissingOptionValueError,
    OptionAsConditionError,
    OptionAssignmentError,
    OptionValueError,
    OverrideNotActiveError,
    UnknownOptionError,
)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Leave the process-wide values as they were."""
    before = {name: option.process_value for name, option in options().items()}
    yield
    for name, value in before.items():
        options()[name].set_global(value)


def in_another_thread(call: Callable[[], Any]) -> Any:
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    thread.join()
    return results[0]


# --- reading and updating


def test_an_option_reads_the_same_by_attribute_by_read_in_values_and_by_its_object() -> None:
    config.update("jax_numpy_rank_promotion", "warn")
    assert config.jax_numpy_rank_promotion == "warn"
    assert config.read("jax_numpy_rank_promotion") == "warn"
    assert config.values["jax_numpy_rank_promotion"] == "warn"
    assert numpy_rank_promotion.value == "warn"


def test_x64_enabled_follows_the_option() -> None:
    with enable_x64(True):
        assert config.x64_enabled is True
    with disable_x64():
        assert config.x64_enabled is False


def test_dir_lists_every_option() -> None:
    assert set(options()) <= set(dir(config))


def test_an_unknown_name_is_an_attribute_error_with_near_names() -> None:
    with pytest.raises(AttributeError) as caught:
        config.update("jax_enable_x46", True)
    assert isinstance(caught.value, UnknownOptionError)
    assert caught.value.option == "jax_enable_x46"
    assert "jax_enable_x64" in caught.value.near
    with pytest.raises(UnknownOptionError):
        config.read("jax_nothing")
    with pytest.raises(UnknownOptionError):
        config.jax_nothing  # noqa: B018


def test_a_name_without_its_prefix_is_recognised() -> None:
    with pytest.raises(UnknownOptionError) as caught:
        config.update("debug_nans", True)
    assert caught.value.near[0] == "jax_debug_nans"


def test_assigning_an_attribute_says_how_to_update() -> None:
    with pytest.raises(OptionAssignmentError) as caught:
        config.jax_enable_x64 = True
    assert 'config.update("jax_enable_x64", True)' in str(caught.value)
    assert config.jax_enable_x64 is False


def test_config_copies_and_pickles_as_itself() -> None:
    assert copy.deepcopy(config) is config
    assert pickle.loads(pickle.dumps(config)) is config


@pytest.mark.parametrize(("name", "value", "stored"), [
    ("jax_enable_x64", 1, True),
    ("jax_enable_x64", 0, False),
    ("jax_enable_x64", None, False),
    ("jax_enable_x64", "True", True),
    ("jax_num_cpu_devices", 3, 3),
    ("jax_num_cpu_devices", None, None),
    ("jax_persistent_cache_min_compile_time_secs", 2, 2.0),
    ("jax_compilation_cache_dir", None, None),
    ("jax_default_matmul_precision", "BF16_BF16_F32", "BF16_BF16_F32"),
    ("jax_default_matmul_precision", None, None),
    ("jax_default_device", "cpu", "cpu"),
])
def test_values_are_converted(name: str, value: Any, stored: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(option_named(name), "_before", [])  # another test of this process may have started the devices
    config.update(name, value)
    assert config.read(name) == stored
    assert type(config.read(name)) is type(stored)


def test_a_path_may_name_a_folder(tmp_path: Any) -> None:
    config.update("jax_compilation_cache_dir", tmp_path)
    assert config.jax_compilation_cache_dir == str(tmp_path)


@pytest.mark.parametrize(("name", "value"), [
    ("jax_enable_x64", "False"),
    ("jax_enable_x64", ""),
    ("jax_enable_x64", [True]),
    ("jax_num_cpu_devices", "2"),
    ("jax_num_cpu_devices", 1.5),
    ("jax_num_cpu_devices", True),
    ("jax_persistent_cache_min_compile_time_secs", "1"),
    ("jax_compilation_cache_dir", 3),
    ("jax_numpy_dtype_promotion", "loose"),
    ("jax_numpy_dtype_promotion", None),
    ("jax_default_prng_impl", None),
    ("jax_default_device", "nowhere"),
    ("jax_default_device", 3),
])
def test_values_that_do_not_fit_are_refused_and_change_nothing(name: str, value: Any) -> None:
    before = config.read(name)
    with pytest.raises(OptionValueError) as caught:
        config.update(name, value)
    assert caught.value.option == name
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TypeError)
    assert config.read(name) == before
    with pytest.raises(OptionValueError):
        option_named(name)(value)


def test_a_misspelt_choice_is_recognised() -> None:
    with pytest.raises(OptionValueError) as caught:
        config.update("jax_default_matmul_precision", "hihgest")
    assert caught.value.suggestion == "'highest'"
    assert "'highest'" in str(caught.value)


# --- overrides


def test_overrides_nest_and_end_by_exceptions_too() -> None:
    with pytest.raises(KeyError), debug_nans(True):
        with debug_nans(False):
            assert config.jax_debug_nans is False
        assert config.jax_debug_nans is True
        raise KeyError
    assert config.jax_debug_nans is False


def test_an_override_holds_in_its_own_thread_only() -> None:
    with enable_x64(True):
        assert in_another_thread(lambda: enable_x64.value) is False
    config.update("jax_enable_x64", True)
    assert in_another_thread(lambda: enable_x64.value) is True


def test_an_update_inside_an_override_shows_when_it_ends() -> None:
    with enable_x64(False):
        config.update("jax_enable_x64", True)
        assert enable_x64.value is False
        assert enable_x64.get_global() is True
    assert enable_x64.value is True


def test_options_that_are_on_or_off_are_switched_on_without_a_value() -> None:
    with log_compiles():
        assert config.jax_log_compiles is True
    with checking_leaks():
        assert config.jax_check_tracer_leaks is True
    with disable_jit():
        assert jit_disabled.value is True
        with disable_jit(False):
            assert jit_disabled.value is False
    with pytest.raises(MissingOptionValueError) as caught:
        default_matmul_precision()
    assert isinstance(caught.value, TypeError)


def test_the_value_may_be_given_by_keyword() -> None:
    with numpy_rank_promotion(new_val="raise"):
        assert numpy_rank_promotion.value == "raise"


def test_an_override_decorates_functions_also_recursive_ones() -> None:
    @enable_x64(True)
    def depth(n: int) -> list[bool]:
        return [enable_x64.value] + (depth(n - 1) if n else [])

    assert depth(3) == [True] * 4
    assert enable_x64.value is False


def test_one_override_serves_again_and_within_itself() -> None:
    override = debug_nans(True)
    with override:
        with override:
            assert debug_nans.value is True
        assert debug_nans.value is True
    assert debug_nans.value is False
    with override:
        assert debug_nans.value is True
    assert debug_nans.value is False


def test_one_override_serves_several_threads_at_once() -> None:
    override = enable_x64(True)
    entered, leave = threading.Barrier(3), threading.Event()
    seen: list[bool] = []

    def work() -> None:
        with override:
            entered.wait()
            leave.wait()
            seen.append(enable_x64.value)
        seen.append(enable_x64.value)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait()
    assert enable_x64.value is False
    leave.set()
    for thread in threads:
        thread.join()
    assert sorted(seen) == [False, False, True, True]


def test_overrides_of_generators_may_end_in_any_order() -> None:
    def holding(value: str) -> Iterator[None]:
        with numpy_rank_promotion(value):
            yield

    first, second = holding("warn"), holding("raise")
    next(first)
    next(second)
    assert numpy_rank_promotion.value == "raise"
    next(first, None)
    assert numpy_rank_promotion.value == "raise"
    next(second, None)
    assert numpy_rank_promotion.value == "allow"


def test_leaving_an_override_in_another_thread_is_reported() -> None:
    override = enable_x64(True)

    def leave() -> Exception | None:
        try:
            override.__exit__(None, None, None)
        except OverrideNotActiveError as error:
            return error
        return None

    with override:
        assert isinstance(in_another_thread(leave), OverrideNotActiveError)
        assert enable_x64.value is True


def test_transfer_guard_sets_all_three_directions() -> None:
    with transfer_guard("disallow"):
        assert transfer_guard_host_to_device.value == "disallow"
        with transfer_guard_device_to_host("allow"):
            assert transfer_guard_device_to_host.value == "allow"
            assert transfer_guard_host_to_device.value == "disallow"
        assert transfer_guard_device_to_host.value == "disallow"
    assert transfer_guard_host_to_device.value is None
    config.update("jax_transfer_guard", "log")
    assert config.jax_transfer_guard_device_to_device == "log"


def test_an_option_is_no_condition() -> None:
    with pytest.raises(OptionAsConditionError, match=r"enable_x64\.value"):
        bool(enable_x64)


# --- the state key


def test_equal_states_have_one_key_and_different_ones_different_keys() -> None:
    plain = state_key()
    with enable_x64(True):
        wide = state_key()
        with default_matmul_precision("float32"):
            assert state_key() not in (plain, wide)
        assert state_key() is wide
    assert state_key() is plain
    config.update("jax_enable_x64", True)
    assert state_key() is wide
    config.update("jax_enable_x64", False)
    assert state_key() is plain


def test_options_without_effect_on_tracing_leave_the_key_alone() -> None:
    plain = state_key()
    with log_compiles(True), jit_disabled(True):
        assert state_key() is plain


@pytest.mark.parametrize("name", [name for name, option in options().items() if option.affects_tracing])
def test_every_option_that_affects_tracing_changes_the_key(name: str) -> None:
    option = option_named(name)
    others = {bool: [not option.value], int: [41], object: ["cpu"], str: list(option.choices or ["keys"])}[option.type]
    other = next(value for value in others if value != option.value)
    plain = state_key()
    with option(other):
        changed = state_key()
        assert changed is not plain
        assert f"{name}={other!r}" in repr(changed) or option.type is object
    assert state_key() is plain


def test_an_update_by_another_thread_changes_the_key_inside_an_override() -> None:
    with default_matmul_precision("high"):
        before = state_key()
        in_another_thread(lambda: config.update("jax_enable_x64", True))
        assert enable_x64.value is True
        assert state_key() is not before
        in_another_thread(lambda: config.update("jax_enable_x64", False))
        assert state_key() is before


def test_the_key_inside_an_override_is_that_of_this_thread_only() -> None:
    plain = state_key()
    with enable_x64(True):
        assert in_another_thread(state_key) is plain


def test_a_user_context_is_part_of_the_key_by_type_and_value() -> None:
    context = make_user_context(default_value=1)
    assert context.value == 1
    keys = []
    for value in (1, 1.0, True, "1"):
        with context(value):
            assert context.value is value
            keys.append(state_key())
    assert len(set(keys)) == 4
    assert keys[0] is state_key()
    context.set_global(7)
    assert context.get_global() == context.value == 7
    assert state_key() is not keys[0]
    with pytest.raises(TypeError):
        context([1])


def test_default_device_is_any_device_or_a_platform() -> None:
    class Device:
        platform = "cpu"

    device = Device()
    plain = state_key()
    with default_device(device):
        assert default_device.value is device
        assert state_key() is not plain
    with default_device(None):
        assert state_key() is plain


# --- hooks, definitions


def test_callbacks_hear_of_updates_after_they_hold() -> None:
    heard: list[tuple[Any, Any]] = []
    on_change("jax_random_seed_offset", lambda value: heard.append((value, config.jax_random_seed_offset)))
    config.update("jax_random_seed_offset", 5)
    with module.random_seed_offset(9):
        pass
    assert heard == [(5, 5)]


def test_a_check_may_refuse_an_update() -> None:
    def refuse(value: Any) -> None:
        if value == "refused":
            raise RuntimeError("too late")

    before_change("jax_platforms", refuse)
    config.update("jax_platforms", "cpu")
    with pytest.raises(RuntimeError, match="too late"):
        config.update("jax_platforms", "refused")
    assert config.jax_platforms == "cpu"


def test_every_option_says_what_it_does() -> None:
    assert [name for name, option in options().items() if not option.doc.endswith(".")] == []


def test_public_names_exist() -> None:
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


# --- environment and command line


def run(code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code, *arguments], env={**os.environ, **environment},
                          capture_output=True, text=True, timeout=120)


def test_environment_variables_are_read_at_import() -> None:
    code = "from perspicax.core.config import config as c; print(c.jax_enable_x64, c.jax_num_cpu_devices, " \
           "c.jax_default_matmul_precision, c.jax_persistent_cache_min_compile_time_secs, c.perspicax_traceback)"
    out = run(code, JAX_ENABLE_X64="Yes", JAX_NUM_CPU_DEVICES="2", JAX_DEFAULT_MATMUL_PRECISION="float32",
              JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS="0.5", PERSPICAX_TRACEBACK="full")
    assert out.stdout.split() == ["True", "2", "float32", "0.5", "full"], out.stderr


@pytest.mark.parametrize(("variable", "text"), [
    ("JAX_ENABLE_X64", "maybe"), ("JAX_ENABLE_X64", ""), ("JAX_NUM_CPU_DEVICES", "two"),
    ("JAX_DEFAULT_MATMUL_PRECISION", "hihgest"), ("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "x"),
])
def test_a_bad_environment_variable_is_named(variable: str, text: str) -> None:
    out = run("import perspicax.core.config", **{variable: text})
    assert out.returncode == 1
    assert "OptionValueError" in out.stderr
    assert variable in out.stderr
    assert repr(text) in out.stderr


def test_flags_of_absl_set_options() -> None:
    pytest.importorskip("absl")
    code = ("from perspicax.core.config import config as c; c.parse_flags_with_absl(); "
            "print(c.jax_enable_x64, c.jax_numpy_rank_promotion, c.jax_num_cpu_devices, c.jax_debug_nans)")
    out = run(code, "--jax_enable_x64", "--other=1", "--jax_numpy_rank_promotion=raise", "--jax_num_cpu_devices=3")
    assert out.stdout.split() == ["True", "raise", "3", "False"], out.stderr


def test_absl_apps_set_options() -> None:
    pytest.importorskip("absl")
    code = ("from absl import app; from perspicax.core.config import config as c; c.config_with_absl(); "
            "app.run(lambda argv: print(c.jax_enable_x64, c.jax_debug_nans))")
    out = run(code, "--jax_enable_x64", "--nojax_debug_nans")
    assert out.stdout.split() == ["True", "False"], out.stderr
