"""The options of Flax: `flax.config`, each read from the environment when Flax is imported."""
from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar

from perspicax.diagnose import public
from perspicax.flax.tree_errors import ConfigurationError

__all__ = [
    "TYPE_CHECKING", "Config", "FlagHolder", "bool_flag", "config", "flax_always_shard_variable", "flax_array_ref",
    "flax_filter_frames", "flax_fix_rng", "flax_hijax_variable", "flax_max_repr_depth", "flax_preserve_adopted_names",
    "flax_profile", "flax_pytree_module", "flax_return_frozendict", "flax_single_compact", "flax_use_flaxlib",
    "flax_use_orbax_checkpointing", "int_flag", "nnx_graph_mode", "nnx_graph_updates", "static_bool_env",
    "static_int_env",
]

T = TypeVar("T")

_TRUE = frozenset({"y", "yes", "t", "true", "on", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "0"})


class Config:
    """The values of all options: `config.flax_profile`. They change by `update` alone.

    Options are ordinary attributes of the object, so that reading one costs no more than that.
    """

    def __init__(self) -> None:
        self.__dict__["_helps"] = {}

    if TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any: ...

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise ConfigurationError(says=f"The option {name!r} cannot be set as an attribute.",
                                 why="`update` checks the name, so that a misspelt option is noticed",
                                 notes=(*_near(name, self),))

    def _add_option(self, name: str, default: Any, help: str = "") -> None:
        if name in self._helps:
            raise ConfigurationError(says=f"There is an option {name!r} already.")
        self._helps[name] = help
        self.__dict__[name] = default

    def _read(self, name: str) -> Any:
        if name not in self._helps:
            raise _unknown(name, self)
        return self.__dict__[name]

    @public
    def update(self, name_or_holder: Any, value: Any, /) -> None:
        """Change an option.

        Args:
            name_or_holder: its name (`"flax_return_frozendict"`), or what `bool_flag` returned.
            value: the new value.

        Raises:
            ConfigurationError: there is no such option.
        """
        name = name_or_holder.name if isinstance(name_or_holder, FlagHolder) else name_or_holder
        if name not in self._helps:
            raise _unknown(name, self)
        self.__dict__[name] = value

    @contextmanager
    def temp_flip_flag(self, var_name: str, var_value: Any) -> Iterator[None]:
        """Another value for an option, inside of a `with` block.

        Args:
            var_name: the option's name without `flax_`.
            var_value: the value to have in the block.

        Raises:
            ConfigurationError: there is no such option.
        """
        name = f"flax_{var_name}"
        before = self._read(name)
        self.__dict__[name] = var_value
        try:
            yield
        finally:
            self.__dict__[name] = before

    def __repr__(self) -> str:
        return f"Config(\n{''.join(f'  {name}={self.__dict__[name]!r},{chr(10)}' for name in self._helps)})"


class FlagHolder(Generic[T]):
    """One option, by which its value is read: `flax_profile.value`."""

    def __init__(self, name: str, help: str) -> None:
        self.name = name
        self.__doc__ = help

    def __bool__(self) -> NoReturn:
        raise ConfigurationError(says=f"The option `{self.name}` was used as a condition; its value is `{self.name}.value`.",
                                 why="the option itself is an object, which is always there")

    @property
    def value(self) -> T:
        """What it is set to now."""
        return config._read(self.name)


def _near(name: Any, options: Config) -> tuple[str, ...]:
    from difflib import get_close_matches  # only an error needs it

    near = get_close_matches(str(name), list(options._helps), 1)
    return (f"there is an option {near[0]!r}: config.update({near[0]!r}, ...).",) if near else ()


def _unknown(name: Any, options: Config) -> ConfigurationError:
    return ConfigurationError(says=f"Flax has no option {name!r}.", why="the options are listed by `print(flax.config)`",
                              notes=_near(name, options))


@public
def static_bool_env(varname: str, default: bool) -> bool:
    """What an environment variable says, as a truth value.

    Args:
        varname: the variable.
        default: the value where it is not set.

    Raises:
        ConfigurationError: it is neither y, yes, t, true, on, 1 nor n, no, f, false, off, 0, in any case.
    """
    text = os.environ.get(varname)
    if text is None:
        return default
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ConfigurationError(says=f"The environment variable {varname} is {text!r}, which is neither true nor false.",
                             why=f"it may be {', '.join(sorted(_TRUE))}; or {', '.join(sorted(_FALSE))}")


@public
def static_int_env(varname: str, default: int | None) -> int | None:
    """What an environment variable says, as an integer.

    Args:
        varname: the variable.
        default: the value where it is not set.

    Raises:
        ConfigurationError: it is no integer.
    """
    text = os.environ.get(varname)
    if text is None:
        return default
    try:
        return int(text)
    except ValueError:
        raise ConfigurationError(says=f"The environment variable {varname} is {text!r}, which is no integer.") from None


config = Config()


def bool_flag(name: str, *, default: bool, help: str) -> FlagHolder[bool]:
    """Add an option that is true or false; the environment variable of its name in capitals overrides the default."""
    config._add_option(name, static_bool_env(name.upper(), default), help)
    return FlagHolder(name, help)


def int_flag(name: str, *, default: int | None, help: str) -> FlagHolder[int]:
    """Add an option that is an integer; the environment variable of its name in capitals overrides the default."""
    config._add_option(name, static_int_env(name.upper(), default), help)
    return FlagHolder(name, help)


flax_filter_frames = bool_flag(
    "flax_filter_frames", default=True, help="Leave the frames of Flax out of tracebacks.")
flax_profile = bool_flag(
    "flax_profile", default=True, help="Run each method of a module in a `named_scope`, so that profiles show it.")
flax_use_orbax_checkpointing = bool_flag(
    "flax_use_orbax_checkpointing", default=True,
    help="Accepted; checkpoints are saved as Flax's own files, and those of Orbax are read.")
flax_preserve_adopted_names = bool_flag(
    "flax_preserve_adopted_names", default=False,
    help="A module that is made outside and assigned in `setup` keeps its own name in the tree of variables.")
flax_return_frozendict = bool_flag(
    "flax_return_frozendict", default=False, help="`init` and `apply` return variables as FrozenDict.")
flax_fix_rng = bool_flag(
    "flax_fix_rng_separator", default=False,
    help="Separate the names that are folded into random keys, so that ('a', 'bc') and ('ab', 'c') differ.")
flax_use_flaxlib = bool_flag("flax_use_flaxlib", default=False, help="Accepted; Perspicax has no compiled part for Flax.")
flax_array_ref = bool_flag("flax_array_ref", default=False, help="Accepted; it concerns NNX.")
flax_pytree_module = bool_flag("flax_pytree_module", default=True, help="Accepted; it concerns NNX.")
flax_max_repr_depth = int_flag("flax_max_repr_depth", default=None, help="How deep `repr` shows nested objects.")
flax_always_shard_variable = bool_flag(
    "flax_always_shard_variable", default=True, help="Accepted; it concerns NNX.")
flax_hijax_variable = bool_flag("flax_hijax_variable", default=False, help="Accepted; it concerns NNX.")
flax_single_compact = bool_flag(
    "flax_single_compact", default=False,
    help="Refuse modules with several compact methods. Differs: Flax 0.12.8 has no such option.")
nnx_graph_mode = bool_flag("nnx_graph_mode", default=True, help="Accepted; it concerns NNX.")
nnx_graph_updates = bool_flag("nnx_graph_updates", default=True, help="Accepted; it concerns NNX.")
