"""The operations that everything is written with: `jax.lax`."""

from perspicax.diagnose.facade import on_demand as _on_demand
from perspicax.diagnose.facade import publish as _publish
from perspicax.lax import hook_table as _hook_table  # what transformations need of lax
from perspicax.lax.accuracy import AccuracyMode as AccuracyMode
from perspicax.lax.accuracy import Tolerance as Tolerance
from perspicax.lax.bitwise import and_p as and_p
from perspicax.lax.bitwise import bitwise_and as bitwise_and
from perspicax.lax.bitwise import bitwise_not as bitwise_not
from perspicax.lax.bitwise import bitwise_or as bitwise_or
from perspicax.lax.bitwise import bitwise_xor as bitwise_xor
from perspicax.lax.bitwise import clz as clz
from perspicax.lax.bitwise import clz_p as clz_p
from perspicax.lax.bitwise import not_p as not_p
from perspicax.lax.bitwise import or_p as or_p
from perspicax.lax.bitwise import population_count as population_count
from perspicax.lax.bitwise import population_count_p as population_count_p
from perspicax.lax.bitwise import shift_left as shift_left
from perspicax.lax.bitwise import shift_left_p as shift_left_p
from perspicax.lax.bitwise import shift_right_arithmetic as shift_right_arithmetic
from perspicax.lax.bitwise import shift_right_arithmetic_p as shift_right_arithmetic_p
from perspicax.lax.bitwise import shift_right_logical as shift_right_logical
from perspicax.lax.bitwise import shift_right_logical_p as shift_right_logical_p
from perspicax.lax.bitwise import xor_p as xor_p
from perspicax.lax.compare import clamp as clamp
from perspicax.lax.compare import clamp_p as clamp_p
from perspicax.lax.compare import eq as eq
from perspicax.lax.compare import eq_p as eq_p
from perspicax.lax.compare import eq_to_p as eq_to_p
from perspicax.lax.compare import ge as ge
from perspicax.lax.compare import ge_p as ge_p
from perspicax.lax.compare import gt as gt
from perspicax.lax.compare import gt_p as gt_p
from perspicax.lax.compare import is_finite as is_finite
from perspicax.lax.compare import is_finite_p as is_finite_p
from perspicax.lax.compare import le as le
from perspicax.lax.compare import le_p as le_p
from perspicax.lax.compare import le_to_p as le_to_p
from perspicax.lax.compare import lt as lt
from perspicax.lax.compare import lt_p as lt_p
from perspicax.lax.compare import lt_to_p as lt_to_p
from perspicax.lax.compare import ne as ne
from perspicax.lax.compare import ne_p as ne_p
from perspicax.lax.compare import nextafter as nextafter
from perspicax.lax.compare import nextafter_p as nextafter_p
from perspicax.lax.compare import select as select
from perspicax.lax.compare import select_n as select_n
from perspicax.lax.compare import select_n_p as select_n_p
from perspicax.lax.conv_dimensions import ConvDimensionNumbers as ConvDimensionNumbers
from perspicax.lax.conv_dimensions import conv_dimension_numbers as conv_dimension_numbers
from perspicax.lax.conv_dimensions import conv_general_permutations as conv_general_permutations
from perspicax.lax.conv_dimensions import padtype_to_pads as padtype_to_pads
from perspicax.lax.convert import bitcast_convert_type as bitcast_convert_type
from perspicax.lax.convert import bitcast_convert_type_p as bitcast_convert_type_p
from perspicax.lax.convert import complex as complex
from perspicax.lax.convert import complex_p as complex_p
from perspicax.lax.convert import conj as conj
from perspicax.lax.convert import conj_p as conj_p
from perspicax.lax.convert import convert_element_type as convert_element_type
from perspicax.lax.convert import convert_element_type_p as convert_element_type_p
from perspicax.lax.convert import imag as imag
from perspicax.lax.convert import imag_p as imag_p
from perspicax.lax.convert import real as real
from perspicax.lax.convert import real_p as real_p
from perspicax.lax.convert import reduce_precision as reduce_precision
from perspicax.lax.convert import reduce_precision_p as reduce_precision_p
from perspicax.lax.elementwise import RoundingMethod as RoundingMethod
from perspicax.lax.elementwise import abs as abs
from perspicax.lax.elementwise import abs_p as abs_p
from perspicax.lax.elementwise import add as add
from perspicax.lax.elementwise import add_p as add_p
from perspicax.lax.elementwise import cbrt as cbrt
from perspicax.lax.elementwise import cbrt_p as cbrt_p
from perspicax.lax.elementwise import ceil as ceil
from perspicax.lax.elementwise import ceil_p as ceil_p
from perspicax.lax.elementwise import div as div
from perspicax.lax.elementwise import div_p as div_p
from perspicax.lax.elementwise import floor as floor
from perspicax.lax.elementwise import floor_p as floor_p
from perspicax.lax.elementwise import integer_pow as integer_pow
from perspicax.lax.elementwise import integer_pow_p as integer_pow_p
from perspicax.lax.elementwise import log as log
from perspicax.lax.elementwise import log_p as log_p
from perspicax.lax.elementwise import max as max
from perspicax.lax.elementwise import max_p as max_p
from perspicax.lax.elementwise import min as min
from perspicax.lax.elementwise import min_p as min_p
from perspicax.lax.elementwise import mul as mul
from perspicax.lax.elementwise import mul_p as mul_p
from perspicax.lax.elementwise import mulhi as mulhi
from perspicax.lax.elementwise import mulhi_p as mulhi_p
from perspicax.lax.elementwise import neg as neg
from perspicax.lax.elementwise import neg_p as neg_p
from perspicax.lax.elementwise import pow as pow
from perspicax.lax.elementwise import pow_p as pow_p
from perspicax.lax.elementwise import reciprocal as reciprocal
from perspicax.lax.elementwise import rem as rem
from perspicax.lax.elementwise import rem_p as rem_p
from perspicax.lax.elementwise import round as round
from perspicax.lax.elementwise import round_p as round_p
from perspicax.lax.elementwise import rsqrt as rsqrt
from perspicax.lax.elementwise import rsqrt_p as rsqrt_p
from perspicax.lax.elementwise import sign as sign
from perspicax.lax.elementwise import sign_p as sign_p
from perspicax.lax.elementwise import sqrt as sqrt
from perspicax.lax.elementwise import sqrt_p as sqrt_p
from perspicax.lax.elementwise import square as square
from perspicax.lax.elementwise import square_p as square_p
from perspicax.lax.elementwise import sub as sub
from perspicax.lax.elementwise import sub_p as sub_p
from perspicax.lax.precision import DotAlgorithm as DotAlgorithm
from perspicax.lax.precision import DotAlgorithmPreset as DotAlgorithmPreset
from perspicax.lax.precision import Precision as Precision
from perspicax.lax.reductions import argmax as argmax
from perspicax.lax.reductions import argmax_p as argmax_p
from perspicax.lax.reductions import argmin as argmin
from perspicax.lax.reductions import argmin_p as argmin_p
from perspicax.lax.reductions import reduce_and as reduce_and
from perspicax.lax.reductions import reduce_and_p as reduce_and_p
from perspicax.lax.reductions import reduce_max as reduce_max
from perspicax.lax.reductions import reduce_max_p as reduce_max_p
from perspicax.lax.reductions import reduce_min as reduce_min
from perspicax.lax.reductions import reduce_min_p as reduce_min_p
from perspicax.lax.reductions import reduce_or as reduce_or
from perspicax.lax.reductions import reduce_or_p as reduce_or_p
from perspicax.lax.reductions import reduce_prod as reduce_prod
from perspicax.lax.reductions import reduce_prod_p as reduce_prod_p
from perspicax.lax.reductions import reduce_sum as reduce_sum
from perspicax.lax.reductions import reduce_sum_p as reduce_sum_p
from perspicax.lax.reductions import reduce_xor as reduce_xor
from perspicax.lax.reductions import reduce_xor_p as reduce_xor_p
from perspicax.lax.shape import broadcast as broadcast
from perspicax.lax.shape import broadcast_in_dim as broadcast_in_dim
from perspicax.lax.shape import broadcast_in_dim_p as broadcast_in_dim_p
from perspicax.lax.shape import broadcast_shapes as broadcast_shapes
from perspicax.lax.shape import broadcast_to_rank as broadcast_to_rank
from perspicax.lax.shape import broadcasted_iota as broadcasted_iota
from perspicax.lax.shape import concatenate as concatenate
from perspicax.lax.shape import concatenate_p as concatenate_p
from perspicax.lax.shape import expand_dims as expand_dims
from perspicax.lax.shape import iota as iota
from perspicax.lax.shape import iota_p as iota_p
from perspicax.lax.shape import pad as pad
from perspicax.lax.shape import pad_p as pad_p
from perspicax.lax.shape import reshape as reshape
from perspicax.lax.shape import reshape_p as reshape_p
from perspicax.lax.shape import rev as rev
from perspicax.lax.shape import rev_p as rev_p
from perspicax.lax.shape import split as split
from perspicax.lax.shape import split_p as split_p
from perspicax.lax.shape import squeeze as squeeze
from perspicax.lax.shape import squeeze_p as squeeze_p
from perspicax.lax.shape import transpose as transpose
from perspicax.lax.shape import transpose_p as transpose_p
from perspicax.lax.slicing import dynamic_index_in_dim as dynamic_index_in_dim
from perspicax.lax.slicing import dynamic_slice as dynamic_slice
from perspicax.lax.slicing import dynamic_slice_in_dim as dynamic_slice_in_dim
from perspicax.lax.slicing import dynamic_slice_p as dynamic_slice_p
from perspicax.lax.slicing import dynamic_update_index_in_dim as dynamic_update_index_in_dim
from perspicax.lax.slicing import dynamic_update_slice as dynamic_update_slice
from perspicax.lax.slicing import dynamic_update_slice_in_dim as dynamic_update_slice_in_dim
from perspicax.lax.slicing import dynamic_update_slice_p as dynamic_update_slice_p
from perspicax.lax.slicing import index_in_dim as index_in_dim
from perspicax.lax.slicing import slice as slice
from perspicax.lax.slicing import slice_in_dim as slice_in_dim
from perspicax.lax.slicing import slice_p as slice_p
from perspicax.lax.transcendental import acos as acos
from perspicax.lax.transcendental import acos_p as acos_p
from perspicax.lax.transcendental import acosh as acosh
from perspicax.lax.transcendental import acosh_p as acosh_p
from perspicax.lax.transcendental import asin as asin
from perspicax.lax.transcendental import asin_p as asin_p
from perspicax.lax.transcendental import asinh as asinh
from perspicax.lax.transcendental import asinh_p as asinh_p
from perspicax.lax.transcendental import atan as atan
from perspicax.lax.transcendental import atan2 as atan2
from perspicax.lax.transcendental import atan2_p as atan2_p
from perspicax.lax.transcendental import atan_p as atan_p
from perspicax.lax.transcendental import atanh as atanh
from perspicax.lax.transcendental import atanh_p as atanh_p
from perspicax.lax.transcendental import cos as cos
from perspicax.lax.transcendental import cos_p as cos_p
from perspicax.lax.transcendental import cosh as cosh
from perspicax.lax.transcendental import cosh_p as cosh_p
from perspicax.lax.transcendental import exp as exp
from perspicax.lax.transcendental import exp2 as exp2
from perspicax.lax.transcendental import exp2_p as exp2_p
from perspicax.lax.transcendental import exp_p as exp_p
from perspicax.lax.transcendental import expm1 as expm1
from perspicax.lax.transcendental import expm1_p as expm1_p
from perspicax.lax.transcendental import log1p as log1p
from perspicax.lax.transcendental import log1p_p as log1p_p
from perspicax.lax.transcendental import logistic as logistic
from perspicax.lax.transcendental import logistic_p as logistic_p
from perspicax.lax.transcendental import sin as sin
from perspicax.lax.transcendental import sin_p as sin_p
from perspicax.lax.transcendental import sinh as sinh
from perspicax.lax.transcendental import sinh_p as sinh_p
from perspicax.lax.transcendental import tan as tan
from perspicax.lax.transcendental import tan_p as tan_p
from perspicax.lax.transcendental import tanh as tanh
from perspicax.lax.transcendental import tanh_p as tanh_p

# These are named as files of this room are. They come last: from here on, the name means the function, and the file
# is reached by what it defines (`from perspicax.lax.reductions import reduce_sum`).
# isort: split
from perspicax.lax.contraction import dot as dot
from perspicax.lax.convolution import conv as conv
from perspicax.lax.gathering import gather as gather
from perspicax.lax.reduce_function import reduce as reduce
from perspicax.lax.scattering import scatter as scatter
from perspicax.lax.sorting import sort as sort

__getattr__, __dir__ = _on_demand(__name__, modules=("linalg",), published=True, names={
    "FftType": "perspicax.lax.fourier", "GatherDimensionNumbers": "perspicax.lax.gathering",
    "GatherScatterMode": "perspicax.lax.gathering", "RaggedDotDimensionNumbers": "perspicax.lax.ragged",
    "RandomAlgorithm": "perspicax.lax.hardware_random", "ScatterDimensionNumbers": "perspicax.lax.scattering",
    "after_all": "perspicax.lax.tokens", "after_all_p": "perspicax.lax.tokens",
    "all_gather": "perspicax.lax.collective_moves", "all_gather_p": "perspicax.lax.collective_moves",
    "all_to_all": "perspicax.lax.collective_moves", "all_to_all_p": "perspicax.lax.collective_moves",
    "approx_max_k": "perspicax.lax.approximate", "approx_min_k": "perspicax.lax.approximate",
    "approx_top_k_p": "perspicax.lax.approximate", "associative_scan": "perspicax.lax.associative",
    "axis_index": "perspicax.lax.collectives", "axis_index_p": "perspicax.lax.collectives",
    "axis_size": "perspicax.lax.collectives", "batch_matmul": "perspicax.lax.contraction",
    "bessel_i0e": "perspicax.lax.special", "bessel_i0e_p": "perspicax.lax.special",
    "bessel_i1e": "perspicax.lax.special", "bessel_i1e_p": "perspicax.lax.special",
    "betainc": "perspicax.lax.incomplete", "broadcast_like": "perspicax.lax.filling",
    "collapse": "perspicax.lax.filling", "composite": "perspicax.lax.composites", "cond": "perspicax.lax.branching",
    "cond_p": "perspicax.lax.branch_rules", "conv_general_dilated": "perspicax.lax.convolution",
    "conv_general_dilated_local": "perspicax.lax.conv_patches", "conv_general_dilated_p": "perspicax.lax.convolution",
    "conv_general_dilated_patches": "perspicax.lax.conv_patches",
    "conv_general_shape_tuple": "perspicax.lax.conv_patches", "conv_shape_tuple": "perspicax.lax.conv_patches",
    "conv_transpose": "perspicax.lax.convolution", "conv_transpose_shape_tuple": "perspicax.lax.conv_patches",
    "conv_with_general_padding": "perspicax.lax.convolution", "copy_p": "perspicax.lax.markers",
    "create_token": "perspicax.lax.tokens", "create_token_p": "perspicax.lax.tokens",
    "cumlogsumexp": "perspicax.lax.cumulative", "cumlogsumexp_p": "perspicax.lax.cumulative",
    "cummax": "perspicax.lax.cumulative", "cummax_p": "perspicax.lax.cumulative", "cummin": "perspicax.lax.cumulative",
    "cummin_p": "perspicax.lax.cumulative", "cumprod": "perspicax.lax.cumulative",
    "cumprod_p": "perspicax.lax.cumulative", "cumsum": "perspicax.lax.cumulative",
    "cumsum_p": "perspicax.lax.cumulative", "custom_linear_solve": "perspicax.lax.solving",
    "custom_root": "perspicax.lax.solving", "dce_sink": "perspicax.lax.markers", "dce_sink_p": "perspicax.lax.markers",
    "device_put_p": "perspicax.lax.placement", "digamma": "perspicax.lax.special", "digamma_p": "perspicax.lax.special",
    "dot_general": "perspicax.lax.contraction", "dot_general_p": "perspicax.lax.contraction",
    "dtype": "perspicax.lax.filling", "empty": "perspicax.lax.filling", "erf": "perspicax.lax.special",
    "erf_inv": "perspicax.lax.special", "erf_inv_p": "perspicax.lax.special", "erf_p": "perspicax.lax.special",
    "erfc": "perspicax.lax.special", "erfc_p": "perspicax.lax.special", "fft": "perspicax.lax.fourier",
    "fft_p": "perspicax.lax.fourier", "fori_loop": "perspicax.lax.loops", "full": "perspicax.lax.filling",
    "full_like": "perspicax.lax.filling", "gather_p": "perspicax.lax.gathering", "igamma": "perspicax.lax.incomplete",
    "igamma_grad_a": "perspicax.lax.incomplete", "igamma_grad_a_p": "perspicax.lax.incomplete",
    "igamma_p": "perspicax.lax.incomplete", "igammac": "perspicax.lax.incomplete",
    "igammac_p": "perspicax.lax.incomplete", "index_take": "perspicax.lax.taking", "lgamma": "perspicax.lax.special",
    "lgamma_p": "perspicax.lax.special", "linear_solve_p": "perspicax.lax.solving", "map": "perspicax.lax.loops",
    "optimization_barrier": "perspicax.lax.markers", "optimization_barrier_p": "perspicax.lax.markers",
    "pbroadcast": "perspicax.lax.collective_moves", "pcast": "perspicax.lax.collectives",
    "platform_dependent": "perspicax.lax.platforms", "pmax": "perspicax.lax.collectives",
    "pmax_p": "perspicax.lax.collectives", "pmean": "perspicax.lax.collectives", "pmin": "perspicax.lax.collectives",
    "pmin_p": "perspicax.lax.collectives", "polygamma": "perspicax.lax.special", "polygamma_p": "perspicax.lax.special",
    "ppermute": "perspicax.lax.collective_moves", "ppermute_p": "perspicax.lax.collective_moves",
    "precv": "perspicax.lax.point_to_point", "psend": "perspicax.lax.point_to_point",
    "ragged_all_to_all": "perspicax.lax.ragged_exchange", "ragged_all_to_all_p": "perspicax.lax.ragged_exchange",
    "pshuffle": "perspicax.lax.collective_moves", "psum": "perspicax.lax.collectives",
    "psum_p": "perspicax.lax.collectives", "psum_scatter": "perspicax.lax.collective_moves",
    "pswapaxes": "perspicax.lax.collective_moves", "ragged_dot": "perspicax.lax.ragged",
    "ragged_dot_general": "perspicax.lax.ragged", "random_gamma_grad": "perspicax.lax.incomplete",
    "reduce_p": "perspicax.lax.reduce_function", "reduce_window": "perspicax.lax.window",
    "reduce_window_max_p": "perspicax.lax.window", "reduce_window_min_p": "perspicax.lax.window",
    "reduce_window_p": "perspicax.lax.window", "reduce_window_shape_tuple": "perspicax.lax.conv_patches",
    "reduce_window_sum_p": "perspicax.lax.window", "regularized_incomplete_beta_p": "perspicax.lax.incomplete",
    "rng_bit_generator": "perspicax.lax.hardware_random", "rng_bit_generator_p": "perspicax.lax.hardware_random",
    "rng_uniform": "perspicax.lax.hardware_random", "rng_uniform_p": "perspicax.lax.hardware_random",
    "scaled_dot": "perspicax.lax.scaled", "scan": "perspicax.lax.loops", "scan_p": "perspicax.lax.scanning",
    "scatter_add": "perspicax.lax.scattering", "scatter_add_p": "perspicax.lax.scattering",
    "scatter_apply": "perspicax.lax.scattering", "scatter_max": "perspicax.lax.scattering",
    "scatter_max_p": "perspicax.lax.scattering", "scatter_min": "perspicax.lax.scattering",
    "scatter_min_p": "perspicax.lax.scattering", "scatter_mul": "perspicax.lax.scattering",
    "scatter_mul_p": "perspicax.lax.scattering", "scatter_p": "perspicax.lax.scattering",
    "scatter_sub": "perspicax.lax.scattering", "scatter_sub_p": "perspicax.lax.scattering",
    "select_and_gather_add_p": "perspicax.lax.window", "select_and_scatter_add_p": "perspicax.lax.window",
    "select_and_scatter_p": "perspicax.lax.select_scatter", "shape_as_value": "perspicax.lax.filling",
    "sharding_constraint_p": "perspicax.lax.constraints", "with_sharding_constraint": "perspicax.lax.constraints",
    "sort_key_val": "perspicax.lax.sorting", "sort_p": "perspicax.lax.sorting", "stack": "perspicax.lax.stacking",
    "stack_p": "perspicax.lax.stacking", "stage": "perspicax.lax.markers",
    "stage_p": "perspicax.lax.markers", "stop_gradient": "perspicax.lax.markers",
    "stop_gradient_p": "perspicax.lax.markers", "switch": "perspicax.lax.branching", "tile": "perspicax.lax.stacking",
    "tile_p": "perspicax.lax.stacking", "top_k": "perspicax.lax.sorting", "top_k_p": "perspicax.lax.sorting",
    "unstack": "perspicax.lax.stacking", "unstack_p": "perspicax.lax.stacking",
    "while_loop": "perspicax.lax.while_loops", "while_p": "perspicax.lax.while_loops", "zeta": "perspicax.lax.special",
    "zeta_p": "perspicax.lax.special",
})

__all__ = [
    "AccuracyMode", "ConvDimensionNumbers", "DotAlgorithm", "DotAlgorithmPreset", "FftType", "GatherDimensionNumbers",
    "GatherScatterMode", "Precision", "RaggedDotDimensionNumbers", "RandomAlgorithm", "RoundingMethod",
    "ScatterDimensionNumbers", "Tolerance", "abs", "abs_p", "acos", "acos_p", "acosh", "acosh_p", "add", "add_p",
    "after_all", "after_all_p", "all_gather", "all_gather_p", "all_to_all", "all_to_all_p", "and_p", "approx_max_k",
    "approx_min_k", "approx_top_k_p", "argmax", "argmax_p", "argmin", "argmin_p", "asin", "asin_p", "asinh", "asinh_p",
    "associative_scan", "atan", "atan2", "atan2_p", "atan_p", "atanh", "atanh_p", "axis_index", "axis_index_p",
    "axis_size", "batch_matmul", "bessel_i0e", "bessel_i0e_p", "bessel_i1e", "bessel_i1e_p", "betainc",
    "bitcast_convert_type", "bitcast_convert_type_p", "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor",
    "broadcast", "broadcast_in_dim", "broadcast_in_dim_p", "broadcast_like", "broadcast_shapes", "broadcast_to_rank",
    "broadcasted_iota", "cbrt", "cbrt_p", "ceil", "ceil_p", "clamp", "clamp_p", "clz", "clz_p", "collapse", "complex",
    "complex_p", "composite", "concatenate", "concatenate_p", "cond", "cond_p", "conj", "conj_p", "conv",
    "conv_dimension_numbers", "conv_general_dilated", "conv_general_dilated_local", "conv_general_dilated_p",
    "conv_general_dilated_patches", "conv_general_permutations", "conv_general_shape_tuple", "conv_shape_tuple",
    "conv_transpose", "conv_transpose_shape_tuple", "conv_with_general_padding", "convert_element_type",
    "convert_element_type_p", "copy_p", "cos", "cos_p", "cosh", "cosh_p", "create_token", "create_token_p",
    "cumlogsumexp", "cumlogsumexp_p", "cummax", "cummax_p", "cummin", "cummin_p", "cumprod", "cumprod_p", "cumsum",
    "cumsum_p", "custom_linear_solve", "custom_root", "dce_sink", "dce_sink_p", "device_put_p", "digamma", "digamma_p",
    "div", "div_p", "dot", "dot_general", "dot_general_p", "dtype", "dynamic_index_in_dim", "dynamic_slice",
    "dynamic_slice_in_dim", "dynamic_slice_p", "dynamic_update_index_in_dim", "dynamic_update_slice",
    "dynamic_update_slice_in_dim", "dynamic_update_slice_p", "empty", "eq", "eq_p", "eq_to_p", "erf", "erf_inv",
    "erf_inv_p", "erf_p", "erfc", "erfc_p", "exp", "exp2", "exp2_p", "exp_p", "expand_dims", "expm1", "expm1_p", "fft",
    "fft_p", "floor", "floor_p", "fori_loop", "full", "full_like", "gather", "gather_p", "ge", "ge_p", "gt", "gt_p",
    "igamma", "igamma_grad_a", "igamma_grad_a_p", "igamma_p", "igammac", "igammac_p", "imag", "imag_p", "index_in_dim",
    "index_take", "integer_pow", "integer_pow_p", "iota", "iota_p", "is_finite", "is_finite_p", "le", "le_p", "le_to_p",
    "lgamma", "lgamma_p", "linear_solve_p", "log", "log1p", "log1p_p", "log_p", "logistic", "logistic_p", "lt", "lt_p",
    "lt_to_p", "map", "max", "max_p", "min", "min_p", "mul", "mul_p", "mulhi", "mulhi_p", "ne", "ne_p", "neg", "neg_p",
    "nextafter", "nextafter_p", "not_p", "optimization_barrier", "optimization_barrier_p", "or_p", "pad", "pad_p",
    "padtype_to_pads", "pbroadcast", "pcast", "platform_dependent", "pmax", "pmax_p", "pmean", "pmin", "pmin_p",
    "polygamma", "polygamma_p", "population_count", "population_count_p", "pow", "pow_p", "ppermute", "ppermute_p",
    "precv", "psend", "pshuffle", "psum", "psum_p", "psum_scatter", "pswapaxes", "ragged_all_to_all", "ragged_all_to_all_p",
    "ragged_dot", "ragged_dot_general", "random_gamma_grad",
    "real", "real_p", "reciprocal", "reduce", "reduce_and", "reduce_and_p", "reduce_max", "reduce_max_p", "reduce_min",
    "reduce_min_p", "reduce_or", "reduce_or_p", "reduce_p", "reduce_precision", "reduce_precision_p", "reduce_prod",
    "reduce_prod_p", "reduce_sum", "reduce_sum_p", "reduce_window", "reduce_window_max_p", "reduce_window_min_p",
    "reduce_window_p", "reduce_window_shape_tuple", "reduce_window_sum_p", "reduce_xor", "reduce_xor_p",
    "regularized_incomplete_beta_p", "rem", "rem_p", "reshape", "reshape_p", "rev", "rev_p", "rng_bit_generator",
    "rng_bit_generator_p", "rng_uniform", "rng_uniform_p", "round", "round_p", "rsqrt", "rsqrt_p", "scaled_dot", "scan",
    "scan_p", "scatter", "scatter_add", "scatter_add_p", "scatter_apply", "scatter_max", "scatter_max_p", "scatter_min",
    "scatter_min_p", "scatter_mul", "scatter_mul_p", "scatter_p", "scatter_sub", "scatter_sub_p", "select",
    "select_and_gather_add_p", "select_and_scatter_add_p", "select_and_scatter_p", "select_n", "select_n_p",
    "shape_as_value", "sharding_constraint_p",
    "shift_left", "shift_left_p", "shift_right_arithmetic", "shift_right_arithmetic_p",
    "shift_right_logical", "shift_right_logical_p", "sign", "sign_p", "sin", "sin_p", "sinh", "sinh_p", "slice",
    "slice_in_dim", "slice_p", "sort", "sort_key_val", "sort_p", "split", "split_p", "sqrt", "sqrt_p", "square",
    "square_p", "squeeze", "squeeze_p", "stack", "stack_p", "stage", "stage_p", "stop_gradient", "stop_gradient_p",
    "sub", "sub_p", "switch", "tan", "tan_p", "tanh", "tanh_p", "tile", "tile_p", "top_k", "top_k_p", "transpose",
    "transpose_p", "unstack", "unstack_p", "while_loop", "while_p", "with_sharding_constraint", "xor_p", "zeta", "zeta_p",
]

_publish(__name__)
