"""A kind that nobody ships in every slot, for as long as a test runs."""

import pytest

from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, RECIPE_SLOTS, SLOTS, Kind
from search_spaces.parts import Setting


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
    yield names
    for name in names:
        del SLOTS[name].kinds._entries["dummy"]
