"""A recipe that an architecture of a space cannot be trained with is refused when both are read."""

import pytest

from nas.config import make_experiment
from nas.training.fitting import require_fitting, require_fitting_space
from nas.training.preparing import experiment_recipe
from nas.training.recipe import Recipe
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, InvalidSpace
from search_spaces.flexibert.definition import SpaceDefinition

SPACE = {
    "layers": [1, 2], "widths": [16], "heads": [2], "operations": {"sa": ["sdp"]},
    "feedforward_widths": [24], "feedforward_depths": [1],
}  # fmt: skip
DISENTANGLED = "rtd(sharing=disentangled)"
HASHED = {"model": {"embedding": {"learned": {}, "hash-ngram": {}}}}
REFUSED = [
    # what is shared between two models is a learned table
    ({"objective": DISENTANGLED}, HASHED, "learned table"),
    ({"objective": f"mlm > {DISENTANGLED}"}, HASHED, "learned table"),
    # layers that run backwards
    ({"finetuning": "meft"}, {"residuals": {"post": {}, "mixed": {}}}, "two streams"),
    ({"finetuning": "meft"}, {"blocks": {"plain": {}, "bottleneck": {}}}, "one feed-forward"),
    ({"finetuning": "meft"}, {"blocks": {"inverted-bottleneck": {}}}, "one feed-forward"),
    ({"finetuning": "meft"}, {"widths": [16, 32]}, "as wide in every layer"),
]


def experiment_of(recipe, more):
    return make_experiment({"recipe": recipe, "space": {**SPACE, **more}})


@pytest.mark.parametrize(("recipe", "more", "reason"), REFUSED)
def test_what_does_not_go_together_is_refused_before_any_trial(recipe, more, reason):
    experiment = experiment_of(recipe, more)
    with pytest.raises(InvalidExperiment, match=reason):
        require_fitting_space(experiment_recipe(experiment), experiment)
    for given, offered in ((recipe, {}), ({}, more)):
        plain = experiment_of(given, offered)
        require_fitting_space(experiment_recipe(plain), plain)


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        ({"objective": "rtd(sharing=shared)"}, HASHED),
        ({"objective": "rtd"}, {"model": {"embedding": {"factorised": {"rank": 8}}}}),
        ({"finetuning": "meft"}, {"widths": [16, 32], "shared": "width"}),
    ],
)
def test_what_is_like_it_and_works_is_not(recipe, more):
    experiment = experiment_of(recipe, more)
    if recipe.get("objective") == "rtd":
        assert Recipe.from_dict(recipe).standing("objective")
    require_fitting_space(experiment_recipe(experiment), experiment)


def test_a_space_that_offers_both_is_refused():
    with pytest.raises(InvalidSpace, match="learned table"):
        SpaceDefinition.from_dict({**SPACE, **HASHED, "recipe": {"objective": [DISENTANGLED]}})
    with pytest.raises(InvalidSpace, match="two streams"):
        SpaceDefinition.from_dict(
            {**SPACE, "residuals": {"mixed": {}}, "recipe": {"finetuning": ["full", "meft"]}}
        )


def test_one_architecture_is_looked_at_alone():
    one = {"l": 1, "o": ["sa"], "h": [16], "n": [2], "f": [[24]], "p": ["sdp"]}
    recipe = Recipe.from_dict({"finetuning": "meft"})
    require_fitting(recipe, Architecture.from_dict(one))
    mixed = Architecture.from_dict({**one, "parts": [{"residual": "mixed"}]})
    with pytest.raises(InvalidExperiment, match="two streams.*lora"):
        require_fitting(recipe, mixed)


def test_heads_without_queries_know_no_bias_of_positions():
    """ALiBi adds to scores; where no head has any, it is as if there were no positions."""
    import torch

    from nas.models.encoder import Encoder

    heads = [["hedgehog_8", "longconv_8"]]
    outputs = []
    for positions in ("alibi", "rope"):
        parts = {"l": 1, "o": heads, "h": [16], "f": [[24]], "model": {"positions": positions}}
        torch.manual_seed(0)
        encoder = Encoder(Architecture.from_dict(parts), 20, max_length=8).eval()
        outputs.append(encoder(torch.arange(1, 9)[None]))
    assert torch.equal(*outputs)
