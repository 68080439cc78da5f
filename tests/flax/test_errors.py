"""The errors of Flax: classes, fields, positional signatures, pickles and texts."""
from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest

from perspicax.flax import errors
from perspicax.flax.linen import errors as linen_errors

# Each class with arguments as its documentation gives them, the fields that these become, and what the text must name.
CASES: list[tuple[str, tuple[Any, ...], dict[str, Any], tuple[str, ...]]] = [
    ("AlreadyExistsError", ("a/b",), {"path": "a/b"}, ("a/b",)),
    ("ApplyModuleInvalidMethodError", ("encod",), {"method": "encod"}, ("encod",)),
    ("ApplyScopeInvalidVariablesStructureError", ({"params": {"params": {"w": 1}}},), {}, ("'w'",)),
    ("ApplyScopeInvalidVariablesTypeError", (), {}, ("dict",)),
    ("AssignSubModuleError", ("Dense",), {"cls": "Dense"}, ("Dense", "compact")),
    ("CallCompactUnboundModuleError", (), {}, ("apply",)),
    ("CallSetupUnboundModuleError", (), {}, ("setup",)),
    ("CallShareScopeOnUnboundModuleError", (), {}, ("scope",)),
    ("CallUnbindOnUnboundModuleError", (), {}, ("bind",)),
    ("CursorFindError", (), {"paths": ()}, ("no place",)),
    ("DescriptorAttributeError", (), {}, ("property",)),
    ("ImmutableVariableError", ("it is constant",), {"message": "it is constant"}, ("it is constant",)),
    ("IncorrectPostInitOverrideError", (), {}, ("super().__post_init__()",)),
    ("InvalidCheckpointError", ("a/b", 3), {"path": "a/b", "step": 3}, ("a/b", "3")),
    ("InvalidFilterError", (1.5,), {"filter_like": 1.5}, ("1.5",)),
    ("InvalidInstanceModuleError", (), {}, ("class",)),
    ("InvalidRngError", ("no key for dropout",), {"msg": "no key for dropout"}, ("no key for dropout",)),
    ("InvalidScopeError", ("layer",), {"scope_name": "layer"}, ("layer",)),
    ("JaxTransformError", (), {}, ("nn.jit",)),
    ("LazyInitError", (5,), {"partial_val": 5}, ("shape",)),
    ("MPACheckpointingRequiredError", ("a/b", 3), {"path": "a/b", "step": 3}, ("a/b", "3")),
    ("MPARestoreDataCorruptedError", (3, "a/b"), {"path": "a/b", "step": 3}, ("a/b", "3")),
    ("MPARestoreTargetRequiredError", ("a/b", 3, "w"), {"path": "a/b", "step": 3, "key": "w"}, ("a/b", "3", "'w'")),
    ("ModifyScopeVariableError", ("stats", "mean", "/Norm_0"), {"col": "stats", "variable_name": "mean"},
     ("stats['Norm_0']['mean']",)),
    ("MultipleMethodsCompactError", (), {}, ("compact",)),
    ("NameInUseError", ("param", "w", "Net"), {"key_type": "param", "value": "w", "module_name": "Net"}, ("'w'", "Net")),
    ("PartitioningUnspecifiedError", ("w",), {"target": "w"}, ("metadata_params",)),
    ("ReservedModuleAttributeError", ({"name": int},), {}, ("'name'",)),
    ("ScopeCollectionNotFound", ("stats", "mean", "/Norm_0"), {"col_name": "stats", "var_name": "mean"},
     ("stats['Norm_0']['mean']",)),
    ("ScopeParamNotFoundError", ("w", "/a/b"), {"param_name": "w", "scope_path": "/a/b"}, ("params['a']['b']['w']",)),
    ("ScopeParamShapeError", ("w", "/a", (2, 3), (2, 4)), {"value_shape": (2, 3), "init_shape": (2, 4)},
     ("params['a']['w']", "[2, 3]", "[2, 4]", "axis 1")),
    ("ScopeVariableNotFoundError", ("mean", "stats", "/Norm_0"), {"name": "mean", "col": "stats"},
     ("stats['Norm_0']['mean']",)),
    ("SetAttributeFrozenModuleError", ("Net", "size", 3), {"attr_name": "size", "attr_val": 3}, ("Net", "size")),
    ("SetAttributeInModuleSetupError", (), {}, ("setup",)),
    ("TraceContextError", ("of another trace",), {"message": "of another trace"}, ("of another trace",)),
    ("TransformTargetError", (5,), {"target": 5}, ("int",)),
    ("TransformedMethodReturnValueError", ("encode",), {"name": "encode"}, ("encode",)),
    ("TraverseTreeError", (None, None), {"update_fn": None, "cond_fn": None}, ("neither",)),
]
IDS = [case[0] for case in CASES]


def test_every_public_class_is_in_the_table() -> None:
    assert sorted([*IDS, "FlaxError"]) == sorted(errors.__all__)


@pytest.mark.parametrize(("name", "args", "fields", "words"), CASES, ids=IDS)
def test_a_class_takes_its_documented_arguments(name: str, args: tuple, fields: dict[str, Any], words: tuple[str, ...]) -> None:
    error = getattr(errors, name)(*args)
    assert isinstance(error, errors.FlaxError)
    assert {field: getattr(error, field) for field in fields} == fields
    text = " ".join(str(error).split())
    assert [word for word in words if word not in text] == []
    assert "fault of Perspicax" not in text


@pytest.mark.parametrize(("name", "args", "fields", "words"), CASES, ids=IDS)
def test_an_error_survives_pickling_and_copying(name: str, args: tuple, fields: dict[str, Any], words: tuple[str, ...]) -> None:
    error = getattr(errors, name)(*args)
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(other) is type(error)
        assert str(other) == str(error)
        assert {field: getattr(other, field) for field in fields} == fields


def test_a_library_may_raise_flax_error_with_a_text() -> None:
    assert str(errors.FlaxError("no such layer")).startswith("no such layer")


def test_names_of_transformations_are_left_out_of_paths() -> None:
    error = errors.ScopeParamNotFoundError("w", "/vmap(jit(layer))/inner", known=("v", "ww"))
    assert "params['layer']['inner']['w']" in str(error)
    assert "did you mean 'ww'?" in str(error)


def test_a_module_at_a_capital_name_keeps_it() -> None:
    error = errors.InvalidRngError("", kind="missing", name="dropout", scope_path="/Dropout_0", given=("dropot",))
    assert str(error).startswith("The module at `Dropout_0` needs a random key from the stream 'dropout'")
    assert "'dropot' was passed: did you mean 'dropout'?" in str(error)


def test_every_class_has_a_golden_report() -> None:
    folder = Path(__file__).parent / "golden"
    shown = {path.read_text(encoding="utf-8").partition(":")[0] for path in folder.glob("*.txt")}
    # `method="encod"` is also an AttributeError, as in Flax: a subclass says so.
    kinds = {base.__name__ for name in shown for base in getattr(errors, name, getattr(linen_errors, name, object)).__mro__}
    assert sorted({*IDS} - shown - kinds) == []
