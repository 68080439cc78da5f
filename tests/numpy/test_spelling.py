"""Reports call functions and modules as the user's file does."""
from pathlib import Path

import pytest

from perspicax.diagnose.errors import PerspicaxError

CASES = {
    "an alias of the module": ("import perspicax.numpy as np\nnp.sum(np.ones((2, 3)), axis=4)", "`np.sum` was given axis 4"),
    "the whole name": ("import perspicax\nperspicax.numpy.einsum('ij', perspicax.numpy.ones(3))", "`perspicax.numpy.einsum`: "),
    "a bare name": ("from perspicax.numpy import argmax, ones\nargmax(ones(3), axis=1)", "`argmax` was given axis 1"),
    "a method": ("import perspicax.numpy as jnp\nx = jnp.ones(3)\nx.sum(axis=1)", "`x.sum` was given axis 1"),
    "a method of a call": ("import perspicax.numpy as np\nnp.ones(3).max(axis=1)", "`np.max` was given axis 1"),
    "a variable of the same name": ("import perspicax.numpy as jnp\ntake = jnp.ones(3)\njnp.take(take, jnp.ones(1))",
                                    "`take` was given float32[1] as indices"),
    "a proposal": ("import perspicax.numpy as np\nnp.sum([1, 2])", "np.asarray([1, 2])"),
    "scipy by an alias": ("from perspicax.scipy.special import ndtr\nndtr(1)", "`ndtr` "),
    "scipy without one": ("import perspicax\nf = perspicax.scipy.special.ndtr\nf(1)", "`jax.scipy.special.ndtr` "),
}


@pytest.mark.parametrize("name", CASES)
def test_words(name: str, tmp_path: Path) -> None:
    program, wanted = CASES[name]
    path = tmp_path / "program.py"
    path.write_text(program, encoding="utf-8")
    with pytest.raises(PerspicaxError) as caught:
        exec(compile(program, str(path), "exec"), {"__name__": "program"})
    assert wanted in " ".join(str(caught.value).split())


def test_without_source_numpy_is_called_by_its_usual_name() -> None:
    with pytest.raises(PerspicaxError) as caught:
        exec("import perspicax.numpy as np\nnp.sum(np.ones(3), axis=4)", {"__name__": "program"})
    assert str(caught.value).startswith("`jnp.sum` was given axis 4")
