import perspicax as jax


def solution(b):
    return jax.lax.custom_linear_solve(lambda x: 2 * x, b, lambda matvec, b: b / 2)


jax.grad(solution)(1.0)
