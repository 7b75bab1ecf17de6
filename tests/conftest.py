"""Which tests share a process when several run them (`pytest -n 2 --dist loadgroup`).

And a kind that nobody ships, in every slot, for as long as a test runs.
"""

from pathlib import Path

import pytest

from search_spaces.architectures import size
from search_spaces.architectures.layers import shared_head
from search_spaces.distances.distance import _prepared
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS, Kind
from search_spaces.operations import mixer_part
from search_spaces.parts import Setting

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


def forget_kinds():
    """Clear what counting remembers of the kinds that stood somewhere."""
    for remembered in (size._kinds_standing, size._model_kinds, mixer_part, shared_head):
        remembered.cache_clear()


@pytest.fixture
def dummies():
    """Register "dummy" with a number and a name as settings in every slot; take it out after."""
    settings = {
        "size": Setting(4, weight=0.05),
        "manner": Setting("plain", "name", ("plain", "odd"), weight=0.01),
    }
    names = ["mixer", *LAYER_SLOTS, *MODEL_SLOTS, *RECIPE_SLOTS]
    for name in names:
        more = {}
        if name in LAYER_SLOTS:
            more = {
                "parameters": lambda shape, part: shape.width * dict(part.settings).get("size", 4),
                "flops": lambda shape, part, length: length * shape.width,
            }
        SLOTS[name].kinds.register("dummy")(Kind("dummy", "a test kind", settings, **more))
    forget_kinds()
    yield names
    for name in names:
        del SLOTS[name].kinds._entries["dummy"]
    forget_kinds()
    _prepared.cache_clear()  # it keeps the layers it has seen, whose kinds are gone now
