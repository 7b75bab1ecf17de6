import math

import pytest

from search_spaces import count_flops, count_parameters, initial_design, load_space
from search_spaces.constraints import Constraint, make_accept, parse_constraint
from search_spaces.errors import InvalidExperiment, UnknownName

SPACE = load_space("flexibert-test")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parameters<15e6", ("parameters", "<", 15e6)),
        (" parameters  <= 15_000 ", ("parameters", "<=", 15_000.0)),
        ("latency_ms > -2.5", ("latency_ms", ">", -2.5)),
        ("mnli-mm>=0.6", ("mnli-mm", ">=", 0.6)),
    ],
)
def test_constraints_are_read(text, expected):
    assert parse_constraint(text) == Constraint(*expected)


@pytest.mark.parametrize(
    "text", ["", "parameters", "parameters=3", "parameters < ", "3 < parameters", "a < 1 < b", None]
)
def test_what_is_no_constraint(text):
    with pytest.raises(InvalidExperiment, match="is no constraint. Write NAME < NUMBER .* '"):
        parse_constraint(text)


def test_bounds_are_finite():
    for bound in ("inf", "nan", "-inf"):
        with pytest.raises(InvalidExperiment, match="bound that is not a finite number"):
            parse_constraint(f"parameters < {bound}")


@pytest.mark.parametrize(
    ("relation", "allowed"), [("<", [1]), ("<=", [1, 2]), (">", [3]), (">=", [2, 3])]
)
def test_relations_mean_what_they_say(relation, allowed):
    constraint = Constraint("x", relation, 2.0)
    assert [value for value in (1, 2, 3) if constraint.allows(value)] == allowed
    assert not constraint.allows(math.nan)
    assert constraint.sign == (1 if 1 in allowed else -1)


def test_samples_keep_exact_constraints_and_nothing_else_is_refused():
    accept = make_accept(["parameters < 5e6", "flops >= 2e8"], vocabulary_size=10_000, length=64)
    drawn = SPACE.sample(50, accept=accept)
    assert all(accept(a) for a in drawn)
    for a in SPACE.sample(300, seed=1):
        inside = (
            count_parameters(a, vocabulary_size=10_000) < 5e6
            and count_flops(a, length=64, vocabulary_size=10_000) >= 2e8
        )
        assert accept(a) == inside
    assert {accept(a) for a in SPACE.sample(300, seed=1)} == {True, False}


def test_metrics_of_the_caller_are_asked_last_and_designs_take_them():
    asked = []

    def latency(architecture):
        asked.append(architecture)
        return float(len(architecture))

    accept = make_accept(["latency_ms < 3", "parameters < 4.5e6"], metrics={"latency_ms": latency})
    drawn = initial_design(SPACE, 5, accept=accept)
    assert {len(a) for a in drawn} == {2}
    assert all(count_parameters(a, vocabulary_size=30_522) < 4.5e6 for a in asked)
    assert make_accept(())(drawn[0])
    assert make_accept("parameters > 0")(drawn[0])


def test_unknown_metrics_are_named():
    with pytest.raises(UnknownName, match="'latency_ms'. Available: flops, parameters"):
        make_accept("latency_ms < 20")
    with pytest.raises(UnknownName, match="'parameter'. Did you mean 'parameters'"):
        make_accept("parameter < 20", metrics={"latency_ms": len})
