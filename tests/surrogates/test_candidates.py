"""What may be proposed: every member of a small space, once."""

from search_spaces import load_space
from surrogates.candidates import Candidates


def test_a_space_that_lists_something_twice_is_searched_once():
    first, second = load_space("flexibert-micro").sample(2)

    class Twice:
        size = 3

        def __iter__(self):
            return iter((first, second, first))

    assert Candidates(Twice(), lambda architecture: True).every() == [first, second]
    assert Candidates(Twice(), lambda architecture: architecture != first).every() == [second]
