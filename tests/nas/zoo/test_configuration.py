"""A folder may be anybody's: what its config.json and checksums.json say is checked first."""

import json
import shutil
from pathlib import Path

import pytest

from nas.zoo.checking import check_model
from nas.zoo.configuration import read_config
from nas.zoo.files import read_checksums
from nas.zoo.loading import load_model
from search_spaces.errors import NotAModel

MODEL = Path(__file__).resolve().parents[2] / "golden" / "old_models" / "absolute"


@pytest.fixture
def folder(tmp_path):
    return Path(shutil.copytree(MODEL, tmp_path / "model"))


def change(folder, **values):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


LAYER = {"width": 8, "heads": ["sa_sdp_4", "l_dft_4"], "feedforward": [12]}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("layers", []),
        ("layers", [LAYER | {"heads": [True]}]),
        ("layers", [LAYER | {"heads": "sa_sdp_4"}]),
        ("layers", [LAYER | {"width": 10**12}]),
        ("layers", [LAYER | {"heads": ["sa_sdp_4"] * 5000}]),
        ("layers", [{"width": 8}]),
        ("layers", [LAYER | {"more": 1}]),
        ("layers", [LAYER | {"parts": {"feedforward": 3}}]),
        ("vocab_size", 10**15),
        ("vocab_size", 90.0),
        ("max_position_embeddings", 0),
        ("max_position_embeddings", 10**9),
        ("hidden_dropout_prob", float("nan")),
        ("hidden_dropout_prob", True),
        ("pad_token_id", None),
        ("pad_token_id", 90),
        ("task_names", ["../../victim"]),
        ("task_names", [""]),
        ("task_names", "sst2"),
        ("id2label", [1]),
        ("auto_map", {"AutoModel": 1}),
        ("pooling", "last"),
    ],
)
def test_values_of_another_kind_are_refused_by_name(folder, key, value):
    change(folder, **{key: value})
    with pytest.raises(NotAModel, match=f"describes no encoder: {key} is "):
        read_config(folder)


def test_an_unknown_key_is_refused(folder):
    change(folder, quantization_config={"load_in_4bit": True})
    with pytest.raises(NotAModel, match="the key 'quantization_config', which no exported model"):
        read_config(folder)


def test_sizes_that_the_weights_do_not_have_take_no_memory(folder):
    change(folder, vocab_size=10**8)
    layers = [LAYER | {"width": 999_999_999, "feedforward": [999_999_999]}]
    with pytest.raises(NotAModel, match="has shape"):  # 800 MB and more, were they built
        load_model(folder)
    change(folder, layers=layers)
    with pytest.raises(NotAModel, match="Weights and architecture must come from the same model"):
        load_model(folder)


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../b", "a//b", "", ".", "a\x00b", "a/"])
def test_checksums_of_files_elsewhere_are_refused(folder, name):
    entries = json.dumps({name: {"sha256": "0", "bytes": 1}})
    (folder / "checksums.json").write_text(entries)
    with pytest.raises(NotAModel, match="which is none inside the folder"):
        read_checksums(folder)


@pytest.mark.parametrize("entry", [3, [], {"sha256": 1, "bytes": 1}, {"sha256": "0", "bytes": []}])
def test_checksums_that_are_none_are_refused(folder, entry):
    (folder / "checksums.json").write_text(json.dumps({"README.md": entry}))
    with pytest.raises(NotAModel, match=r"does not say sha256 and bytes of 'README\.md'"):
        read_checksums(folder)


def test_links_and_names_without_a_dot_are_noticed(folder):
    assert check_model(folder) == []
    (folder / "Makefile").write_text("all:")
    (folder / "secret.txt").symlink_to("/etc/hostname")
    problems = " ".join(check_model(folder))
    assert "Makefile is not one of the files that were exported" in problems
    assert "secret.txt is a link, not a file of the model" in problems


def test_a_list_of_nothing_that_can_be_read_leaves_no_table(nas, folder):
    (folder / "README.md").write_bytes(b"\xcf\xff")
    code, _, err = nas("zoo", "list", folder.parent)
    assert code == 2
    assert "README.md cannot be read" in err
    assert sorted(p.name for p in folder.parent.iterdir()) == ["model"]
