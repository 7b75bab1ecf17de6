"""Layers on two streams: gradients of the stored twin, memory, the way back, and their export."""

import copy
from collections import Counter

import pytest
import torch
from torch import nn

from nas.data.tokenizer import train_tokenizer
from nas.evaluation.suites.glue import glue_task
from nas.models.coupling import couple, coupling_of, uncouple
from nas.models.encoder import Encoder
from nas.models.heads import ClassificationHead
from nas.models.reversible import Adapter
from nas.zoo.loading import load_model
from nas.zoo.writing import export_model
from search_spaces import Architecture
from search_spaces.parts import Part

every_variant = pytest.mark.parametrize("variant", [1, 2, 3])
TOKENS = torch.arange(1, 28).reshape(3, 9)
KEEP = torch.arange(9)[None] < torch.tensor([9, 5, 7])[:, None]


def built(layers=4, width=16, dropout=0.0, kind=("sa", "sdp"), **parts):
    torch.manual_seed(0)
    described = {"l": layers, "o": [kind[0]] * layers, "h": [width] * layers, "n": [2] * layers,
                 "f": [[4 * width]] * layers, "p": [kind[1]] * layers}  # fmt: skip
    return Encoder(Architecture.from_dict({**described, **parts}), 60, dropout=dropout)


def coupled(encoder, *, trained=True, **settings):
    couple(encoder, Part.of("reversible", settings))
    encoder.coupling.to(next(encoder.parameters()).dtype)
    for adapter in encoder.coupling.modules():
        if trained and isinstance(adapter, Adapter):
            nn.init.normal_(adapter.up.weight, std=0.1)
    return encoder


def stored(encoder, variant, scale):
    """The pooled states of two streams as the paper writes them, everything kept by autograd."""
    beside = encoder.coupling.beside
    one = two = encoder.embeddings(TOKENS, None, KEEP)
    for number, layer in enumerate(encoder.layers):
        if variant == 1:
            one = scale * one + layer(two, KEEP)
            if number < len(beside):
                two = two + beside[number](one)
            one, two = two, one
        elif variant == 2:
            one = one + beside[number](two)
            two = scale * two + layer(one, KEEP)
            one, two = two, one
        else:
            one = scale * one + layer.after_heads(two, KEEP)
            two = scale * two + layer.after_feedforward(one, KEEP)
    return encoder.pool(one if variant == 2 else two, KEEP)


def gradients(encoder, pooled):
    encoder.zero_grad()
    pooled.sin().sum().backward()
    return {name: p.grad for name, p in encoder.named_parameters() if p.grad is not None}


@every_variant
@pytest.mark.parametrize("segment", [0, 1, 3])
def test_gradients_are_those_of_the_stored_twin(variant, segment):
    encoder = coupled(built().double(), variant=variant, segment=segment)
    own = encoder.pooled(TOKENS, KEEP)
    twin = stored(encoder, variant, 0.1)
    torch.testing.assert_close(own, twin, atol=1e-12, rtol=0)
    expected = {name: g.clone() for name, g in gradients(encoder, twin).items()}
    found = gradients(encoder, own)
    assert found.keys() == expected.keys()
    for name, gradient in expected.items():
        assert (found[name] - gradient).norm() <= 1e-8 * gradient.norm(), name


@every_variant
def test_dropout_is_replayed(variant):
    encoder = coupled(built(dropout=0.3).double().train(), variant=variant)
    found = []
    for build in (lambda: encoder.pooled(TOKENS, KEEP), lambda: stored(encoder, variant, 0.1)):
        torch.manual_seed(5)
        pooled = build()
        drawn = torch.get_rng_state()
        found.append({k: g.clone() for k, g in gradients(encoder, pooled).items()})
        assert torch.equal(torch.get_rng_state(), drawn)  # going back moves no generator
    for name, gradient in found[1].items():
        torch.testing.assert_close(found[0][name], gradient, atol=1e-9, rtol=1e-7)


def peak(encoder, length=32):
    """Return the most bytes that are kept for gradients at one time, weights not counted."""
    own = {t.untyped_storage().data_ptr() for t in (*encoder.parameters(), *encoder.buffers())}
    times, now, most = Counter(), 0, 0

    class Kept:
        def __init__(self, tensor):
            nonlocal now, most
            storage = tensor.untyped_storage()
            self.tensor, self.place, self.size = tensor, storage.data_ptr(), storage.nbytes()
            times[self.place] += 1
            if self.place not in own and times[self.place] == 1:
                now += self.size
                most = max(most, now)

        def __del__(self):
            nonlocal now
            times[self.place] -= 1
            if self.place not in own and not times[self.place]:
                now -= self.size

    tokens = torch.randint(1, 60, (4, length))
    with torch.autograd.graph.saved_tensors_hooks(Kept, lambda found: found.tensor):
        encoder.pooled(tokens, torch.ones_like(tokens, dtype=torch.bool)).sum().backward()
    return most


def frozen(encoder):
    for p in encoder.parameters():
        p.requires_grad_(requires_grad=False)
    for module in (encoder.coupling, encoder.embeddings.norm, encoder.pooler):
        module.requires_grad_()
    return encoder


@every_variant
def test_what_is_kept_is_little_and_does_not_grow_with_depth(variant):
    whole = peak(built(12, 32, 0.1).train())
    assert peak(frozen(coupled(built(12, 32, 0.1).train(), variant=variant))) <= 0.3 * whole
    alone = {
        layers: peak(frozen(coupled(built(layers, 32).train(), variant=variant, segment=0)))
        for layers in (6, 12)
    }
    assert alone[6] == alone[12] < 0.12 * whole


@every_variant
def test_untrained_adapters_begin_at_the_backbone_as_the_scale_falls(variant):
    encoder = built().double()
    backbone = encoder(TOKENS, KEEP)[KEEP]
    far = []
    for scale in (1e-1, 1e-2, 1e-3):
        coupled(encoder, trained=False, variant=variant, scale=scale)
        far.append((encoder(TOKENS, KEEP)[KEEP] - backbone).abs().max().item())
    assert far[0] < 1.0
    assert far[0] / far[1] == pytest.approx(10, rel=0.4)
    assert far[1] / far[2] == pytest.approx(10, rel=0.1)
    uncouple(encoder)
    assert torch.equal(encoder(TOKENS, KEEP)[KEEP], backbone)


def test_a_pair_every_few_layers_keeps_what_rounding_would_lose():
    """Twelve layers of a scale of 0.1 in single precision, against double."""
    lost = {}
    for segment in (0, 3):
        encoder = coupled(built(12), trained=False, variant=1, segment=segment)
        with torch.no_grad():
            for layer in encoder.layers:
                layer.feedforward_norm.weight.mul_(0.5)
        found = gradients(encoder, encoder.pooled(TOKENS, KEEP))["embeddings.norm.weight"].double()
        exact = encoder.double()
        expected = gradients(exact, stored(exact, 1, 0.1))["embeddings.norm.weight"]
        lost[segment] = ((found - expected).norm() / expected.norm()).item()
    assert lost[3] < 1e-3
    assert lost[3] < lost[0] / 10


def test_states_are_those_of_each_layer_where_nothing_learns():
    encoder = coupled(built(), trained=False, variant=1, scale=1e-9)
    with torch.no_grad():
        found = encoder.states(TOKENS, KEEP)
        uncouple(encoder)
        for own, plain in zip(found, encoder.states(TOKENS, KEEP), strict=True):
            torch.testing.assert_close(own[KEEP], plain[KEEP], atol=1e-5, rtol=0)


def test_a_copy_has_adapters_of_its_own():
    encoder = coupled(built())
    before = encoder.pooled(TOKENS, KEEP)
    other = copy.deepcopy(encoder)
    with torch.no_grad():
        for p in other.coupling.parameters():
            p.add_(1.0)
    assert torch.equal(encoder.pooled(TOKENS, KEEP), before)
    assert not torch.allclose(other.pooled(TOKENS, KEEP), before)


@pytest.mark.parametrize("kind", [("sa", "wma"), ("c", 5), ("longconv", "filter=64")])
@every_variant
def test_every_kind_of_head_is_reversed(kind, variant):
    encoder = coupled(built(kind=kind).double(), variant=variant)
    found = gradients(encoder, encoder.pooled(TOKENS, KEEP))
    found = {name: g.clone() for name, g in found.items()}
    for name, gradient in gradients(encoder, stored(encoder, variant, 0.1)).items():
        torch.testing.assert_close(found[name], gradient, atol=1e-10, rtol=1e-7)


def test_it_is_exported_with_its_streams(tmp_path):
    encoder = coupled(built(2), variant=1, scale=0.2, inner=4, segment=1)
    head = ClassificationHead(16, 2, 0.0)
    weights = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    weights |= {f"classifier.{k}": v for k, v in head.state_dict().items()}
    assert coupling_of(weights) == "reversible(inner=4,scale=0.2,segment=1,variant=1)"
    expected = head(encoder.eval().pooled(TOKENS, KEEP))
    uncouple(encoder)
    assert coupling_of({f"encoder.{k}": v for k, v in encoder.state_dict().items()}) is None
    folder = export_model(
        tmp_path / "model",
        architecture=encoder.architecture,
        weights=encoder.state_dict(),
        tokenizer_json=train_tokenizer(["the cat sat on the mat", "a dog ran"], 60).json,
        model_options={"vocabulary_size": 60},
        card={"architecture": "small", "scores": {"glue": 0.7}, "run": {"policy": "none"}},
        task_weights={glue_task("sst2"): weights},
    )
    model = load_model(folder, task="sst2")
    said = model(TOKENS, KEEP.long()).logits
    torch.testing.assert_close(said, expected)
    # the encoder alone needs no code for streams, and its folder has none
    assert "class Reversible" in (folder / "sst2" / "modeling_flexibert.py").read_text()
    assert "class Reversible" not in (folder / "modeling_flexibert.py").read_text()
    from transformers import AutoModelForSequenceClassification

    alone = AutoModelForSequenceClassification.from_pretrained(
        folder / "sst2", trust_remote_code=True
    )
    torch.testing.assert_close(alone(TOKENS, KEEP.long()).logits, expected)
