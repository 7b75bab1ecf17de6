"""Objectives that predict from the left alone: losses by hand, and what they are refused with."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from nas.config import make_experiment
from nas.models.encoder import Encoder
from nas.models.outputs import make_output
from nas.training.fitting import require_fitting, require_fitting_space
from nas.training.objectives import PRETRAINING_OBJECTIVES
from nas.training.objectives.clm import followed, next_token_loss, text_batches
from nas.training.objectives.instruction import response_batches, responses
from nas.training.objectives.pairs import PairBatch
from nas.training.preparing import experiment_recipe
from nas.training.recipe import Recipe
from nas.training.trial import run_trial
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment

VOCABULARY = 40
BLOCKS = np.concatenate(
    [np.full((8, 1), 2), np.random.default_rng(0).integers(5, VOCABULARY, (8, 11))], axis=1
)
BLOCKS[:, [4, 11]] = 3
CPU = torch.device("cpu")
NAMES = ("clm", "instruction")


def architecture(operation="sa", parameter="sdp", **more):
    return Architecture.from_dict(
        {
            "l": 2,
            "o": [operation] * 2,
            "h": [8] * 2,
            "n": [2] * 2,
            "f": [[8]] * 2,
            "p": [parameter] * 2,
            **more,
        }
    )


def build(described=None):
    torch.manual_seed(0)
    encoder = Encoder(described or architecture(), VOCABULARY, max_length=12, dropout=0.0)
    head = make_output(encoder)
    with torch.no_grad():
        for p in [*encoder.parameters(), *head.parameters()]:
            p.add_(torch.randn_like(p) * 0.2)
    return encoder, head


class Fixed(nn.Module):
    """An encoder whose hidden states are what it is given."""

    def __init__(self, states):
        super().__init__()
        self.states = nn.Parameter(states)

    def forward(self, tokens, keep, at, *, causal):
        assert causal
        return self.states.flatten(0, 1)[at]


def reached(states):
    return states.grad.abs().sum(-1).nonzero().tolist()


def test_the_next_token_by_hand():
    """Three tokens follow the first: one is thought twice as likely as each of the others."""
    tokens = torch.tensor([[2, 7, 8, 3]])
    batch = followed(tokens, torch.ones(1, 4, dtype=torch.bool))
    assert batch.positions.tolist() == [0, 1, 2]
    assert batch.targets.tolist() == [7, 8, 3]
    encoder = Fixed(torch.zeros(1, 4, VOCABULARY))
    with torch.no_grad():
        encoder.states[0, 1, 8] = math.log(2)
    loss = next_token_loss(encoder, nn.Identity(), batch)
    hand = (2 * math.log(VOCABULARY) + math.log((VOCABULARY + 1) / 2)) / 3
    assert loss.item() == pytest.approx(hand, rel=1e-6)
    loss.backward()
    assert reached(encoder.states) == [[0, 0], [0, 1], [0, 2]]


def test_only_the_response_is_predicted_and_nothing_else_gets_a_gradient():
    tokens = torch.tensor([[2, 7, 8, 3, 9, 6, 3, 0], [2, 9, 3, 7, 3, 0, 0, 0]])
    types = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 1, 1, 0, 0, 0]])
    batch = responses(PairBatch(tokens, tokens != 0, types, torch.zeros(2)))
    assert batch.positions.tolist() == [3, 4, 5, 8 + 2, 8 + 3]
    assert batch.targets.tolist() == [9, 6, 3, 7, 3]
    encoder = Fixed(torch.zeros(2, 8, VOCABULARY))
    with torch.no_grad():
        encoder.states[1, 2, 7] = math.log(3)
    loss = next_token_loss(encoder, nn.Identity(), batch)
    hand = (4 * math.log(VOCABULARY) + math.log((VOCABULARY + 2) / 3)) / 5
    assert loss.item() == pytest.approx(hand, rel=1e-6)
    loss.backward()
    assert reached(encoder.states) == [[0, 3], [0, 4], [0, 5], [1, 2], [1, 3]]


@pytest.mark.parametrize("name", NAMES)
def test_it_is_what_reading_each_beginning_alone_gives(name):
    """A slow twin: the encoder reads what stands before a token, and nothing after."""
    encoder, head = build()
    term = PRETRAINING_OBJECTIVES[name]()
    stream = term.batches(BLOCKS, batch_size=3, vocabulary_size=VOCABULARY, seed=1, start=0)
    batch = next(stream)
    (loss,) = term.losses(encoder, head, batch, CPU, "fp32", 1)
    encoder.zero_grad()
    loss.backward()
    found = [p.grad.clone() for p in encoder.parameters() if p.grad is not None]
    encoder.zero_grad()
    costs = []
    for tokens, real in zip(batch.tokens, batch.keep, strict=True):
        ends = [i + 1 for i, token in enumerate(tokens) if token == 3 and real[i]]
        first = 1 if name == "clm" else ends[0]
        for place in range(first, int(real.sum())):
            before = tokens[None, :place]
            scores = head(encoder(before, causal=True)[0, -1])
            costs.append(F.cross_entropy(scores, tokens[place]))
    slow = sum(costs) / len(costs)
    assert len(costs) == len(batch.targets)
    assert loss.item() == pytest.approx(slow.item(), rel=1e-5)
    slow.backward()
    own = [p.grad for p in encoder.parameters() if p.grad is not None]
    torch.testing.assert_close(found, own, atol=1e-6, rtol=1e-4)


def test_all_of_a_text_is_read_once_a_pass_and_lines_are_responses():
    seen = torch.cat([b.tokens for b in text_batches(BLOCKS, 3, 0, passes=1)])
    assert sorted(map(tuple, seen.tolist())) == sorted(map(tuple, BLOCKS.tolist()))
    for batch in response_batches(BLOCKS, 3, 0, passes=1):
        rows = batch.positions // batch.tokens.shape[1]
        for row, tokens in enumerate(batch.tokens):
            assert batch.targets[rows == row].tolist() == tokens[5 : tokens.tolist().index(0)
                if 0 in tokens.tolist() else None].tolist()  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_a_trial_is_trained_by_it(recipe, data, name):
    tiny = replace(recipe, slots={"objective": name}, tasks=("sst2",), block_length=16)
    longer = replace(data, pretrain=_joined(data.pretrain), validation=_joined(data.validation))
    once, again = (run_trial(architecture(), tiny, longer, seed=0) for _ in range(2))
    loss = once.details["validation_loss"]
    assert loss == again.details["validation_loss"]
    assert once.scores == again.scores
    assert 0 < loss < math.log(data.vocabulary_size)


def _joined(blocks):
    return blocks[: len(blocks) // 2 * 2].reshape(-1, 2 * blocks.shape[1])


SPACE = {
    "description": "one layer",
    "layers": [1],
    "widths": [8],
    "heads": [2],
    "operations": {"sa": ["sdp"]},
    "feedforward_widths": [8],
    "feedforward_depths": [1],
}
REFUSED = [
    ({"operations": {"sa": ["sdp"], "l": ["dct"]}}, "mixer=l"),
    ({"operations": {"c": [5]}}, "mixer=c"),
    ({"feedforwards": {"mlp": {}, "meo": {}}}, "feedforward=meo"),
    ({"model": {"embedding": {"trigram": {}}}}, "embedding=trigram"),
]


def read(space, **recipe):
    experiment = make_experiment({"space": space, "recipe": recipe})
    require_fitting_space(experiment_recipe(experiment), experiment)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("more", "named"), REFUSED)
def test_a_space_in_which_tokens_see_later_ones_is_refused(name, more, named):
    space = {**SPACE, **more}
    for objective in (f"{name}+mlm", [name, "mlm"]):
        with pytest.raises(InvalidExperiment, match=f"{name} cannot stand beside {named}") as error:
            read(space, objective=objective)
        assert "objective: mlm" in str(error.value)
        read(SPACE, objective=objective)
    read(space)
    with pytest.raises(InvalidExperiment, match=named):
        read({**space, "recipe": {"objective": {name: {}, "mlm": {}}}})


def test_an_architecture_that_cannot_be_causal_is_refused():
    asked = Recipe.from_dict({"objective": "clm"})
    require_fitting(asked, architecture())
    with pytest.raises(InvalidExperiment, match="mixer=c"):
        require_fitting(asked, architecture("c", 5))
    with pytest.raises(InvalidExperiment, match="objective: clm needs"):  # of a Python space
        PRETRAINING_OBJECTIVES["clm"]().begin(*build(architecture("c", 5)), steps=1)


def test_the_first_token_of_heads_with_a_mask_stands_for_nothing():
    masked = architecture("attention", "mask=causal")
    with pytest.raises(InvalidExperiment, match="pooling: mean"):
        require_fitting(Recipe(), masked)
    require_fitting(Recipe(pooling="mean"), masked)
