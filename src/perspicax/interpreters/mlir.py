"""Lowering rules of primitives: `jax.interpreters.mlir`."""
from perspicax.api.lowering import LoweringRuleContext as LoweringRuleContext
from perspicax.api.lowering import ModuleContext as ModuleContext
from perspicax.api.lowering import aval_to_ir_type as aval_to_ir_type
from perspicax.api.lowering import aval_to_ir_types as aval_to_ir_types
from perspicax.api.lowering import dense_int_array as dense_int_array
from perspicax.api.lowering import dense_int_elements as dense_int_elements
from perspicax.api.lowering import dtype_to_ir_type as dtype_to_ir_type
from perspicax.api.lowering import i32_attr as i32_attr
from perspicax.api.lowering import i64_attr as i64_attr
from perspicax.api.lowering import ir_constant as ir_constant
from perspicax.api.lowering import lower_fun as lower_fun
from perspicax.api.lowering import register_lowering as register_lowering
from perspicax.diagnose.facade import on_demand as _on_demand

__getattr__, __dir__ = _on_demand(
    __name__, names={"ir": "perspicax.binding.mlir"},
    absent=("AxisContext", "ConstantHandler", "LoweringParameters", "LoweringResult", "LoweringRule", "SPMDAxisContext",
            "ShapePolyLoweringState", "ShardingContext", "Token", "TokenSet", "core_call_lowering",
            "emit_python_callback", "flatten_ir_types", "flatten_ir_values", "ir_attribute", "ir_constants",
            "jaxpr_subcomp", "lower_jaxpr_to_fun", "lower_jaxpr_to_module", "lowerable_effects", "make_ir_context",
            "merge_mlir_modules", "module_to_bytecode", "module_to_string", "register_constant_handler", "shape_tensor",
            "token_type", "unflatten_ir_values_like_types"))

__all__ = [
    "LoweringRuleContext", "ModuleContext", "aval_to_ir_type", "aval_to_ir_types", "dense_int_array",
    "dense_int_elements", "dtype_to_ir_type", "i32_attr", "i64_attr", "ir_constant", "lower_fun", "register_lowering",
]
