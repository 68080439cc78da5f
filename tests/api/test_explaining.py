"""`explain_value`: the expressions that a traced value was computed from."""
from __future__ import annotations

import perspicax as px
import perspicax.numpy as jnp
from perspicax.api.explaining import History, Node, explain_value


def names(node: Node) -> list[str]:
    return [node.text, *[text for operand in node.operands for text in names(operand)]]


def test_a_value_is_told_by_its_expressions_back_to_the_arguments() -> None:
    kept: list[History] = []

    @px.jit
    def f(params: dict, x: px.Array) -> px.Array:
        h = jnp.tanh(x @ params["w"])
        kept.append(explain_value(h * 2.0))
        return h

    f({"w": jnp.ones((3, 2))}, jnp.ones((4, 3)))
    root = kept[0].root
    assert (root.text, root.type_text) == ("h * 2.0", "float32[4,2]")
    assert names(root) == ["h * 2.0", 'jnp.tanh(x @ params["w"])', 'x @ params["w"]', "argument `x`", "argument `params['w']`"]
    assert "test_explaining.py:" in root.place
    assert str(kept[0]).splitlines()[1].startswith("└─ jnp.tanh(")


def test_what_is_used_twice_is_told_once() -> None:
    kept: list[History] = []

    def f(x: px.Array) -> px.Array:
        y = x + 1.0
        kept.append(explain_value(y * jnp.sin(y)))
        return y

    px.jit(f)(jnp.ones(3))
    assert names(kept[0].root) == ["y * jnp.sin(y)", "x + 1.0", "argument `x`", "jnp.sin(y)", "x + 1.0"]
    assert kept[0].root.operands[1].operands[0].again


def test_of_an_array_only_the_type_is_known() -> None:
    assert explain_value(jnp.ones(3)).root == Node("an array", "float32[3]")


def test_notebooks_show_it_escaped() -> None:
    assert History(Node("a < b", "bool[]"))._repr_html_() == "<pre>a &lt; b   bool[]</pre>"
