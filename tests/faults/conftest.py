"""The fuzzer is a package beside these tests, which a process of its own imports too."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
