"""Helpers of the tests of core; the programs in golden/ fail, on purpose."""

import sys
from pathlib import Path

collect_ignore_glob = ["golden/*"]
sys.path.insert(0, str(Path(__file__).parent))
