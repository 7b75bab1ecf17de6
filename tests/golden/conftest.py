"""What is compared here is computed by the same modules that `make_goldens.py` writes it with."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
