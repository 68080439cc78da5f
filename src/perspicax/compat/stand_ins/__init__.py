"""Private parts of JAX, and public ones that are not there yet, as far as widely used libraries need them to be imported."""
