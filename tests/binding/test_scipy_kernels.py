"""What jaxlib takes of SciPy, in a process of its own."""
from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
import numpy as np
import perspicax as jax

root = np.asarray(jax.numpy.linalg.cholesky(4 * np.eye(2, dtype=np.float32)))
assert root.tolist() == [[2, 0], [0, 2]]
assert not [name for name in sys.modules if name.startswith("scipy.linalg")]

import scipy.linalg.cython_blas
assert "dgemm" in scipy.linalg.cython_blas.__pyx_capi__
from scipy.linalg import cython_lapack
assert "dpotrf" in cython_lapack.__pyx_capi__
assert scipy.linalg.cholesky(4 * np.eye(2)).tolist() == [[2, 0], [0, 2]]
values = np.linalg.eigvalsh(np.diag([1., 2.]))
assert np.asarray(jax.numpy.linalg.eigh(np.diag(values).astype(np.float32))[0]).tolist() == [1, 2]
print("as it should be")
"""


def test_a_factorisation_does_not_import_the_linear_algebra_of_scipy_and_leaves_it_as_it_is():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False)
    assert done.stdout == "as it should be\n", done.stderr
