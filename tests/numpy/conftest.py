"""Helpers of the tests of the numpy room."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
