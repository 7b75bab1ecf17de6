"""Every registered design keeps the contract of `initial_design`; the spread ones are even."""

from collections import Counter, defaultdict
from itertools import islice

import numpy as np
import pytest
from scipy.spatial.distance import cdist, pdist

from search_spaces import FiniteSpace, FlexiBertSpace, initial_design, list_spaces, load_space
from search_spaces.architectures.features import encode_features
from search_spaces.designs import DESIGNS
from search_spaces.errors import InvalidSpace, UnknownName
from search_spaces.flexibert.definition import SpaceDefinition
from search_spaces.space import Space, draw_distinct

TABLE = FiniteSpace(load_space("flexibert-test-fine").sample(300, seed=4), "table")


class Uncounted(Space):
    """Three methods, and no size."""

    name, max_layers = "uncounted", 4

    def sample(self, n, seed=0, *, accept=None):
        rng = np.random.default_rng(seed)
        return draw_distinct(n, 300, rng, TABLE.architectures.__getitem__, accept, self.name)

    def neighbours(self, architecture):
        return TABLE.neighbours(architecture)

    def __contains__(self, architecture):
        return architecture in TABLE


SPACES = {name: load_space(name) for name in list_spaces()}
SPACES |= {"table": TABLE, "uncounted": Uncounted()}
every_design = pytest.mark.parametrize("design", sorted(DESIGNS))
# its small sister does every day
SLOW = {"everything": pytest.mark.slow}
every_space = pytest.mark.parametrize(
    "space", [pytest.param(s, id=name, marks=SLOW.get(name, ())) for name, s in SPACES.items()]
)


@every_space
@every_design
def test_designs_are_distinct_members_and_repeatable(design, space):
    for seed in range(3):
        drawn = initial_design(space, 16, seed, design)
        assert len(set(drawn)) == 16
        assert all(architecture in space for architecture in drawn)
        assert initial_design(space, 16, seed, design) == drawn
    assert set(initial_design(space, 16, 7, design)) != set(drawn)


@every_space
@every_design
def test_designs_meet_constraints(design, space):
    def narrow(architecture):
        return architecture.layers[0].width == narrowest

    narrowest = min(a.layers[0].width for a in space.sample(20))
    drawn = initial_design(space, 6, 1, design, accept=narrow)
    assert len(set(drawn)) == 6
    assert all(map(narrow, drawn))


def unevenness(space, designs):
    """Return chi-square over its degrees of freedom, by kind of choice: mean over stacks."""
    definition, found = space.definition, defaultdict(list)
    for design in designs:
        seen = defaultdict(Counter)
        for architecture in design:
            seen["layers", 0, definition.layers][len(architecture)] += 1
            for i, layer in enumerate(architecture.layers[:: definition.layers_per_stack]):
                fits = tuple(n for n in definition.heads if definition.head_fits(layer.width, n))
                seen["width", i, definition.widths][layer.width] += 1
                seen["heads", i, fits][len(layer.heads)] += 1
                depth = len(layer.feedforward)
                seen["feed-forward depth", i, definition.feedforward_depths][depth] += 1
                first = layer.feedforward[0]
                seen["feed-forward width", i, definition.feedforward_widths][first] += 1
                for head in layer.heads:
                    kind = (head.operation, head.parameter)
                    seen["kinds", i, definition.kinds][kind] += 1 / len(layer.heads)
        for (choice, _, options), counts in seen.items():
            expected = counts.total() / len(options)
            gaps = [(counts[option] - expected) ** 2 / expected for option in options]
            if len(options) > 1:
                found[choice].append(sum(gaps) / (len(options) - 1))
    return {choice: np.mean(values) for choice, values in found.items()}


@pytest.mark.parametrize("design", ["latin-hypercube", "sobol"])
# not everything: a layer's heads are one of so many sets there that 24 of them, far apart, are not
# yet even in what they hold
@pytest.mark.parametrize("name", [name for name in list_spaces() if name != "everything"])
def test_every_choice_is_more_even_than_in_a_random_sample(name, design):
    space = load_space(name)
    spread, random = (
        unevenness(space, [initial_design(space, 24, seed, d) for seed in range(12)])
        for d in (design, "random")
    )
    assert spread.keys() == random.keys()
    for choice, value in spread.items():
        assert value < random[choice], (choice, value, random[choice])
    # a random sample has 1 where its choices are uniform; what only some layers have is harder
    shared = space.definition.shared != "nothing"
    assert spread["layers"] < 0.3
    assert np.mean(list(spread.values())) < (0.6 if shared else 0.3)


@pytest.mark.parametrize("name", ["flexibert-test-fine", "flexibert-full"])
def test_a_latin_hypercube_has_every_option_equally_often(name):
    space = load_space(name)
    n = 36
    drawn = initial_design(space, n, 5)
    counts = Counter(len(architecture) for architecture in drawn)
    for count in counts.values():
        assert abs(count - n / len(space.definition.layers)) <= 1
    for i in range(2):
        kinds = Counter(a.layers[i].heads[0].kind for a in drawn)
        expected = n / len(space.definition.kinds)
        assert all(abs(count - expected) < 2 for count in kinds.values())


def test_sobol_pairs_of_choices_are_more_even_than_those_of_a_latin_hypercube():
    space = load_space("flexibert-test")
    gaps = {}
    for design in ("latin-hypercube", "sobol"):
        gaps[design] = 0.0
        for seed in range(40):
            pairs = Counter(
                (len(a), a.layers[0].width, len(a.layers[0].heads))
                for a in initial_design(space, 32, seed, design)
            )
            gaps[design] += sum((count - 4) ** 2 for count in pairs.values())
    assert gaps["sobol"] < 0.75 * gaps["latin-hypercube"]


@pytest.mark.parametrize("changes", [{}, {"heads_in_layer": "mixed"}])
def test_decisions_reach_every_stack_equally_often(changes):
    definition = {
        "layers": [1],
        "widths": [8],
        "heads": [3],
        "operations": {"sa": ["sdp"], "l": ["dct"], "c": [3]},
        "feedforward_widths": [4, 6],
        "feedforward_depths": [1, 2],
        "feedforward": "heterogeneous",
        "heads_in_layer": "mixed",
    }
    space = FlexiBertSpace(SpaceDefinition.from_dict(definition))
    rng = np.random.default_rng(0)
    heads = Counter()
    for _ in range(3_000):
        walk = space.decide()
        name, options = next(walk)
        assert name in space.decisions
        try:
            while True:
                _, options = walk.send(options[rng.integers(len(options))])
        except StopIteration as end:
            heads[end.value.layers[0].canonical.partition("]")[0]] += 1
    # ten multisets of three kinds
    assert len(heads) == 10
    assert all(abs(count - 300) < 5 * 300**0.5 for count in heads.values())


def test_maximin_covers_a_table_better_than_a_random_sample():
    features = encode_features(TABLE.architectures, TABLE.max_layers)
    features = (features - features.mean(0)) / np.where(features.std(0) > 0, features.std(0), 1)
    place = dict(zip(TABLE, features, strict=True))

    def spread(design, seed):
        drawn = np.array([place[a] for a in initial_design(TABLE, 20, seed, design)])
        return pdist(drawn).min(), cdist(features, drawn).min(axis=1).max()

    gap, radius = (
        {d: np.mean([spread(d, s)[i] for s in range(10)]) for d in ("maximin", "random")}
        for i in (0, 1)
    )
    assert gap["maximin"] > 1.4 * gap["random"]
    assert radius["maximin"] < radius["random"]


@every_design
@pytest.mark.parametrize("name", ["flexibert-test", "table"])
def test_a_design_may_be_the_whole_space_and_no_more(design, name):
    space = SPACES[name]
    if name == "flexibert-test":
        space = FlexiBertSpace(
            SpaceDefinition.from_dict(
                {**vars(space.definition), "layers": [2], "feedforward_depths": [1]}
            )
        )
    assert set(initial_design(space, space.size, 0, design)) == set(space)
    assert initial_design(space, 0, 0, design) == []
    with pytest.raises(InvalidSpace, match=f"Asked for {space.size + 1}"):
        initial_design(space, space.size + 1, 0, design)
    with pytest.raises(InvalidSpace, match="Found only 0 of 3 .* Loosen the constraint"):
        initial_design(space, 3, 0, design, accept=lambda architecture: False)


def test_unknown_design():
    with pytest.raises(UnknownName, match="'latin_hypercube'. Did you mean 'latin-hypercube'"):
        initial_design(TABLE, 2, design="latin_hypercube")


def test_lists_of_decisions():
    space = load_space("flexibert-2")
    assert len(space.decisions) == 1 + 12 * (1 + 1 + 12 + 1 + 3)
    assert list(islice(space.decisions, 3)) == ["layers", "stack 0 width", "stack 0 heads"]
    assert load_space("nas-bench-bert").decisions[:3] == ("layers", "width", "stack 0 heads")
    assert len(load_space("bert").decisions) == 6
