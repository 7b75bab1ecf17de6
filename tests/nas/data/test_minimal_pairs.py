"""Files of minimal pairs: read whole, limited by the seed, and every message."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from nas.data.minimal_pairs import encode_pairs, read_pairs
from nas.data.prepared import PreparedData
from nas.data.tokenizer import train_tokenizer
from nas.evaluation.suites.babylm import EWOK
from nas.evaluation.suites.blimp import BLIMP, PHENOMENA
from nas.evaluation.suites.measured import PAIR_SUITES
from search_spaces.errors import InvalidData

SHARED = Path(os.environ.get("NAS_DATA", Path(__file__).parents[4] / "shared" / "data"))


def write(folder, name, count):
    rows = [
        {"sentence_good": f"Dogs {i} run.", "sentence_bad": f"Dogs {i} runs."} for i in range(count)
    ]
    path = folder / f"{name}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def blimp(tmp_path):
    write(tmp_path, "passive_1", 5)
    write(tmp_path, "causative", 9)
    write(tmp_path, "other", 2)  # none of the suite
    return tmp_path


def test_files_are_read_in_the_order_of_their_names(blimp):
    pairs = read_pairs(BLIMP, blimp)
    assert pairs.names == ("causative", "passive_1")
    assert pairs.files.tolist() == [0] * 9 + [1] * 5
    assert (pairs.good[9], pairs.bad[9]) == ("Dogs 0 run.", "Dogs 0 runs.")


def test_a_limit_draws_by_the_seed(blimp):
    first, again = (read_pairs(BLIMP, blimp, limit=6, seed=1) for _ in range(2))
    assert first.good == again.good
    assert first.files.tolist() == [0] * 6 + [1] * 5
    assert first.good != read_pairs(BLIMP, blimp, limit=6, seed=2).good


def test_one_file_alone_is_taken_whatever_its_name(blimp):
    assert read_pairs(BLIMP, blimp / "other.jsonl").names == ("other",)


def test_pairs_stand_side_by_side_as_ids(blimp):
    pairs = read_pairs(BLIMP, blimp)
    tokenizer = train_tokenizer([*pairs.good, *pairs.bad], 200)
    encoded = encode_pairs(pairs, tokenizer, 16)
    assert encoded.sentences.labels.tolist() == np.repeat(pairs.files, 2).tolist()
    at = encoded.sentences.offsets
    said = [tokenizer.decode(encoded.sentences.tokens[at[i] : at[i + 1]]) for i in (18, 19)]
    assert said == ["dogs 0 run.", "dogs 0 runs."]


def test_pairs_are_kept_with_the_data_of_a_run(blimp, tmp_path):
    tokenizer = train_tokenizer(["a few words"], 200)
    pairs = {"blimp": encode_pairs(read_pairs(BLIMP, blimp), tokenizer, 16)}
    blocks = np.full((2, 8), 5, np.uint16)
    data = PreparedData(tokenizer.json, tokenizer.vocabulary_size, blocks, blocks, {}, pairs=pairs)
    data.save(tmp_path / "data")
    kept = PreparedData.load(tmp_path / "data").pairs["blimp"]
    assert kept.names == ("causative", "passive_1")
    assert (kept.sentences.tokens == pairs["blimp"].sentences.tokens).all()
    labels = tmp_path / "data" / "pairs.blimp.labels.npy"
    np.save(labels, np.load(labels) * 0)
    with pytest.raises(InvalidData, match="its pairs are not those of its files"):
        PreparedData.load(tmp_path / "data")


def test_the_suite_has_67_files_of_13_phenomena():
    assert len(BLIMP.files) == len(set(BLIMP.files)) == 67
    assert len(PHENOMENA) == 13


@pytest.mark.parametrize("name", PAIR_SUITES)
def test_every_suite_reads_its_official_layout(tmp_path, name):
    suite = PAIR_SUITES[name]
    rows = [dict.fromkeys((*suite.good, *suite.bad), f"it is {n}") for n in range(3)]
    for file in suite.files[1:]:
        (tmp_path / f"{file}.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pairs = read_pairs(suite, tmp_path)
    assert pairs.names == suite.files[1:]
    assert np.bincount(pairs.files).tolist() == [3] * len(suite.files[1:])
    assert len(suite.source) > 20


def test_an_item_of_ewok_is_a_context_with_each_of_its_targets(tmp_path):
    item = {"Domain": "spatial-relations", "Context1": "Ann is left of Bo.", "Context2": "No.",
            "Target1": "Bo is right of Ann.", "Target2": "Bo is left of Ann."}  # fmt: skip
    file = tmp_path / "spatial-relations.jsonl"
    file.write_text(json.dumps(item))
    pairs = read_pairs(EWOK, tmp_path)
    assert pairs.good == ["Ann is left of Bo. Bo is right of Ann."]
    assert pairs.bad == ["Ann is left of Bo. Bo is left of Ann."]
    file.write_text(json.dumps({**item, "Target2": None}))
    with pytest.raises(InvalidData, match="no sentences Context1 and Target1 and Target2"):
        read_pairs(EWOK, tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "causative.jsonl, line 1: no JSON"),
        ('{"good": "a", "bad": "b"}', "no sentences sentence_good and sentence_bad.*good, bad"),
        ('{"sentence_good": "a", "sentence_bad": ""}', "line 1: no sentences"),
        ("[]", "line 1: no sentences.*Columns found: none"),
        ("\n", "has no pairs"),
    ],
)
def test_a_damaged_file_is_named(blimp, text, words):
    (blimp / "causative.jsonl").write_text(text)
    with pytest.raises(InvalidData, match=words):
        read_pairs(BLIMP, blimp)


def test_a_folder_without_its_files_is_named(tmp_path):
    write(tmp_path, "other", 1)
    with pytest.raises(InvalidData, match=r"no file of BLiMP, such as adj.*Found: other.jsonl"):
        read_pairs(BLIMP, tmp_path)
    with pytest.raises(InvalidData, match="There is no folder"):
        read_pairs(BLIMP, tmp_path / "no")


def test_the_published_files():
    if not (SHARED / "blimp").is_dir():
        pytest.skip("no BLiMP here; set NAS_DATA")
    pairs = read_pairs(BLIMP, SHARED / "blimp")
    assert pairs.names == BLIMP.files
    assert np.bincount(pairs.files).tolist() == [1000] * 67
