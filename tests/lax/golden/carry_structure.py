import perspicax as jax


def body(state):
    return {"count": state["count"] + 1, "sum": state["total"] + state["count"]}


jax.lax.while_loop(lambda state: state["count"] < 10, body, {"count": 0, "total": 0.0})
