"""`python -m perspicax.compat SCRIPT [ARGS ...]`."""
import sys

from perspicax.compat.run import main

sys.exit(main())
