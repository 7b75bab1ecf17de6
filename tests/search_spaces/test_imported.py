"""Spaces of a user's own, from a module."""

import sys
import textwrap

import pytest

from search_spaces import initial_design, load_space
from search_spaces.errors import InvalidSpace, UnknownName
from surrogates import make_policy

SOURCE = """
    from search_spaces import FiniteSpace, Space, load_space

    MEMBERS = load_space("flexibert-micro").sample(40, seed=5)

    class Forty(Space):
        name, max_layers = "forty", 4

        def sample(self, n, seed=0, *, accept=None):
            return FiniteSpace(MEMBERS).sample(n, seed, accept=accept)

        def neighbours(self, architecture):
            return [a for a in MEMBERS if a != architecture][:3]

        def __contains__(self, architecture):
            return architecture in MEMBERS

    class Counted(Forty):
        size = 40

    class Unfinished(Space):
        pass

    class Curious(Forty):
        def __init__(self, width):
            self.width = width

    table = FiniteSpace(MEMBERS, "table")
    number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    (tmp_path / "my_spaces.py").write_text(textwrap.dedent(SOURCE))
    (tmp_path / "broken_spaces.py").write_text("import no_such_thing\n")
    (tmp_path / "wrong_spaces.py").write_text("def f(:\n")
    monkeypatch.chdir(tmp_path)
    path = list(sys.path)
    yield
    assert sys.path == path
    for name in ("my_spaces", "broken_spaces", "wrong_spaces"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize("name", ["Forty", "Counted", "table"])
def test_a_space_from_a_module_serves_designs_and_policies(name):
    space = load_space(f"my_spaces:{name}")
    assert len(set(initial_design(space, 10))) == 10
    for policy in ("random", "evolution"):
        asked = make_policy(policy, space, {"glue": "max"}, seed=0).ask(6)
        assert len(set(asked)) == 6
        assert all(a in space for a in asked)


@pytest.mark.usefixtures("module")
def test_spaces_that_can_be_counted_can_be_listed():
    assert len(set(load_space("my_spaces:Counted"))) == 40
    with pytest.raises(TypeError, match="'forty' cannot list its architectures"):
        iter(load_space("my_spaces:Forty"))


@pytest.mark.usefixtures("module")
@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("none_such:Forty", InvalidSpace, "no module 'none_such', which .* run the command in the"),
        ("my_spaces.deep:Forty", InvalidSpace, "no module 'my_spaces.deep'"),
        ("broken_spaces:Forty", InvalidSpace, "cannot be imported: .*'no_such_thing'. Mend it"),
        ("wrong_spaces:Forty", InvalidSpace, "cannot be imported: SyntaxError"),
        ("my_spaces:Fourty", UnknownName, "space in my_spaces .*'Forty'. Available: .*table"),
        ("my_spaces:number", InvalidSpace, "is of type int, which is no space. Name a subclass"),
        ("my_spaces:Space", InvalidSpace, "is the class Space, which is no space"),
        (
            "my_spaces:Unfinished",
            InvalidSpace,
            "without arguments: .*neighbours.* Define sample",
        ),
        ("my_spaces:Curious", InvalidSpace, "without arguments: .*'width'"),
        ("my spaces:Forty", InvalidSpace, "names no space. Write package.module:Name"),
        (":Forty", InvalidSpace, "names no space"),
    ],
)
def test_what_is_wrong_with_a_space_is_said(name, error, message):
    with pytest.raises(error, match=message):
        load_space(name)
