"""`python -m perspicax`: the command `perspicax`."""
import sys

from perspicax.cli.main import main

sys.exit(main())
