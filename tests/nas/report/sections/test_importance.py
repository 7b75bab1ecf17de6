"""Which choices matter: the one that decides the score comes first, and doubt is shown."""

import numpy as np
import pytest

from nas.report.attributes import CHOICES, attributes, columns_of, groups_of, words
from nas.report.sections import SECTIONS
from nas.report.sections import importance as module
from nas.report.sections.importance import choice_importance
from search_spaces import FlexiBertSpace
from search_spaces.flexibert.definition import SpaceDefinition


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(module, "BAGS", 12)
    monkeypatch.setattr(module, "TREES", 20)


def test_every_attribute_belongs_to_one_choice(architectures):
    names, values = attributes(architectures)
    assert values.shape == (40, len(names))
    found = [column for choice in CHOICES for column in columns_of(choice, names)]
    assert sorted(found) == list(range(len(names)))
    assert values[0, names.index("layers")] == len(architectures[0])


@pytest.mark.parametrize("choice", ["depth", "width", "operation"])
def test_what_decides_the_score_comes_first(choice, architectures):
    names, values = attributes(architectures)
    column = columns_of(choice, names)[0]
    rng = np.random.default_rng(0)
    found = choice_importance(names, values, values[:, column] + 0.05 * rng.normal(size=40))
    order = sorted(found.choices, key=lambda name: -found.choices[name][1])
    assert order[0] == choice
    low, middle, high = found.choices[choice]
    assert low <= middle <= high
    assert low > max(found.choices[other][1] for other in order[1:])
    assert found.explained[1] > 0.5


def test_noise_is_not_taken_for_knowledge(snapshot, record, architectures):
    rng = np.random.default_rng(1)
    records = [
        record(i, a, scores={"glue": float(rng.normal())}) for i, a in enumerate(architectures, 1)
    ]
    section = SECTIONS["importance"](snapshot(records))
    assert "no better than their mean" in section.lead
    for item in section.blocks[0]["items"]:
        assert item["low"] <= item["value"] <= item["high"]


def test_every_objective_has_its_own_bars(snapshot, record, architectures):
    rng = np.random.default_rng(2)
    records = [
        record(
            i,
            a,
            scores={"glue": float(rng.normal())},
            costs={"parameters": 100.0 * len(a), "latency_ms": 1.0},
        )
        for i, a in enumerate(architectures, 1)
    ]
    goals = {"glue": "max", "parameters": "min", "latency_ms": "min"}
    found = SECTIONS["importance"](snapshot(records, objectives=goals)).blocks
    bars = [block for block in found if block["type"] == "bars"]
    assert len(bars) == 2  # a latency that is the same everywhere has nothing to explain
    assert bars[1]["items"][0]["name"] == "depth"
    assert "arameters" in bars[1]["title"]


def test_directions(snapshot, record, architectures):
    records = [record(i, a, scores={"glue": 0.1 * len(a)}) for i, a in enumerate(architectures, 1)]
    rows = SECTIONS["importance"](snapshot(records)).blocks[-1]["rows"]
    assert rows[0][0] == "layers"
    assert rows[0][1] == "+1.00"
    assert rows[0][3] == "more is better"


def test_a_few_trials_say_nothing(snapshot, record, architectures):
    few = [record(i, a) for i, a in enumerate(architectures[:9], 1)]
    section = SECTIONS["importance"](snapshot(few))
    assert "With 9 finished encoders it cannot be told" in section.lead
    assert section.blocks == []


SLOTTED = {
    "layers": [2, 4], "widths": [32, 64], "heads": [2], "feedforward_widths": [48, 96],
    "feedforward_depths": [1], "operations": {"sa": ["sdp"], "dummy": {"size": [2, 4]}},
    "feedforwards": {"mlp": {}, "dummy": {"manner": ["plain", "odd"]}},
    "model": {"norm": {"layer": {}, "dummy": {}}}, "recipe": {"mask_rate": [0.1, 0.2, 0.4]},
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "choice"),
    [
        ("mean feedforward=dummy", "kind of feed-forward"),
        ("norm=dummy", "norm"),
        ("mask_rate", "mask_rate"),
        ("mean mixer=dummy", "operation"),
    ],
)
def test_a_kind_from_outside_that_decides_the_score_comes_first(dummies, column, choice):
    space = FlexiBertSpace(SpaceDefinition.from_dict(SLOTTED), "slotted")
    names, values = attributes(space.sample(60, seed=0))
    groups = groups_of(names)
    assert sorted(sum(groups.values(), [])) == list(range(len(names)))
    found = choice_importance(names, values, values[:, names.index(column)])
    assert max(found.choices, key=lambda name: found.choices[name][1]) == choice
    assert "a test kind" in words("norm=dummy")
    assert all(words(name) for name in names)
