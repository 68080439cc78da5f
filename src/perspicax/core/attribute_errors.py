"""What can go wrong with attributes of arrays."""
from __future__ import annotations

from typing import Any

from perspicax.diagnose.errors import PerspicaxError
from perspicax.diagnose.report import Fix, Report

_ELSEWHERE = {  # methods of arrays of other libraries, and of lists: what does the same here
    "append": ("make a longer array", "jnp.append({x}, value)"),
    "assign": ("make a new array", "{x}.at[...].set(value)"),
    "backward": ("differentiate a function of it", "jax.grad(f)({x})"),
    "cpu": ("bring it to the host", "jax.device_get({x})"),
    "cuda": ("move it to a device", "jax.device_put({x}, jax.devices('gpu')[0])"),
    "detach": ("let no gradient through", "jax.lax.stop_gradient({x})"),
    "fill": ("make a new array", "jnp.full_like({x}, value)"),
    "numpy": ("make a NumPy array of it", "np.asarray({x})"),
    "put": ("make a new array", "{x}.at[index].set(value)"),
    "requires_grad": ("differentiate a function of it", "jax.grad(f)({x})"),
    "resize": ("make a new array", "jnp.resize({x}, shape)"),
    "softmax": ("it is a function", "jax.nn.softmax({x})"),
    "to": ("move it to a device, or change its dtype by `astype`", "jax.device_put({x}, device)"),
    "unsqueeze": ("add an axis", "jnp.expand_dims({x}, axis)"),
}


class ArrayAttributeError(PerspicaxError, AttributeError):
    """An array was asked for an attribute that it does not have.

    Attributes:
        attribute: its name.
        type_text: the type of the array.
        place: whether arrays have it, but none that is traced.
    """

    attribute: str
    type_text: str = ""
    place: bool = False

    def __init__(self, *args: Any, **fields: Any) -> None:
        super().__init__(*args, **fields)
        AttributeError.__init__(self)
        self.name = fields.get("attribute", "")  # else Python notes it, and with it the array, which would count as leaked

    @property
    def report(self) -> Report:
        of = f"a {self.type_text}" if self.type_text else "an array"
        if self.place:
            return Report(
                says=f"`{self.attribute}` is asked of {of} that is being traced.",
                why="a traced value is a placeholder: it has a shape and a dtype, but is in no memory and on no device yet",
                fixes=(Fix("ask the arguments before the call, or the result after it"),))
        from difflib import get_close_matches  # here: for weight

        from perspicax.core.array import Array

        elsewhere = _ELSEWHERE.get(self.attribute.rstrip("_"))
        fixes: tuple[Fix, ...] = ()
        if elsewhere is not None:
            fixes = (Fix(elsewhere[0], code=elsewhere[1].format(x=_asked(self.position, self.attribute))),)
        else:
            near = get_close_matches(self.attribute, [n for n in dir(Array) if not n.startswith("_")], 2, 0.7)
            fixes = tuple(Fix("the name is nearly that of an attribute", code=f".{n}") for n in near)
        return Report(
            says=f"Arrays have no attribute `{self.attribute}`.",
            why=f"it was asked of {of}; the attributes of an array are those of JAX's, which has most of NumPy's, but none "
                "that change the array",
            fixes=fixes)


def _asked(position: Any, attribute: str) -> str:
    """The expression whose attribute was asked for, as the user wrote it."""
    from perspicax.diagnose.expression import located  # only a report needs it

    found = located(position)
    text = found.text if found is not None else ""
    for end in (f".{attribute}", f".{attribute}()"):
        if text.endswith(end):
            return text.removesuffix(end)
    return "x"
