"""ModernBERT as a teacher: equal to that of transformers; its layers, heads and neurons go."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.testing import assert_close
from transformers import ModernBertForMaskedLM, ModernBertModel

from nas.data.batches import batches
from nas.models.encoder import Encoder
from nas.teachers.attention import attention_of, both_see
from nas.teachers.calibration import calibrate
from nas.teachers.checkpoint import read_checkpoint
from nas.teachers.extraction import extract
from nas.teachers.layer_choice import choose_layers, matching_layers
from nas.teachers.lessons import Lessons
from nas.teachers.space import require_cut, require_inside, teacher_space
from nas.training.in_steps import by_magnitude
from nas.training.recipe import RECIPES
from nas.training.teaching import make_teacher
from nas.training.trial import run_trial
from search_spaces import Architecture, load_space
from search_spaces.architectures.layers import Head, Layer
from search_spaces.errors import InvalidData, InvalidExperiment, InvalidSpace

FAR, NEAR = "bias=none", "bias=none,window=2"


@pytest.fixture(scope="module")
def folder(tmp_path_factory, make_modernbert):
    folder = tmp_path_factory.mktemp("modernbert")
    make_modernbert(folder)
    return folder


@pytest.fixture(scope="module")
def modern(folder):
    return read_checkpoint(folder)


@pytest.fixture(scope="module")
def whole(modern):
    return modern.build(max_length=32, pooling="mean").eval()


@pytest.fixture(scope="module")
def text(data):
    return list(batches(data.tasks["stsb"]["train"], batch_size=16))


@pytest.fixture(scope="module")
def worth(whole, text):
    return calibrate(whole, text)


def cut_of(modern, kinds, heads=4, inner=48):
    """A cut whose layers see as `kinds` say: F for everything, N for what is near."""
    of = modern.architecture
    layers = [
        Layer(32, (Head("attention", {"F": FAR, "N": NEAR}[kind], 8),) * heads, (inner,),
              of.layers[min(1, i)].parts)
        for i, kind in enumerate(kinds)
    ]  # fmt: skip
    return Architecture(layers, parts=of.parts)


@torch.no_grad()
def answers(encoder, text):
    return torch.cat([encoder(b.tokens, b.keep, b.token_types)[b.keep] for b in text])


def build(architecture, weights, modern):
    encoder = Encoder(
        architecture, modern.vocabulary_size, max_length=32, dropout=0.0, pooling="mean"
    )
    encoder.load_state_dict(weights)
    return encoder.eval()


@pytest.mark.parametrize("headed", [False, True])
def test_its_hidden_states_are_those_of_transformers(headed, folder, text, tmp_path):
    theirs = ModernBertModel.from_pretrained(folder).eval()
    if headed:  # the head stays behind
        model = ModernBertForMaskedLM(theirs.config)
        model.model.load_state_dict(theirs.state_dict())
        model.save_pretrained(tmp_path)
        (tmp_path / "tokenizer.json").write_bytes((folder / "tokenizer.json").read_bytes())
        folder = tmp_path
    whole = read_checkpoint(folder).build(max_length=32, pooling="mean").eval()
    for batch in text:
        with torch.no_grad():
            states = whole.states(batch.tokens, batch.keep, batch.token_types)
            expected = theirs(batch.tokens, batch.keep.long(), output_hidden_states=True)
        pairs = zip(states[:-1], expected.hidden_states, strict=False)
        for mine, its in (*pairs, (states[-1], expected.last_hidden_state)):
            assert_close(mine[batch.keep], its[batch.keep], atol=1e-5, rtol=1e-5)


def test_older_files_say_the_same_in_other_words(folder, modern, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text())
    for name in ("layer_types", "rope_parameters"):
        del config[name]
    config |= {"global_attn_every_n_layers": 3, "global_rope_theta": 160_000.0}
    (tmp_path / "config.json").write_text(json.dumps(config | {"local_rope_theta": 10_000.0}))
    assert read_checkpoint(tmp_path).architecture == modern.architecture


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hidden_activation": "relu"}, "hidden_activation is 'relu'.*gelu or silu"),
        ({"num_hidden_layers": 6}, "layer_types are .* for 6 layers"),
        ({"intermediate_size": 40}, "has the shape .*Put back the files"),
        ({"hidden_size": None}, "no number 'hidden_size', but None"),
        ({"model_type": "t5"}, "model_type is 't5'.*modernbert"),
        ({"rope_parameters": {"full_attention": {"rope_type": "yarn", "rope_theta": 1e4}}},
         "rotary positions are 'yarn'"),
    ],
)  # fmt: skip
def test_what_is_of_another_form_is_said(changes, message, folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((folder / "config.json").read_text()) | changes
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InvalidData, match=message):
        read_checkpoint(tmp_path)


def test_a_tensor_that_lacks_is_named(folder, tmp_path):
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tensors = load_file(folder / "model.safetensors")
    del tensors["layers.2.attn.Wqkv.weight"]
    save_file(tensors, tmp_path / "model.safetensors")
    with pytest.raises(InvalidData, match=r"no tensor 'layers\.2\.attn\.Wqkv\.weight'"):
        read_checkpoint(tmp_path)


def test_nothing_cut_is_the_teacher(modern, whole, worth, text):
    weights = extract(modern.architecture, whole.state_dict(), worth, range(5))
    assert_close(answers(build(modern.architecture, weights, modern), text), answers(whole, text))


@pytest.mark.parametrize(("heads", "inner"), [(2, 48), (4, 16), (2, 16)])
def test_refitting_comes_nearer(heads, inner, modern, whole, worth, text):
    small, target, errors = cut_of(modern, "FNNFN", heads, inner), answers(whole, text), []
    for refit in (False, True):
        weights = extract(small, whole.state_dict(), worth, range(5), refit=refit)
        errors.append(float((answers(build(small, weights, modern), text) - target).norm()))
    assert errors[1] < 0.9 * errors[0]


def test_a_map_without_a_bias_is_refitted_to_what_it_gave(modern, whole, worth, text):
    """A slow twin: the ridge regression of the map's own output, by its normal equations."""
    layer, kept = whole.layers[1], worth[1].feedforward_order[:20].sort().values
    read = []
    hook = layer.feedforward.output.register_forward_pre_hook(lambda m, x: read.append(x[0]))
    with torch.no_grad():
        for batch in text:
            whole(batch.tokens, batch.keep, batch.token_types)
    hook.remove()
    rows = torch.cat([x[b.keep] for x, b in zip(read, text, strict=True)]).double()
    old = layer.feedforward.output.weight.detach().double()
    second = rows.T @ rows / len(rows)
    ridge = 0.1 * second.diagonal().mean()
    inside = second[kept][:, kept] + ridge * torch.eye(20)
    new = torch.linalg.solve(inside, (second[kept] @ old.T + ridge * old.T[kept])).T
    small = cut_of(modern, "FNNFN", 4, 20)
    found = extract(small, whole.state_dict(), worth, range(5))
    assert_close(found["layers.1.feedforward.output.weight"].double(), new, atol=1e-4, rtol=1e-3)


def test_layers_come_from_those_that_see_alike(modern, whole, text):
    chosen = choose_layers(whole, text)
    assert all(0 in kept for kept in chosen)  # its mixer reads no norm, as no other's
    of = modern.architecture

    def layers(kinds):
        return matching_layers(cut_of(modern, kinds), of, chosen)

    assert layers("FNNFN") == [0, 1, 2, 3, 4]
    assert layers("FF") == [0, 3]
    assert layers("F") == [0]
    assert layers("FNF") in ([0, 1, 3], [0, 2, 3])
    assert layers("FFN") == [0, 3, 4]
    assert len(layers("FFFF")) == 4  # not to be had: as many as can be, in order
    alike = Architecture(of.layers[1:2] * 5, parts=of.parts)
    for count in range(1, 5):
        child = Architecture(alike.layers[:count], parts=of.parts)
        nested = [(3,), (1, 3), (1, 3, 4), (0, 1, 3, 4), (0, 1, 2, 3, 4)]
        assert matching_layers(child, alike, nested) == list(nested[count - 1])
        assert matching_layers(child, alike, nested, 4) == [0, 1, 3, 4]


def test_its_space_has_the_teacher_and_cuts_of_it_alone(modern):
    definition = teacher_space(modern.architecture)
    require_inside(definition, modern.architecture)
    space = load_space(definition)
    assert modern.architecture in space
    assert space.first[0].layers[1].heads[0].parameter == NEAR
    for cut in space.sample(20, seed=1):
        require_cut(cut, modern.architecture)
        assert str(cut.layers[0].part("residual")) == "pre(norms=feedforward)"
        assert space.architecture_at(space.index_of(cut)) == cut
        assert all(near in space for near in space.neighbours(cut))
    other = Architecture(cut.layers[:1] * 2, parts=cut.parts)
    assert other not in space
    with pytest.raises(InvalidExperiment, match=r"residual=pre\(norms=feedforward\) in layer 1"):
        require_cut(other, modern.architecture)
    with pytest.raises(InvalidSpace, match="residuals offers 2 parts"):
        load_space({**definition, "residuals": ["pre", "post"]})


def test_attention_is_compared_where_both_see(modern, whole, text):
    batch = text[0]
    with torch.no_grad():
        states = whole.states(batch.tokens, batch.keep, batch.token_types)
        far, near = (attention_of(whole.layers[i], states[i]) for i in (0, 1))
    assert far.seen is None
    assert near.seen.sum(1).max() == 5
    assert torch.equal(both_see(far, near), near.seen)
    assert torch.equal(both_see(near, near), near.seen)
    weights = near.scores.masked_fill(~near.seen, -1e9)
    weights = weights.masked_fill(~batch.keep[:, None, None], -1e9).softmax(-1)
    mixer = next(iter(whole.layers[1].mixers.values()))
    layer = whole.layers[1]
    with torch.no_grad():
        mixed = mixer(layer.mixed_norm(states[1]), batch.keep)
    found = (weights @ near.value).transpose(1, 2).flatten(2)
    assert_close(found[batch.keep], mixed[batch.keep], atol=1e-5, rtol=1e-4)


def test_whoever_has_the_least_weights_goes_first(modern):
    encoder = modern.build(max_length=32, pooling="mean")
    with torch.no_grad():
        layer = encoder.layers[1]
        (mixer,) = layer.mixers.values()
        layer.mixed.weight[:, 8:16] *= 1e-3
        mixer.key_value.weight[32 + 24 :] *= 1e-2
        layer.feedforward.output.weight[:, 5] *= 1e-3
        layer.feedforward.gated[0].weight[[9, 48 + 9]] *= 1e-2
    worth = by_magnitude(encoder)[1]
    assert worth.head_order.tolist()[-2:] == [3, 1]
    assert worth.feedforward_order.tolist()[-2:] == [9, 5]


@pytest.fixture(scope="module")
def recipe():
    return replace(
        RECIPES["checkpoint"],
        tasks=("stsb",),
        max_length=32,
        block_length=32,
        finetune_batch=8,
        finetune_epochs=1,
        precision="fp32",
        device="cpu",
    )


@pytest.fixture(scope="module")
def taught(tmp_path_factory, modern, data, recipe):
    folder = tmp_path_factory.mktemp("run") / "teacher"
    data = replace(data, tasks={"stsb": data.tasks["stsb"]}, teacher=folder)
    make_teacher(folder, modern, data, recipe, seed=0)
    return data


@pytest.mark.parametrize(
    "how", ["hidden(steps=2)", "relations", "transfer(schedule=auxiliary)", "stages"]
)
def test_a_cut_learns_from_it_by_each_way(how, taught, recipe, modern):
    own = replace(recipe, slots={"distillation": how})
    child = cut_of(modern, "FN", 1, 8)
    assert Lessons(taught.teacher).card(child)["layers"][0] == 0
    assert set(run_trial(child, own, taught, seed=5).scores) == {"glue", "stsb"}
