"""Inherited weights: equal architectures bit by bit, growth without change, consistent maps."""

import pytest
import torch
from safetensors.torch import save_file
from torch.testing import assert_close

from nas.models.axes import TRANSFER_METHODS, AxisMaps, grown
from nas.models.encoder import Encoder
from nas.models.feedforwards import FEEDFORWARDS
from nas.models.heads import MaskedLanguageHead
from nas.models.mixers import MIXERS
from nas.models.transfer import Inheritance, inherit_weights
from search_spaces import load_space
from search_spaces.errors import InvalidData, UnknownName
from tests.nas.models.test_overlap import make

VOCABULARY, LENGTH = 50, 12
KINDS = sorted({f"c_{k}" for k in (3, 5)} | {name for name in MIXERS if name != "c"})
every_kind = pytest.mark.parametrize("kind", KINDS)
every_method = pytest.mark.parametrize("method", sorted(TRANSFER_METHODS))


def with_positions(name, values):
    """Every value with every kind, and either positions with each: all pairs, not all triples."""
    pairs = [
        (value, kind, ("relative", "absolute")[(i + j) % 2])
        for i, value in enumerate(values)
        for j, kind in enumerate(KINDS)
    ]
    return pytest.mark.parametrize((name, "kind", "positions"), pairs)


def build(architecture, positions="relative", *, seed=0, trained=True):
    """Encoder and head in eval mode; `trained` moves all tensors, norms and biases included."""
    torch.manual_seed(seed)
    encoder = Encoder(architecture, VOCABULARY, max_length=LENGTH, positions=positions)
    head = MaskedLanguageHead(encoder)
    for parameter in [*encoder.parameters(), *head.parameters()]:
        if trained:
            parameter.data += 0.1 * torch.randn_like(parameter)
    return encoder.eval(), head.eval()


def tensors_of(encoder, head):
    named = {f"encoder.{n}": t.clone() for n, t in encoder.state_dict().items()}
    return named | {f"mlm.{n}": t.clone() for n, t in head.state_dict().items()}


def answers(encoder, head):
    tokens = torch.randint(1, VOCABULARY, (3, LENGTH), generator=torch.Generator().manual_seed(1))
    keep = torch.arange(LENGTH).expand(3, -1) < torch.tensor([[LENGTH], [7], [3]])
    with torch.no_grad():
        hidden = encoder(tokens, keep)
        return hidden[keep], head(hidden[keep]), encoder.pool(hidden)


def inherit(child, parent, method="grow", positions="relative", seed=0):
    """What parent and child compute, the report, and the child's tensors."""
    old, new = build(parent, positions), build(child, positions, seed=1, trained=False)
    report = inherit_weights(
        new[0], child, parent, tensors_of(*old), head=new[1], method=method, seed=seed
    )
    return answers(*old), answers(*new), report, tensors_of(*new)


def layer(kinds, width=16, heads=2, head_width=8, feedforward=(24,)):
    kinds = [kinds] if isinstance(kinds, str) else kinds
    return width, [f"{k}_{head_width}" for k in kinds for _ in range(heads)], feedforward


@with_positions("method", sorted(TRANSFER_METHODS))
def test_an_equal_architecture_gets_equal_bits(method, kind, positions):
    same = make(layer(kind), layer(kind, width=32))
    before, after, report, tensors = inherit(same, same, method, positions)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert report.share == 1.0
    given = tensors_of(*build(same, positions))
    assert all(torch.equal(given[name], tensors[name]) for name in given)


GROWN = {
    "more heads": lambda k: [layer(k, heads=3)] * 2,
    "wider feed-forward": lambda k: [layer(k, feedforward=(40,))] * 2,
    "deeper feed-forward": lambda k: [layer(k, feedforward=(24, 24, 32)), layer(k)],
    "twice as wide": lambda k: [layer(k, width=32)] * 2,
    "wider at the end": lambda k: [layer(k), layer(k, width=48)],
    "deeper": lambda k: [layer(k)] * 4,
    "another kind too": lambda k: [layer([k, "c_7"])] * 2,
    "all of it": lambda k: [layer(k, width=32, heads=4, feedforward=(48, 96))] * 4,
}


@with_positions("growth", GROWN)
def test_growing_keeps_what_the_parent_computes(growth, kind, positions):
    parent, child = make(layer(kind), layer(kind)), make(*GROWN[growth](kind))
    before, after, _, _ = inherit(child, parent, positions=positions)
    assert_close(after[1], before[1], atol=1e-5, rtol=1e-5)
    repeats = after[0].shape[1] // before[0].shape[1]
    assert_close(after[0], before[0].repeat(1, repeats), atol=1e-5, rtol=1e-5)
    assert_close(after[2], before[2].repeat(1, repeats), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", ["sa_sdp", "sa_wma", "c_3"])
def test_growing_heads_keeps_what_they_compute(kind):
    parent, child = make(layer(kind)), make(layer([kind, "sa_sdp"], head_width=20))
    before, after, _, _ = inherit(child, parent)
    assert_close(after[1], before[1], atol=1e-5, rtol=1e-5)


def test_scaled_products_become_weighted_ones_without_change():
    before, after, _, _ = inherit(make(layer("sa_wma")), make(layer("sa_sdp")))
    assert_close(after[1], before[1], atol=1e-5, rtol=1e-5)


def test_growth_through_changing_widths_keeps_what_the_parent_computes():
    parent = make(layer("sa_sdp", width=32), layer("l_dct"))
    child = make(*[layer("sa_sdp", width=32)] * 2, *[layer("l_dct", heads=3)] * 2)
    before, after, report, _ = inherit(child, parent)
    assert report.layers == (0, None, 1, None)
    assert_close(after[1], before[1], atol=1e-5, rtol=1e-5)


def test_a_width_that_is_no_multiple_is_near_and_nearer_than_a_slice():
    parent, child = make(*[layer("sa_sdp")] * 2), make(*[layer("sa_sdp", width=24)] * 2)
    distances = []
    for method in ("grow", "slice"):
        before, after, _, _ = inherit(child, parent, method)
        distances.append(float((before[1] - after[1]).norm() / before[1].norm()))
    assert distances[0] < 0.15 < distances[1]


@every_kind
def test_copies_do_not_stay_copies(kind):
    parent, child = make(layer(kind)), make(layer(kind, width=32, feedforward=(48,)))
    encoder, head = build(child, seed=1, trained=False)
    inherit_weights(encoder, child, parent, tensors_of(*build(parent)), head=head)
    tokens = torch.randint(1, VOCABULARY, (4, LENGTH))
    head(encoder(tokens).flatten(0, 1)).logsumexp(1).sum().backward()
    for weight in (encoder.layers[0].mixed.weight, encoder.layers[0].feedforward.output.weight):
        first, second = weight.grad.chunk(2)
        ratio = (first / second).flatten()
        assert not torch.allclose(first, second)
        assert ratio.std() > 1e-3  # not even in proportion, which Adam would not tell apart
    first, second = encoder.layers[0].feedforward.stack[0].weight.grad.chunk(2)
    assert (first / second).std() > 1e-3


def test_a_slice_keeps_the_first_of_every_axis_in_order():
    parent = make(layer("sa_sdp", width=32, heads=4, feedforward=(40,)))
    child = make(layer("sa_sdp", head_width=6))
    _, _, _, tensors = inherit(child, parent, "slice")
    given = tensors_of(*build(parent))
    name = "encoder.layers.0.feedforward.output.weight"
    assert torch.equal(tensors[name], given[name][:16, :24])
    name = "encoder.embeddings.tokens.weight"
    assert torch.equal(tensors[name], given[name][:, :16])
    name = "encoder.layers.0.mixers.sa_sdp.query_key_value.weight"
    parts = given[name].unflatten(0, (3, 4, 8))[:, :2, :6, :16]
    assert torch.equal(tensors[name], parts.flatten(0, 2))
    name = "encoder.layers.0.mixed.weight"
    assert torch.equal(tensors[name], given[name].unflatten(1, (4, 8))[:16, :2, :6].flatten(1))


def test_a_slice_fills_the_first_part_and_leaves_the_rest_new():
    parent, child = make(layer("sa_sdp")), make(layer("sa_sdp", feedforward=(40,)))
    fresh = tensors_of(*build(child, seed=1, trained=False))
    _, _, report, tensors = inherit(child, parent, "slice")
    name = "encoder.layers.0.feedforward.stack.0.weight"
    assert torch.equal(tensors[name][:24], tensors_of(*build(parent))[name])
    assert torch.equal(tensors[name][24:], fresh[name][24:])
    assert report.inherited == report.parameters - 16 * (17 + 16)


def test_heads_go_to_heads_of_their_kind():
    parent = make((16, ["l_dct_8", "sa_sdp_8", "c_3_8"], (24,)))
    child = make((16, ["sa_sdp_8", "c_3_8"], (24,)))
    _, _, _, tensors = inherit(child, parent)
    given = tensors_of(*build(parent))
    for name in tensors:
        if ".mixers." in name:
            assert torch.equal(tensors[name], given[name])
    joined = given["encoder.layers.0.mixed.weight"].unflatten(1, (3, 8))
    # kinds stand in sorted order: c_3, l_dct, sa_sdp
    kept = torch.cat([joined[:, 0], joined[:, 2]], 1)
    assert torch.equal(tensors["encoder.layers.0.mixed.weight"], kept)


@pytest.mark.parametrize("width", [8, 32])
def test_tensors_that_share_an_axis_share_one_projection(width):
    parent, child = make(layer("sa_sdp")), make(layer("sa_sdp", width=width))
    given, tensors = tensors_of(*build(parent)), inherit(child, parent, "projection", seed=4)[3]
    table = "encoder.embeddings.tokens.weight"
    # the projection by its effect on the embedding alone, then every other tensor by formula
    write = torch.linalg.lstsq(given[table].double(), tensors[table].double()).solution.t()
    read = torch.linalg.pinv(write).t()
    longer = max(1.0, 16 / width)
    assert_close(write @ write.t() / longer if width < 16 else write.t() @ write,
                 torch.eye(min(width, 16), dtype=torch.float64), atol=1e-4, rtol=0)  # fmt: skip
    for name in ("mixers.sa_sdp.query_key_value", "feedforward.stack.0"):
        weight = given[f"encoder.layers.0.{name}.weight"].double()
        assert_close(
            tensors[f"encoder.layers.0.{name}.weight"].double(), weight @ read.t(),
            atol=1e-4, rtol=0,
        )  # fmt: skip
    for name in ("mixed", "feedforward.output"):
        weight = given[f"encoder.layers.0.{name}.weight"].double()
        assert_close(
            tensors[f"encoder.layers.0.{name}.weight"].double(), write @ weight, atol=1e-4, rtol=0
        )
    norm = given["encoder.layers.0.mixed_norm.bias"].double()
    assert_close(
        tensors["encoder.layers.0.mixed_norm.bias"].double(), write @ norm, atol=1e-4, rtol=0
    )


@every_method
def test_any_pair_of_a_space_gives_finite_weights_and_the_same_again(method):
    found = load_space("flexibert-micro").sample(5, seed=5)
    mixed = make(layer(["c_5", "l_dft", "sa_sdp"], width=48, heads=1, head_width=20))
    for child, parent in [*zip(found, found[1:], strict=False), (mixed, found[0])]:
        _, after, report, tensors = inherit(child, parent, method)
        assert all(torch.isfinite(t).all() for t in [*after, *tensors.values()])
        assert 0 < report.share <= 1
        again = inherit(child, parent, method)[3]
        assert all(torch.equal(tensors[name], again[name]) for name in tensors)


def test_every_block_says_what_its_axes_are():
    for kind in KINDS:
        encoder, _ = build(make(layer(kind)))
        mixer = encoder.layers[0].mixers[kind]
        assert set(dict(mixer.named_parameters())) <= set(mixer.axes)
    for block in FEEDFORWARDS.values():
        built = block(16, (24, 32))
        assert set(dict(built.named_parameters())) == set(built.axes)


def test_a_mixer_that_does_not_say_is_taken_whole_or_not_at_all(monkeypatch):
    monkeypatch.setattr("nas.models.mixers.SelfAttention.axes", {})
    same, other = make(layer("sa_sdp")), make(layer("sa_sdp", heads=3))
    before, after, _, _ = inherit(same, same)
    assert torch.equal(before[1], after[1])
    assert inherit(other, same)[2].share < 1


def test_other_vocabularies_and_other_architectures_are_refused():
    parent, child = make(layer("sa_sdp")), make(layer("sa_sdp", heads=3))
    encoder, _ = build(child)
    given = tensors_of(*build(parent))
    before = tensors_of(*build(child))
    with pytest.raises(InvalidData, match="have the shape .*Inherit from weights of this"):
        inherit_weights(encoder, child, make(layer("sa_sdp", width=32)), given)
    with pytest.raises(InvalidData, match="are missing at 'encoder.layers.1.mixed.weight'"):
        inherit_weights(encoder, child, make(layer("sa_sdp"), layer("sa_sdp")), given)
    with pytest.raises(UnknownName, match="No way to inherit weights is called 'growth'"):
        inherit_weights(encoder, child, parent, given, method="growth")
    given["encoder.embeddings.tokens.weight"] = torch.zeros(60, 16)
    with pytest.raises(InvalidData, match="with 50 token ids.*the same tokenizer"):
        inherit_weights(encoder, child, parent, given)
    after = {f"encoder.{n}": t for n, t in encoder.state_dict().items()}
    assert all(torch.equal(before[name], after[name]) for name in after)


def test_weights_that_cannot_be_read_are_reported(tmp_path):
    parent = make(layer("sa_sdp"))
    with pytest.raises(InvalidData, match=r"w\.safetensors, cannot be read"):
        Inheritance(parent, tmp_path / "w.safetensors").read()
    (tmp_path / "w.safetensors").write_text("not one")
    with pytest.raises(InvalidData, match="cannot be read"):
        Inheritance(parent, tmp_path / "w.safetensors").read()
    save_file(tensors_of(*build(parent)), tmp_path / "good.safetensors")
    assert "mlm.bias" in Inheritance(parent, tmp_path / "good.safetensors").read()


def test_maps_are_one_for_an_axis_and_another_for_another():
    maps = AxisMaps("projection", seed=0)
    assert maps("width", 8, 16) is maps("width", 8, 16)
    assert not torch.equal(maps("width", 8, 16).write, maps("inner 0 0", 8, 16).write)
    other = AxisMaps("projection", seed=1)
    assert not torch.equal(maps("width", 8, 16).write, other("width", 8, 16).write)
    rounds = grown(7, 3, 0)
    assert_close(rounds.read.t() @ rounds.write, torch.eye(3))
