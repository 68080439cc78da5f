"""`explain_value`: the expressions that a traced value was computed from."""
from __future__ import annotations

from xml.etree import ElementTree

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


def test_notebooks_show_a_graph_in_which_each_step_stands_once_above_what_it_went_into() -> None:
    x = Node("argument `x`", "float32[3]")
    y = Node("x < 1.0", "bool[3]", "a.py:1", (x,))
    history = History(Node("f(y, x)", "float32[3]", "a.py:2", (y, x, y._replace(operands=(), again=True))))
    svg = ElementTree.fromstring(history.to_svg())
    name = "{http://www.w3.org/2000/svg}"
    tops = {text.text: float(text.get("y", "")) for text in svg.iter(f"{name}text")}
    assert tops["argument `x`"] < tops["x < 1.0"] < tops["f(y, x)"]
    assert "bool[3], a.py:1" in tops
    assert (len(svg.findall(f"{name}rect")), len(svg.findall(f"{name}path"))) == (3, 3)
    assert "x &lt; 1.0" in history._repr_html_()
    assert "<pre>f(y, x)   float32[3], a.py:2" in history._repr_html_()
