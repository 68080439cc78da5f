"""`laws` and `elementwise_cases` are imported by the tests of this folder, and by those of other families."""
import sys
from pathlib import Path

HERE = str(Path(__file__).parent)
if HERE not in sys.path:
    sys.path.insert(0, HERE)
