"""Which tests share a process when several run them (`pytest -n 2 --dist loadgroup`)."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Folders and files whose tests share something costly: built once, in one process. Ray is such a
# thing as well: two clusters that start at once take each other's time, and their tests wait.
TOGETHER = {
    "end_to_end": "ray",
    "faults": "ray",
    "nas/execution": "ray",
    "nas/report": "report",
    "nas/zoo": "zoo",
    "nas/training": "training",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        file = item.path.relative_to(HERE).as_posix()
        shared = [name for folder, name in TOGETHER.items() if file.startswith(folder)]
        item.add_marker(pytest.mark.xdist_group(*shared or [file]))
