"""Predictions beside outcomes, with numbers that can be checked by hand."""

import numpy as np
import pytest

from nas.report.sections import SECTIONS
from nas.report.sections.calibration import drawn_range, predicted, wilson


@pytest.fixture
def records(record, architectures):
    """Ten predictions of 0.5 with deviation 0.1; outcomes 0.5, 0.52, … 0.68."""
    return [
        record(
            i + 1,
            a,
            scores={"glue": 0.5 + 0.02 * i},
            proposal={
                "mean": {"glue": 0.5, "parameters": 1000.0},
                "epistemic": {"glue": 0.1, "parameters": 0.0},
            },
        )
        for i, a in enumerate(architectures[:10])
    ]


def test_coverage_and_error(snapshot, records):
    section = SECTIONS["calibration"](snapshot(records))
    (row,) = section.blocks[1]["rows"]
    title, trials, error, root, _, half, most = row
    assert (title, trials, error) == ("GLUE score", 10, "+0.09")
    assert root == "0.107"
    # 0.6745 deviations hold 0.50 to 0.56, 1.645 hold 0.50 to 0.66
    assert half.startswith("40% (")
    assert most.startswith("90% (")
    assert section.lead.startswith("Predictions were made")
    assert "9 of 10" in section.lead
    assert "noise between trainings is not in" in section.blocks[2]["text"]


def test_what_cannot_be_is_drawn_at_the_edge_and_said(snapshot, records):
    records[3]["proposal"]["mean"]["glue"] = 7.0
    records[4]["proposal"]["mean"]["glue"] = -7.0
    chart, table, note = SECTIONS["calibration"](snapshot(records)).blocks
    assert max(chart["points"]["x"]) == pytest.approx(0.68 + 0.18)
    assert min(chart["points"]["x"]) == pytest.approx(0.5 - 0.18)
    assert max(chart["points"]["high"]) == pytest.approx(0.86)
    assert "2 predicted far outside of what was measured" in note["text"]
    assert float(table["rows"][0][3]) > 2  # the numbers count them as they were
    assert drawn_range(np.array([0.1, 5.1])) == (0.0, pytest.approx(10.1))  # no cost below zero


def test_both_uncertainties_add_in_quadrature(snapshot, records):
    for record in records:
        record["proposal"]["epistemic"]["glue"] = 0.3
        record["proposal"]["aleatoric"] = {"glue": 0.4}
    rows = predicted(snapshot(records), "glue")
    assert rows["spread"] == pytest.approx([0.5] * 10)
    assert rows["complete"]
    text = SECTIONS["calibration"](snapshot(records)).blocks[2]["text"]
    assert "hold both the model's doubt and the noise" in text


def test_what_is_computed_exactly_is_no_prediction(snapshot, records):
    both = {"glue": "max", "parameters": "min"}
    section = SECTIONS["calibration"](snapshot(records, objectives=both))
    assert [row[0] for row in section.blocks[1]["rows"]] == ["GLUE score"]


def test_a_policy_without_predictions_has_no_section(snapshot, record, architectures):
    records = [record(i, a) for i, a in enumerate(architectures[:4], 1)]
    assert SECTIONS["calibration"](snapshot(records)) is None


def test_a_doubt_of_all_objectives_together_is_no_prediction(snapshot, records):
    for record in records:
        record["proposal"] = {"reason": "optimise", "epistemic": 0.1}
    assert SECTIONS["calibration"](snapshot(records)) is None


def test_wilson_agrees_with_a_library():
    from scipy.stats import binomtest

    for inside, total in ((0, 5), (3, 7), (45, 50), (20, 20)):
        other = binomtest(inside, total).proportion_ci(0.9, method="wilson")
        assert wilson(inside, total) == pytest.approx((other.low, other.high), abs=1e-12)
