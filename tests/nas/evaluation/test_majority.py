"""The floor of each kind of task, by hand."""

from types import SimpleNamespace

import numpy as np
import pytest

from nas.evaluation.majority import majority_score


def splits(train, **dev):
    return {
        name: SimpleNamespace(labels=np.array(labels, float))
        for name, labels in {"train": train, **dev}.items()
    }


@pytest.mark.parametrize(
    ("task", "given", "expected"),
    [
        ("sst2", splits([1, 1, 0], dev=[1, 0, 0, 0]), 0.25),
        ("cola", splits([1, 1, 0], dev=[1, 0, 0, 0]), 0.0),
        ("mrpc", splits([1, 1, 0], dev=[1, 1, 1, 0]), (0.75 + 6 / 7) / 2),
        ("stsb", splits([1, 2, 5], dev=[1, 2, 3]), 0.0),
        ("mnli", splits([2, 2, 0], matched=[2, 0], mismatched=[2, 2]), 0.75),
    ],
)
def test_a_constant_answer_scores_what_it_should(task, given, expected):
    assert majority_score(task, given) == pytest.approx(expected)
