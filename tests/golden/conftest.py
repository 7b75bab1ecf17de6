"""What is compared here is computed by the same modules that `make_goldens.py` writes it with."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(scope="session", autouse=True)
def _quick(quick_searches):
    """Trials in this process are trained as ever, and timed for a moment."""
