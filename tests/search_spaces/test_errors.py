"""Errors cross from one process to another, as a pool of workers sends them, with what they say."""

import pickle

import pytest

from search_spaces.errors import NasError, RunError, TrialError, UnknownName


@pytest.mark.parametrize(
    "error",
    [
        NasError("said"),
        RunError("gone"),
        TrialError("too much", cause="out-of-memory"),
        UnknownName("policy", "bosnas", ["boshnas", "random"]),
    ],
)
def test_an_error_survives_the_way_between_processes(error):
    found = pickle.loads(pickle.dumps(error))  # noqa: S301  our own bytes
    assert type(found) is type(error)
    assert str(found) == str(error)
    assert vars(found) == vars(error)
