import contextlib
import tempfile

from perspicax.flax.training import checkpoints

with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
    checkpoints.save_checkpoint("run", {"w": 1.0}, step=20)
    checkpoints.save_checkpoint("run", {"w": 2.0}, step=10)
