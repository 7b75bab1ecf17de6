"""Every kind of every slot keeps the contract inside an encoder, new ones without a new test."""

import re
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.testing import assert_close
from torch.utils.flop_counter import FlopCounterMode

from nas.models.encoder import Encoder
from nas.models.feedforwards import make_feedforward
from nas.models.hf import FlexiBertConfig
from nas.models.mixers import make_mixer
from nas.models.outputs import make_output
from nas.models.overlap import overlap
from nas.models.standalone import MODULES, standalone_source
from nas.models.transfer import inherit_weights
from search_spaces import Architecture, count_flops, count_parameters
from search_spaces.architectures.layers import Head, Layer
from search_spaces.kinds import LAYER_SLOTS, MODEL_SLOTS, SLOTS
from search_spaces.operations import OPERATIONS, mixer_part, write_settings
from search_spaces.parts import Part

VOCABULARY, LENGTH = 31, 9
IN_GROUPS = ("grouped", "monarch-glu")  # grow without a change where groups divide all widths
TOKENS = torch.tensor([[5, 9, 3, 30, 8, 4, 7, 2, 6], [3, 12, 11, 7, 2, 0, 0, 0, 0]])
KEEP = TOKENS != 0


NARROW = ("bottleneck", "inverted-bottleneck")

# settings beside those of `options` that a size of the tests makes another path of
MORE = {("mixer", "attention"): ("window=2", "bias=none,gate=gelu,queries=2,window=1")}


def options(kind):
    """A part with all settings at their default, and one for each other name or a larger number."""
    yield kind.part()
    for name, setting in kind.settings.items():
        if setting.allowed:
            yield from (kind.part({name: v}) for v in setting.allowed if v != setting.default)
        elif name == kind.bare or setting.odd:
            yield kind.part({name: setting.default + 2})
        elif setting.scale == "line":
            yield kind.part({name: setting.default / 2})
        else:
            yield kind.part({name: min(setting.default * 2, setting.most)})


def parts():
    for slot in ("mixer", *LAYER_SLOTS, *MODEL_SLOTS):
        for name in sorted(SLOTS[slot].kinds):
            for part in options(SLOTS[slot].kinds[name]):
                yield pytest.param(slot, part, id=f"{slot}={part}")
            for text in MORE.get((slot, name), ()):
                part = Part.parse(f"{name}({text})")
                yield pytest.param(slot, part, id=f"{slot}={part}")


SLOW = pytest.mark.slow  # compiling takes a second
every_part = pytest.mark.parametrize(("slot", "part"), list(parts()))


def architecture(slot, part, *, layers=2, width=8, feedforward=(12, 10), usual_last=False):
    head = Head("sa", "sdp", 4)
    if slot == "mixer":
        kind = OPERATIONS[part.kind]
        settings = kind.settings_of(part)
        head = Head(part.kind, settings[kind.bare] if kind.bare else write_settings(part), 4)
    own = {slot: part} if slot in LAYER_SLOTS else {}
    layer = Layer(width, (head,) * (width // 4), feedforward, own)
    stack = [layer] * layers
    if slot == "projection":  # there is one where widths differ
        stack[0] = Layer(2 * width, (head,) * (width // 4), feedforward, own)
    if usual_last:
        stack[-1] = Layer(width, (Head("sa", "sdp", 4),) * (width // 4), feedforward)
    return Architecture(stack, parts={slot: part} if slot in MODEL_SLOTS else {})


def build(described, seed=0, *, fresh=False):
    torch.manual_seed(seed)
    encoder = Encoder(described, VOCABULARY, max_length=LENGTH, dropout=0.0)
    head = make_output(encoder)
    with torch.no_grad():  # far from any symmetric starting point
        for p in [] if fresh else [*encoder.parameters(), *head.parameters()]:
            p.add_(torch.randn_like(p) * 0.2)
    return encoder.eval(), head.eval()


@cache
def built(slot, part):
    """Encoder and head of the usual architecture, for tests that leave them as they are."""
    return build(architecture(slot, part))


@cache
def parent_of(slot, part, feedforward):
    """What a larger one inherits: the architecture and its tensors, and what it computes."""
    described = architecture(slot, part, feedforward=feedforward)
    made = build(described)
    return described, tensors(*made), logits(*made).detach()


def stacks(encoder):
    """The feed-forward blocks of the first layer."""
    return list(encoder.layers[0].feedforwards.values())


def logits(encoder, head, tokens=TOKENS, keep=KEEP):
    return head(encoder(tokens, keep)[keep])


def tensors(encoder, head):
    named = {f"encoder.{k}": v for k, v in encoder.state_dict().items()}
    return named | {f"mlm.{k}": v for k, v in head.state_dict().items()}


@every_part
def test_parameters_are_as_counted(slot, part):
    for more in ({}, {"width": 16, "layers": 1}, {"usual_last": True}):
        described = architecture(slot, part, **more)
        encoder, head = build(described)
        counted = count_parameters(
            described, vocabulary_size=VOCABULARY, max_length=LENGTH, masked_lm=True
        )
        assert sum(p.numel() for p in [*encoder.parameters(), *head.parameters()]) == counted


@pytest.mark.parametrize(
    ("slot", "part"),
    [p for p in parts() if not p.values[1].settings],  # one of each kind
)
def test_settings_left_out_are_those_of_the_kind(slot, part):
    if slot == "mixer" and OPERATIONS[part.kind].bare:
        return
    kind = SLOTS[slot].kinds[part.kind]
    usual = Part.of(part.kind, kind.settings_of(Part(part.kind)))  # every default, spelt out
    spelt = architecture(slot, Part(part.kind))
    if slot == "mixer":
        object.__setattr__(spelt.layers[0].heads[0], "parameter", write_settings(usual))
    elif slot in LAYER_SLOTS:
        for layer in spelt.layers:
            object.__setattr__(layer, "parts", ((slot, usual),))
    else:
        object.__setattr__(spelt, "parts", ((slot, usual),))
    assert_close(logits(*build(spelt)), logits(*build(architecture(slot, Part(part.kind)))))


@every_part
def test_gradients_reach_every_parameter(slot, part):
    encoder, head = build(architecture(slot, part))
    encoder.train()  # without dropout; what is random there has parameters of its own
    out = logits(encoder, head)
    loss = (out * torch.randn(out.shape, generator=torch.Generator().manual_seed(1))).sum()
    (loss + encoder.pooled(TOKENS, KEEP).sum()).backward()
    for name, p in [*encoder.named_parameters(), *head.named_parameters()]:
        assert p.grad is not None, name
        assert p.grad.abs().sum() > 0, name


@every_part
def test_padding_does_not_matter(slot, part):
    encoder, head = built(slot, part)
    alone = head(encoder(TOKENS[1:, :5], None)[0])
    assert_close(logits(encoder, head)[9:], alone, atol=2e-5, rtol=1e-4)


@every_part
def test_neither_padded_tokens_nor_the_order_of_the_batch_matter(slot, part):
    encoder, head = built(slot, part)
    out = encoder(TOKENS, KEEP)
    other = encoder(torch.where(KEEP, TOKENS, 17), KEEP)
    assert_close(out[KEEP], other[KEEP], atol=1e-6, rtol=1e-6)
    assert_close(encoder(TOKENS.flip(0), KEEP.flip(0)).flip(0)[KEEP], out[KEEP])
    assert torch.equal(encoder(TOKENS, KEEP), out)


@every_part
def test_any_length_will_do(slot, part):
    encoder, _ = built(slot, part)
    for length in range(1, LENGTH + 1):
        out = encoder(TOKENS[:1, :length])
        assert out.shape == (1, length, 8)
        assert out.isfinite().all()


@every_part
def test_bfloat16_is_finite_and_near(slot, part):
    encoder, head = build(architecture(slot, part))
    exact = logits(encoder, head)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = logits(encoder, head)
    assert (rounded - exact).abs().mean() < 0.1 * exact.abs().mean()
    rounded.float().square().sum().backward()
    assert all(p.grad.isfinite().all() for p in encoder.parameters() if p.grad is not None)


# their declared operations are those of another algorithm, or of the part that is of use
BY_FORMULA = {"l", "c", "longconv", "mixed-attention", "monarch", "relative"}


@every_part
def test_operations_are_as_counted(slot, part):
    if part.kind in BY_FORMULA:
        pytest.skip("declared by formula")
    described, (encoder, _) = architecture(slot, part), built(slot, part)
    with FlopCounterMode(display=False) as counter:
        encoder.pool(encoder(TOKENS[:1]))
    declared = count_flops(described, length=LENGTH, vocabulary_size=VOCABULARY)
    assert counter.get_total_flops() == declared


def first_parts():
    """A part of each kind; all but one take too long for every day."""
    for slot in ("mixer", *LAYER_SLOTS, *MODEL_SLOTS):
        for name in sorted(SLOTS[slot].kinds):
            slow = () if name == "l" else pytest.mark.slow
            yield pytest.param(
                slot, SLOTS[slot].kinds[name].part(), id=f"{slot}={name}", marks=slow
            )


@pytest.mark.parametrize(("slot", "part"), list(first_parts()))
def test_compiling_changes_nothing(slot, part):
    encoder, _ = build(architecture(slot, part))
    torch.compiler.reset()
    compiled = torch.compile(encoder, backend="eager")
    assert_close(compiled(TOKENS, KEEP)[KEEP], encoder(TOKENS, KEEP)[KEEP])


@every_part
def test_states_at_some_places_are_those_of_all(slot, part):
    encoder, _ = built(slot, part)
    places = torch.tensor([0, 3, 9, 12])
    some = encoder(TOKENS, KEEP, at=places)
    assert_close(some, encoder(TOKENS, KEEP).flatten(0, 1)[places], atol=2e-5, rtol=1e-4)


@every_part
def test_an_equal_architecture_inherits_everything(slot, part):
    described, parent = architecture(slot, part), built(slot, part)
    child = build(described, seed=1)
    report = inherit_weights(child[0], described, described, tensors(*parent), head=child[1])
    assert report.share == 1.0
    assert_close(logits(*child), logits(*parent), atol=0, rtol=0)
    assert overlap(described, described, positions="absolute") == 1.0


@every_part
@pytest.mark.parametrize("more", [{"layers": 3}, {"deeper": True}, {"width": 16}], ids=str)
def test_a_larger_one_computes_the_same_at_first(slot, part, more):
    if slot == "projection" and "layers" in more:
        pytest.skip("a layer after a change of width is no identity")
    if part.kind == "hash-ngram" and "width" in more:
        pytest.skip("features more are hashed, and no copies of those that are there")
    *stack, third = (16, 8, 24) if part.kind in IN_GROUPS else (12, 10, 14)
    if "deeper" in more:
        more = {"feedforward": (*stack, third)}
    larger = architecture(slot, part, **{"feedforward": stack} | more)
    described, given, computed = parent_of(slot, part, tuple(stack))
    child = build(larger, seed=1, fresh=True)
    if "feedforward" in more and not stacks(child[0])[0].deepens:
        pytest.skip("without biases no map can be made linear")
    inherit_weights(child[0], larger, described, given, head=child[1])
    assert_close(logits(*child), computed, atol=2e-4, rtol=1e-3)
    assert 0 < overlap(larger, described, positions="absolute") < 1


@every_part
def test_one_and_the_usual_inherit_from_each_other(slot, part):
    described, usual = architecture(slot, part), architecture("feedforward", Part("mlp"))
    own, plain = tensors(*built(slot, part)), tensors(*built("feedforward", Part("mlp")))
    for child, parent, given in ((described, usual, plain), (usual, described, own)):
        made = build(child, seed=1)
        report = inherit_weights(made[0], child, parent, given, head=made[1])
        # a block of another width shares no feature inside, but all around
        assert report.inherited > (500 if part.kind in NARROW else 1000)
        assert logits(*made).isfinite().all()
        forth = overlap(child, parent, positions="absolute")
        assert forth == overlap(parent, child, positions="absolute") <= 1


@cache
def standing_alone(source):
    """The module of a source; settings of one kind share it, as the file has no line of theirs."""
    alone = sys.modules["alone"] = ModuleType("alone")
    try:
        exec(compile(source, "alone.py", "exec"), alone.__dict__)
    finally:
        del sys.modules["alone"]
    return alone


@every_part
def test_the_file_that_stands_alone_builds_the_same(slot, part):
    described, (encoder, _) = architecture(slot, part), built(slot, part)
    config = FlexiBertConfig.from_architecture(described, VOCABULARY, max_length=LENGTH)
    own = FlexiBertConfig.from_dict(config.to_dict()).build_encoder().eval()
    own.load_state_dict(encoder.state_dict())
    assert_close(own(TOKENS, KEEP)[KEEP], encoder(TOKENS, KEEP)[KEEP], atol=0, rtol=0)

    alone = standing_alone(standalone_source(described))
    other = alone.FlexiBertConfig.from_dict(config.to_dict()).build_encoder().eval()
    other.load_state_dict(encoder.state_dict())
    assert_close(other(TOKENS, KEEP)[KEEP], encoder(TOKENS, KEEP)[KEEP], atol=0, rtol=0)


def module(slot, part):
    if slot == "feedforward":
        return make_feedforward(part, 8, (6,))
    kind = OPERATIONS[part.kind]
    parameter = kind.settings_of(part)[kind.bare] if kind.bare else write_settings(part)
    return make_mixer(part.kind, parameter, 8, 2, 4)


@pytest.mark.parametrize(
    ("slot", "part"),
    [
        pytest.param(slot, part, id=f"{slot}={part}", marks=[] if part == Part("l") else SLOW)
        for slot, part in (p.values for p in parts())
        if slot in ("mixer", "feedforward")
    ],
)
def test_compiled_it_computes_and_learns_the_same(slot, part):
    torch.manual_seed(0)
    made, x = module(slot, part).eval(), torch.randn(2, 5, 8)
    keep = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    torch.compiler.reset()
    compiled = torch.compile(made, backend="eager")
    reads = (x,) if getattr(made, "reads", "") == "token" else (x, keep)
    found = []
    for run in (made, compiled):
        made.zero_grad()
        out = run(*reads)[keep]
        out.square().sum().backward()
        found.append([out, *(p.grad for p in made.parameters() if p.grad is not None)])
    assert_close(*found)


def test_every_kind_has_a_module():
    for slot, (_, modules) in MODULES.items():
        if slot in SLOTS and slot != "mixer":  # registered with its parameter
            assert set(modules) == set(SLOTS[slot].kinds), slot
    assert mixer_part("c", 5).kind == "c"


def test_the_documentation_has_every_kind():
    page = (Path(__file__).parents[3] / "docs" / "kinds.md").read_text(encoding="utf-8")
    for slot in filter(SLOTS.__contains__, MODULES):
        for name, kind in SLOTS[slot].kinds.items():
            row = re.search(rf"^\| {slot} \| `{name}` \| (.*?) \|", page, re.MULTILINE)
            assert row, f"docs/kinds.md has no line for {slot} {name}"
            assert kind.bare or all(f"`{setting}" in row[1] for setting in kind.settings)
