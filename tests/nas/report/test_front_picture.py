"""The picture of a front: who is marked in it, and where."""

import pandas as pd
import pytest
from matplotlib.figure import Figure

from nas.report.front_picture import draw_front
from nas.single.beside import Beside

TRIALS = pd.DataFrame({"glue": [0.5, 0.6], "latency_ms": [1.0, 2.0], "parameters": [1e5, 2e5]})


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Return a function that draws and gives what each label marks in each panel."""
    figures = []
    write = Figure.savefig

    def note(figure, *places, **settings):
        figures.append(figure)
        write(figure, *places, **settings)

    monkeypatch.setattr(Figure, "savefig", note)

    def draw(*by_hand, **objectives):
        draw_front(TRIALS, objectives, tmp_path / "front.png", by_hand=by_hand)
        return [
            {dots.get_label(): dots.get_offsets().tolist() for dots in panel.collections}
            for panel in figures[-1].axes
        ]

    return draw


def test_a_teacher_and_cuts_by_hand_are_marked_where_they_have_both_numbers(drawn):
    teacher = Beside("teacher", "whole", {"glue": 0.9, "latency_ms": 9.0, "parameters": 9e5})
    cuts = [
        Beside("uniform", "thin", {"glue": 0.55, "latency_ms": 1.5, "parameters": 1e5}),
        Beside("uniform", "thinner", {"glue": 0.4, "parameters": 5e4}),
        Beside("layers", "two", {"glue": 0.5, "latency_ms": 3.0}),
    ]
    first, second = drawn(teacher, *cuts, glue="max", latency_ms="min", parameters="min")
    assert first["the teacher, whole"] == [[9.0, 0.9]]
    assert first["uniform cuts"] == [[1.5, 0.55]]
    assert first["whole layers"] == [[3.0, 0.5]]
    assert second["uniform cuts"] == [[1e5, 0.55], [5e4, 0.4]]
    assert "whole layers" not in second


def test_a_search_from_nothing_marks_its_trials_alone(drawn):
    (panel,) = drawn(glue="max", latency_ms="min")
    assert set(panel) == {"trained", "on the front"}
