"""Objectives of pre-training: a loss by hand, labels that a seed decides, no gradient elsewhere."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from nas.data.batches import mlm_batches
from nas.models.encoder import Encoder
from nas.models.heads import MaskedLanguageHead
from nas.training.causal_rules import CAUSAL
from nas.training.loop import Loop
from nas.training.micro_batches import split_masked
from nas.training.objectives import PRETRAINING_OBJECTIVES
from nas.training.objectives.contrastive import nt_xent
from nas.training.objectives.mlm import MaskedTokens, masked_loss
from nas.training.objectives.pairs import cut, pair_batches
from nas.training.objectives.rtd import generator_of, replace_tokens
from nas.training.objectives.wso import shuffled
from nas.training.schedule import Schedule
from nas.training.watch import Watch
from search_spaces import Architecture
from search_spaces.kinds import SLOTS

VOCABULARY = 40
RNG = np.random.default_rng(0)
BLOCKS = np.concatenate(
    [np.full((24, 1), 2), RNG.integers(5, VOCABULARY, (24, 11))], axis=1
)  # fmt: skip
BLOCKS[:, [5, 11]] = 3  # [SEP]: two lines in each block
CPU = torch.device("cpu")


def build(dropout=0.0, **more):
    torch.manual_seed(0)
    encoder = Encoder(
        Architecture.from_dict(
            {"l": 2, "o": ["sa"] * 2, "h": [8] * 2, "n": [2] * 2, "f": [[8]] * 2, "p": ["sdp"] * 2}
            | more
        ),
        VOCABULARY,
        max_length=12,
        dropout=dropout,
    )  # fmt: skip
    return encoder, MaskedLanguageHead(encoder)


def make(name, **settings):
    kind = SLOTS["objective"].kinds[name]
    defaults = {key: setting.default for key, setting in kind.settings.items()}
    return PRETRAINING_OBJECTIVES[name](**{**defaults, **settings})


def batch_of(term, *, seed=1, start=0):
    return next(
        term.batches(BLOCKS, batch_size=6, vocabulary_size=VOCABULARY, seed=seed, start=start)
    )


def tensors(batch):
    return [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]


KINDS = sorted(PRETRAINING_OBJECTIVES)


@pytest.mark.parametrize("name", KINDS)
def test_batches_are_decided_by_the_seed_and_go_on_from_any_number(name):
    term = make(name)
    stream = term.batches(BLOCKS, batch_size=6, vocabulary_size=VOCABULARY, seed=1, start=0)
    found = [next(stream) for _ in range(6)]
    for number in (0, 3, 5):
        again = batch_of(term, start=number)
        assert all(map(torch.equal, tensors(found[number]), tensors(again)))
    other = batch_of(term, seed=2)
    assert not all(map(torch.equal, tensors(found[0]), tensors(other)))


@pytest.mark.parametrize("name", KINDS)
def test_a_step_moves_the_encoder_and_everything_of_its_own(name):
    encoder, head = build(dropout=0.1)
    term = make(name)
    term.begin(encoder, head, steps=10)
    torch.manual_seed(3)
    losses = list(term.losses(encoder, head, batch_of(term), CPU, "fp32", 1))
    sum(losses).backward()
    assert all(loss.ndim == 0 and loss.isfinite() for loss in losses)
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.layers.parameters())
    for module in term.modules.values():
        for key, p in module.named_parameters():
            if "pooler" not in key:
                assert p.grad is not None, f"{name}: {key}"


@pytest.mark.parametrize("feedforward", ["moe(experts=2)", "meo"])
@pytest.mark.parametrize("name", KINDS)
def test_experts_that_want_to_be_used_evenly_learn_with_every_objective(name, feedforward):
    """What layers want is differentiated with the loss whose pass they wanted it in."""
    if feedforward == "meo" and name in CAUSAL:
        pytest.skip("it reads later tokens, and is refused")
    encoder, head = build(parts=[{"feedforward": feedforward}] * 2)
    term = make(name)
    term.begin(encoder, head, steps=2)
    loop = Loop(
        [encoder, head, *term.modules.values()], schedule=Schedule.linear(2, 0.5),
        learning_rate=0.1, weight_decay=0.0, clip=1.0, stage="test", watch=Watch(),
    )  # fmt: skip
    before = [p.detach().clone() for p in encoder.layers[0].parameters()]
    for _ in range(2):
        batch = batch_of(term)
        loop.step(lambda parts, batch=batch: term.losses(encoder, head, batch, CPU, "fp32", parts))
    assert math.isfinite(loop.finish())
    now = encoder.layers[0].parameters()
    assert any((a != b).any() for a, b in zip(before, now, strict=True))


@pytest.mark.parametrize("name", KINDS)
def test_parts_of_a_batch_add_up_to_the_whole(name):
    if name == "contrastive":
        pytest.skip("its negatives are those of the part")
    encoder, head = build()
    term = make(name, **({"contrastive": 0.0, "decoder": 1} if name == "e2s2" else {}))
    term.begin(encoder, head, steps=10)
    batch = batch_of(term)
    found = []
    for parts in (1, 3):
        torch.manual_seed(3)
        found.append(sum(term.losses(encoder, head, batch, CPU, "fp32", parts)).item())
    # what a generator draws depends on how the batch passes
    assert found[0] == pytest.approx(found[1], rel=0.2 if name == "rtd" else 1e-5)


@pytest.mark.parametrize("name", KINDS)
def test_the_loss_of_text_held_out_is_alike_for_all(name):
    encoder, head = build(dropout=0.1)
    term = make(name)
    term.begin(encoder, head, steps=10)
    before = torch.get_rng_state()
    found = [
        term.validation_loss(encoder, head, BLOCKS, vocabulary_size=VOCABULARY, precision="fp32")
        for _ in range(2)
    ]
    assert found[0] == found[1]
    assert math.isfinite(found[0])
    assert torch.equal(before, torch.get_rng_state())


class Fixed(nn.Module):
    """An encoder whose hidden states are what it is given."""

    def __init__(self, states):
        super().__init__()
        self.states = nn.Parameter(states)

    def forward(self, tokens, keep=None, token_types=None, at=None):
        return self.states if at is None else self.states.flatten(0, 1)[at]


def test_masked_tokens_by_hand():
    """Two masked tokens: their cross entropy, and no gradient at any other place."""
    batch = next(mlm_batches(BLOCKS[:1], batch_size=1, vocabulary_size=VOCABULARY, mask_rate=0.15))
    states = torch.zeros(1, 12, VOCABULARY)
    encoder, targets = Fixed(states), batch.targets
    with torch.no_grad():
        encoder.states[0, batch.positions[0], targets[0]] = math.log(3)
    loss = masked_loss(encoder, nn.Identity(), batch, CPU)
    first = math.log(VOCABULARY + 2) - math.log(3)
    assert loss.item() == pytest.approx((first + math.log(VOCABULARY)) / 2, rel=1e-6)
    loss.backward()
    reached = encoder.states.grad[0].abs().sum(1).nonzero().flatten()
    assert torch.equal(reached, batch.positions)


def test_the_z_loss_is_the_square_of_the_log_of_the_denominator():
    batch = next(mlm_batches(BLOCKS[:1], batch_size=1, vocabulary_size=VOCABULARY, mask_rate=0.15))
    encoder = Fixed(torch.zeros(1, 12, VOCABULARY))
    plain = masked_loss(encoder, nn.Identity(), batch, CPU)
    with_z = masked_loss(encoder, nn.Identity(), batch, CPU, 0.5)
    assert (with_z - plain).item() == pytest.approx(0.5 * math.log(VOCABULARY) ** 2, rel=1e-6)


def test_the_share_of_masked_tokens_moves_on_a_line():
    term = MaskedTokens(0.5, final_rate=0.25)
    term.begin(None, None, steps=9)
    assert [term.rate(step) for step in (0, 4, 8, 20)] == [0.5, 0.375, 0.25, 0.25]
    assert not term.shares_start
    stream = term.batches(BLOCKS, batch_size=6, vocabulary_size=VOCABULARY, seed=0, start=0)
    counts = [len(next(stream).targets) for _ in range(9)]
    assert counts == [round(term.rate(step) * 72) for step in range(9)]
    assert len(batch_of(term, start=8).targets) == counts[8]


def test_a_generator_and_its_encoder_share_embeddings_in_three_ways():
    for sharing in ("disentangled", "shared", "none"):
        encoder, head = build()
        term = make("rtd", sharing=sharing)
        term.begin(encoder, head, steps=10)
        generator = term.modules["generator"]
        table, own = generator.embeddings.tokens.weight, encoder.embeddings.tokens.weight
        torch.manual_seed(0)
        filling, detection = term.both(encoder, batch_of(term))
        grads = {}
        for name, loss in (("filling", filling), ("detection", detection)):
            for key, p in (("generator", table), ("encoder", own)):
                (found,) = torch.autograd.grad(loss, p, retain_graph=True, allow_unused=True)
                grads[name, key] = 0.0 if found is None else float(found.abs().sum())
        assert grads["filling", "generator"] > 0
        assert grads["detection", "encoder"] > 0
        together = sharing == "shared"
        assert (table is own) == together
        assert (grads["filling", "encoder"] > 0) == together
        assert (grads["detection", "generator"] > 0) == together
        assert torch.equal(table, own) == (sharing != "none")


def test_a_disentangled_table_is_the_generators_and_a_difference_of_its_own():
    encoder, head = build()
    term = make("rtd")
    term.begin(encoder, head, steps=10)
    table = term.modules["generator"].embeddings.tokens.weight
    own = encoder.embeddings.tokens.weight
    modules = [encoder, *term.modules.values()]
    rates = {id(table): 0.5, id(own): 0.25}
    difference = torch.zeros_like(own)
    for step in range(3):
        torch.manual_seed(step)
        for module in modules:
            module.zero_grad()
        sum(term.losses(encoder, head, batch_of(term, start=step), CPU, "fp32", 1)).backward()
        difference -= rates[id(own)] * own.grad
        with torch.no_grad():
            for p in (table, own):
                p.sub_(rates[id(p)] * p.grad)
        term.after_step()
        torch.testing.assert_close(own, table + difference)
    assert difference.abs().sum() > 0


def test_what_is_drawn_as_it_stood_counts_as_the_original():
    batch = next(
        mlm_batches(BLOCKS[:4], batch_size=4, vocabulary_size=VOCABULARY, replacement="mask")
    )
    sure = torch.full((len(batch.targets), VOCABULARY), -1e9)
    sure[torch.arange(len(batch.targets)), batch.targets] = 0.0
    tokens, replaced = replace_tokens(batch, sure)
    assert replaced.sum() == 0
    assert torch.equal(tokens.sort(0).values, torch.from_numpy(BLOCKS[:4]).sort(0).values)
    wrong = sure.roll(1, 1)
    tokens, replaced = replace_tokens(batch, wrong)
    assert torch.equal(replaced.flatten().nonzero().flatten(), batch.positions)
    assert torch.equal(tokens.flatten()[batch.positions], (batch.targets + 1) % VOCABULARY)


def test_detection_has_a_signal_at_every_place_and_its_loss_by_hand():
    encoder, head = build()
    term = make("rtd")
    term.begin(encoder, head, steps=10)
    states = Fixed(torch.randn(6, 12, 8))
    batch = batch_of(term)
    _, detection = term.both(states, batch)
    detection.backward()
    assert (states.states.grad.abs().sum(2) > 0).all()
    with torch.no_grad():
        for p in term.modules["detector"].parameters():
            p.zero_()
    assert term.both(states, batch)[1].item() == pytest.approx(math.log(2), rel=1e-6)


def test_a_generator_is_the_first_layers():
    encoder, _ = build()
    assert len(generator_of(encoder.architecture, 0.5).layers) == 1
    assert len(generator_of(encoder.architecture, 0.05).layers) == 1
    assert generator_of(encoder.architecture, 1.0).layers == encoder.architecture.layers


def test_trigrams_are_shuffled_among_themselves_and_hold_no_special_token():
    blocks = np.random.default_rng(1).integers(5, VOCABULARY, (200, 30))
    blocks[:, ::10] = 3
    batch = shuffled(blocks, 0.3, np.random.default_rng(0))
    places, targets = batch.positions.view(-1, 3), batch.targets.view(-1, 3)
    found = batch.tokens.flatten()[places]
    assert torch.equal(found.sort(1).values, targets.sort(1).values)
    assert (targets >= 5).all()
    assert len(places.unique()) == places.numel()
    # a trigram of one word three times has no other order
    differ = (found != targets).any(1) | (targets.sort(1).values.diff(dim=1) == 0).any(1)
    assert differ.all()
    assert places.numel() / blocks.size == pytest.approx(0.3, abs=0.003)
    rest = torch.ones(blocks.size, dtype=torch.bool)
    rest[places.flatten()] = False
    assert torch.equal(batch.tokens.flatten()[rest], torch.from_numpy(blocks).flatten()[rest])


def test_shuffled_words_by_hand():
    batch = shuffled(BLOCKS[:1].copy(), 0.05, np.random.default_rng(0))
    encoder = Fixed(torch.zeros(1, 12, VOCABULARY))
    loss = masked_loss(encoder, nn.Identity(), batch, CPU)
    assert loss.item() == pytest.approx(math.log(VOCABULARY), rel=1e-6)
    loss.backward()
    reached = encoder.states.grad[0].abs().sum(1).nonzero().flatten()
    assert torch.equal(reached, batch.positions)


def test_a_block_is_cut_after_the_line_nearest_its_middle():
    first, second = cut(np.array([2, 7, 8, 3, 9, 3, 6, 6, 6, 3]))
    assert (first.tolist(), second.tolist()) == ([7, 8, 3], [9, 3, 6, 6, 6, 3])
    first, second = cut(np.array([2, 7, 8, 9, 6]))
    assert (first.tolist(), second.tolist()) == ([7, 8], [9, 6])


def test_pairs_are_what_their_labels_say():
    blocks = np.random.default_rng(1).integers(5, VOCABULARY, (3000, 12))
    blocks[:, 0], blocks[:, [5, 11]] = 2, 3
    blocks[:, 1] = blocks[:, 6] = np.arange(3000) + 1000  # both pieces know their block
    batch = next(pair_batches(blocks, batch_size=3000, seed=0, labels=(0, 1, 2)))
    share = np.bincount(batch.labels) / 3000
    assert share == pytest.approx([1 / 3] * 3, abs=0.03)
    assert batch.keep.all()
    for tokens, types, label in zip(
        batch.tokens[:60], batch.token_types[:60], batch.labels[:60], strict=True
    ):
        begins = int(types.argmax())
        block = blocks[int(tokens[1]) - 1000]
        same = tokens[1] == tokens[begins]
        assert same == (label != 2)
        expected = block[1:6] if label in (0, 2) else block[6:]
        assert tokens[1:begins].tolist() == expected.tolist()
        if label != 2:
            assert tokens[begins:].tolist() == (block[6:] if label == 0 else block[1:6]).tolist()


@pytest.mark.parametrize(("name", "classes"), [("nsp", 2), ("sso", 3)])
def test_an_order_of_nothing_known_costs_the_logarithm_of_the_classes(name, classes):
    encoder, head = build()
    term = make(name)
    term.begin(encoder, head, steps=10)
    with torch.no_grad():
        for p in term.modules["order"].parameters():
            p.zero_()
    (loss,) = term.losses(encoder, head, batch_of(term), CPU, "fp32", 1)
    assert loss.item() == pytest.approx(math.log(classes), rel=1e-6)
    assert set(batch_of(term).labels.tolist()) <= {0, 1, 2}
    assert (1 in batch_of(term).labels) == (name == "sso")


def test_two_views_of_two_texts_by_hand():
    """Orthonormal texts at temperature 1: one of two others is as like as can be."""
    views = torch.eye(2)
    assert nt_xent(views, views, temperature=1.0).item() == pytest.approx(
        math.log(1 + 2 / math.e), rel=1e-6
    )
    assert 2 * nt_xent(views, views, temperature=1.0).item() == pytest.approx(1.10289, abs=1e-5)
    scaled = nt_xent(3 * views, 5 * views, temperature=1.0)
    assert scaled.item() == pytest.approx(math.log(1 + 2 / math.e), rel=1e-6)


def test_all_parts_of_a_masked_batch_have_all_targets():
    batch = batch_of(make("mlm"))
    parts = list(split_masked(batch, 3))
    assert sum(len(part.targets) for part, _ in parts) == len(batch.targets)
