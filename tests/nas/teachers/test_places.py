"""Where a teacher may come from: a folder of the zoo, the hub; what is none is refused."""

import json
import shutil

import huggingface_hub
import pytest
import torch
from torch.testing import assert_close
from transformers import AutoModel

from nas.models.encoder import Encoder
from nas.teachers.checkpoint import read_checkpoint
from nas.teachers.space import require_cut, teacher_space
from nas.zoo import export_model
from search_spaces import Architecture, load_space
from search_spaces.errors import InvalidData, InvalidExperiment, NotAModel

UNLIKE = {
    "l": 3,
    "o": [["sa_sdp_8"] * n for n in (4, 2, 3)],
    "h": [32] * 3,
    "f": [[48], [24], [64]],
}


def exported(folder, teacher, changes=(), **options):
    """Write an encoder of unlike layers as nas export does; return it."""
    architecture = Architecture.from_dict({**UNLIKE, **dict(changes)})
    torch.manual_seed(1)
    options = {"vocabulary_size": teacher.vocabulary_size, "max_length": 24, **options}
    encoder = Encoder(architecture, **options).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    export_model(
        folder,
        architecture=architecture,
        weights=encoder.state_dict(),
        tokenizer_json=teacher.tokenizer_json,
        model_options=options,
        card={"name": "unlike", "licence": "mit"},
    )
    return encoder


@pytest.mark.parametrize("positions", ["absolute", "relative"])
def test_a_folder_of_the_zoo_is_a_teacher(positions, teacher, tmp_path):
    encoder = exported(tmp_path / "zoo", teacher, positions=positions)
    found = read_checkpoint(tmp_path / "zoo")
    assert (found.name, found.licence) == ("zoo", "mit")
    whole = found.build(max_length=12, pooling="first").eval()
    keep = torch.arange(9) < torch.tensor([[9], [2], [5]])
    tokens = torch.randint(5, 30, (3, 9)).masked_fill(~keep, 0)
    loaded = AutoModel.from_pretrained(tmp_path / "zoo", trust_remote_code=True).eval()
    with torch.no_grad():
        states, expected = whole.states(tokens, keep), encoder.states(tokens, keep)
        last = loaded(tokens, attention_mask=keep.long()).last_hidden_state
    for mine, its in zip(states, expected, strict=True):
        assert_close(mine[keep], its[keep], atol=1e-5, rtol=1e-5)
    assert_close(states[-1][keep], last[keep], atol=1e-5, rtol=1e-5)


def test_no_layer_of_a_cut_is_larger_than_any_of_the_teacher(teacher, tmp_path):
    exported(tmp_path / "zoo", teacher)
    whole = read_checkpoint(tmp_path / "zoo").architecture
    space = load_space(teacher_space(whole))
    assert (max(space.definition.heads), max(space.definition.feedforward_widths)) == (2, 24)
    for cut in (*space.sample(20, seed=0), *space.first, whole):
        require_cut(cut, whole)
    larger = Architecture.from_dict({"l": 1, "o": [["sa_sdp_8"] * 3], "h": [32], "f": [[24]]})
    with pytest.raises(InvalidExperiment, match="3 heads in layer 0.*at most 2 heads"):
        require_cut(larger, whole)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"o": [["sa_sdp_8"] * 2, ["c_5_8"] * 2, ["sa_sdp_8"]]}, "layer 1 has heads c_5"),
        ({"h": [32, 16, 32]}, "layer 1 is 16 wide, and layer 0 32"),
        ({"o": [["sa_sdp_8"], ["sa_sdp_8"], ["sa_sdp_16"]]}, "layer 2 has heads 8 and 16 wide"),
        ({"f": [[24], [24, 24], [24]]}, "layer 1 stacks 2 feed-forwards"),
        ({"parts": [{}, {"residual": "pre"}, {}]}, "layer 1 has other parts than layer 0"),
    ],
)
def test_what_cannot_be_cut_is_refused(changes, message, teacher, tmp_path):
    exported(tmp_path / "zoo", teacher, changes)
    with pytest.raises(InvalidData, match=f"cannot be cut: {message}.*Give an encoder"):
        read_checkpoint(tmp_path / "zoo")


def test_an_architecture_of_another_model_is_refused(teacher, tmp_path):
    exported(tmp_path / "zoo", teacher)
    (tmp_path / "zoo" / "checksums.json").unlink()
    (tmp_path / "zoo" / "architecture.json").write_text(json.dumps({**UNLIKE, "f": [[8]] * 3}))
    with pytest.raises(NotAModel, match="must come from the same model"):
        read_checkpoint(tmp_path / "zoo")


@pytest.fixture
def hub(checkpoint, tmp_path, monkeypatch):
    """A hub that has one model, in the folders that its library keeps."""
    folder = tmp_path / "models--some--tiny-bert" / "snapshots" / "0a1b"
    asked = []

    def download(name, allow_patterns):
        asked.append((name, allow_patterns))
        if name != "some/tiny-bert":
            raise OSError(f"{name} is not here\nand a second line")
        shutil.copytree(checkpoint, folder, dirs_exist_ok=True)
        return str(folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_a_name_on_the_hub_is_a_teacher(hub, teacher):
    found = read_checkpoint("hub:some/tiny-bert")
    assert found.name == "some/tiny-bert"
    assert found.weights.keys() == teacher.weights.keys()
    ((_, files),) = hub
    assert not any("bin" in name for name in files)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hub:some/other", "'some/other' could not be had .*: some/other is not here. Check the"),
        ("hub:../../etc", "no name of a model. Write hub:owner/name"),
        ("hub:", "no name of a model"),
        ("nowhere", "There is no folder 'nowhere'.*or hub:NAME"),
    ],
)
def test_a_name_that_is_none_is_refused(name, message, hub):
    with pytest.raises(InvalidData, match=message):
        read_checkpoint(name)
