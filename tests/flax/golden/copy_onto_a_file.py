import contextlib
import tempfile

from perspicax.flax import io

with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
    for name in ("weights.msgpack", "best.msgpack"):
        with io.GFile(name, "wb") as file:
            file.write(b"weights")
    io.copy("weights.msgpack", "best.msgpack")
