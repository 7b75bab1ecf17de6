"""The map: neighbours lie close, and what colours it."""

import numpy as np

from nas.report.sections import SECTIONS
from nas.report.sections.space_map import main_operation
from search_spaces import Architecture, load_space


def test_encoders_that_are_alike_lie_close(snapshot, record):
    space = load_space("flexibert-micro")
    base = space.sample(1, seed=4)[0]
    near = space.neighbours(base)[:6]
    far = [a for a in space.sample(60, seed=1) if len(a) != len(base)][:20]
    records = [record(i, a) for i, a in enumerate([base, *near, *far], 1)]
    (block,) = SECTIONS["map"](snapshot(records)).blocks
    points = np.array([block["points"]["x"], block["points"]["y"]]).T
    gaps = np.linalg.norm(points - points[0], axis=1)
    assert block["points"]["trial"] == list(range(1, len(records) + 1))
    assert gaps[1:7].mean() < 0.5 * gaps[7:].mean()


def test_an_encoder_is_shown_once_by_the_trial_that_counts(snapshot, record, architectures):
    records = [record(i, a, fidelity=0.5) for i, a in enumerate(architectures[:4], 1)]
    records.append(record(5, architectures[2]))
    (block,) = SECTIONS["map"](snapshot(records)).blocks
    assert block["points"]["trial"] == [1, 2, 5, 4]


def test_the_main_operation():
    layer = {"l": 1, "o": ["sa"], "h": [64], "n": [2], "f": [[96]], "p": ["sdp"]}
    assert main_operation(Architecture.from_dict(layer)) == "self-attention"
    two = {"l": 2, "o": ["l", "c"], "h": [64, 64], "n": [2, 2], "f": [[96], [96]], "p": ["dft", 5]}
    assert main_operation(Architecture.from_dict(two)) == "mixed"
