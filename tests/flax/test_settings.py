"""Options, ids, types of the interface, and the package itself."""
from __future__ import annotations

import copy
import subprocess
import sys

import numpy as np
import pytest

import perspicax as jax
import perspicax.flax as flax
import perspicax.numpy as jnp
from perspicax.flax import configurations, ids, traceback_util, typing
from perspicax.flax.configurations import config
from perspicax.flax.core import init
from perspicax.flax.tree_errors import ConfigurationError


def test_options_change_by_update_alone() -> None:
    assert config.flax_profile is True
    config.update("flax_profile", False)
    assert configurations.flax_profile.value is False
    config.update(configurations.flax_profile, True)
    with config.temp_flip_flag("profile", False):
        assert config.flax_profile is False
    assert config.flax_profile is True
    with pytest.raises(ConfigurationError, match="flax_profile"):
        config.flax_profil = False
    with pytest.raises(LookupError):
        config.update("flax_profil", False)
    with pytest.raises(TypeError):
        bool(configurations.flax_profile)


@pytest.mark.parametrize(("text", "value"), [("Yes", True), ("on", True), ("1", True), ("F", False), ("no", False)])
def test_environment_variables_say_yes_and_no(text: str, value: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAX_SOMETHING", text)
    assert configurations.static_bool_env("FLAX_SOMETHING", not value) is value


def test_environment_variables_that_say_neither_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert configurations.static_bool_env("FLAX_SOMETHING", True) is True
    assert configurations.static_int_env("FLAX_SOMETHING", None) is None
    monkeypatch.setenv("FLAX_SOMETHING", "maybe")
    for read in (lambda: configurations.static_bool_env("FLAX_SOMETHING", True),
                 lambda: configurations.static_int_env("FLAX_SOMETHING", 1)):
        with pytest.raises(ValueError, match="maybe"):
            read()
    monkeypatch.setenv("FLAX_SOMETHING", "12")
    assert configurations.static_int_env("FLAX_SOMETHING", 1) == 12


def test_ids_are_not_shared_by_copies() -> None:
    one = ids.uuid()
    assert one == one
    assert len({one, ids.uuid(), copy.copy(one), copy.deepcopy(one)}) == 4
    held = [one, one]
    again = copy.deepcopy(held)
    assert again[0] is again[1]


def test_sizes_are_added_and_shown() -> None:
    size = typing.SizeBytes.from_any({"a": jnp.ones((2, 3)), "b": jnp.ones(4, jnp.bfloat16), "c": "text"})
    assert (size.size, size.bytes) == (10, 32)
    assert repr(size + typing.SizeBytes(990, 3960)) == "1,000 (4.0 KB)"
    assert not typing.SizeBytes(0, 0)


def test_mappings_with_a_hash_regard_entries_alone() -> None:
    one = typing.HashableMapping({"a": 1, "b": 2})
    assert hash(one) == hash(typing.HashableMapping({"b": 2, "a": 1}))
    assert one.update({"c": 3}) == typing.HashableMapping({"a": 1, "b": 2, "c": 3})
    assert one != {"a": 1, "b": 2}


def test_settings_hold_inside_of_blocks() -> None:
    class Verbose(typing.BaseConfigContext):
        stack: list[bool] = []

        @classmethod
        def get_default(cls) -> bool:
            return False

        @classmethod
        def get_stack(cls) -> list[bool]:
            return cls.stack

    with Verbose(True):
        assert Verbose.current_value() is True
    assert Verbose(True)(Verbose.current_value)() is True
    assert Verbose.current_value() is False


def test_deques_are_pytrees() -> None:
    doubled = jax.tree.map(lambda x: 2 * x, typing.PytreeDeque([1, 2]))
    assert type(doubled) is typing.PytreeDeque
    assert list(doubled) == [2, 4]


def test_frames_of_flax_show_when_they_are_asked_for() -> None:
    def frames() -> list[str]:
        with pytest.raises(flax.errors.InvalidRngError) as error:
            init(lambda scope: 1)("no key")
        found, entry = [], error.value.__traceback__
        while entry is not None:
            found.append(entry.tb_frame.f_code.co_filename)
            entry = entry.tb_next
        return found

    assert not any("flax/core" in name for name in frames())
    traceback_util.show_flax_in_tracebacks()
    try:
        assert any("flax/core" in name for name in frames())
    finally:
        traceback_util.hide_flax_in_tracebacks()


def test_import_flax_means_perspicax_unless_told_otherwise() -> None:
    program = """
import perspicax.compat
perspicax.compat.install(flax={})
import flax
{}
"""
    ours = program.format(True, "import flax.core.frozen_dict, flax.cursor, perspicax.flax\n"
                          "from flax.core import FrozenDict, lift\nfrom flax import struct, traverse_util, errors\n"
                          "ours = perspicax.flax.core.FrozenDict\n"
                          "print(flax is perspicax.flax, flax.__version__, flax.core.FrozenDict is ours)")
    done = subprocess.run([sys.executable, "-c", ours], capture_output=True, text=True)
    assert done.stdout.split() == ["True", "0.12.8", "True"], done.stderr
    finder = "from perspicax.compat.finder import _finder\nprint(sorted(_finder.roots))"
    theirs = subprocess.run([sys.executable, "-c", program.format(False, finder).replace("import flax\n", "")],
                            capture_output=True, text=True)
    assert theirs.stdout.strip() == "['jax']", theirs.stderr


def test_arrays_count_as_what_has_a_shape_and_a_dtype() -> None:
    assert typing.has_shape_dtype(np.float32(1))
    assert not typing.has_shape_dtype(1)
    assert typing.is_key_like("a")
