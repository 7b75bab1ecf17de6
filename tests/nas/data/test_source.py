"""One door: generated, from a directory, from the hub (a stand-in for the library, no network)."""

import sys
from types import ModuleType, SimpleNamespace

import pytest

from nas.data.glue import available_tasks
from nas.data.glue_mini import write_glue_mini
from nas.data.source import load_source
from search_spaces.errors import InvalidData, UnknownName


def test_glue_mini_brings_its_corpus(tmp_path):
    tasks, corpus = load_source("glue-mini", ["cola", "SST-2"], cache_directory=tmp_path)
    assert list(tasks) == available_tasks(tmp_path / "glue-mini") == ["cola", "sst2"]
    assert corpus[0].stat().st_size > 10_000


def test_a_directory_gives_what_it_has(tmp_path):
    write_glue_mini(tmp_path / "mini", size=0.02)
    tasks, corpus = load_source(tmp_path / "mini", cache_directory=tmp_path)
    assert len(tasks) == 9
    assert corpus is None


def test_what_is_no_source_is_named(tmp_path):
    with pytest.raises(InvalidData, match="There is no data 'nowhere'. Give glue-mini, hub, or a"):
        load_source("nowhere", cache_directory=tmp_path)
    with pytest.raises(UnknownName, match="No GLUE task is called 'rta'"):
        load_source("glue-mini", ["rta"], cache_directory=tmp_path)


class Rows(dict):
    def __init__(self, names, **columns):
        super().__init__(columns)
        self.column_names = list(columns)
        self.features = {"label": SimpleNamespace(names=names)}


def pretend_hub(monkeypatch, load):
    module = ModuleType("datasets")
    module.load_dataset = load
    monkeypatch.setitem(sys.modules, "datasets", module)


def test_the_hub_gives_the_same_tables_with_labels_by_name(monkeypatch, tmp_path):
    def load(name, config):
        assert (name, config) == ("nyu-mll/glue", "mnli")
        # In another order than the official files, as a careless upload might have it.
        names = ["contradiction", "entailment", "neutral"]
        rows = Rows(names, premise=["a", "b"], hypothesis=["c", "d"], label=[1, 0], idx=[0, 1])
        return {"train": rows, "validation_matched": rows, "validation_mismatched": rows}

    pretend_hub(monkeypatch, load)
    tasks, corpus = load_source("hub", ["mnli"], cache_directory=tmp_path)
    assert corpus is None
    train = tasks["mnli"].train
    assert (train.first, train.second) == (["a", "b"], ["c", "d"])
    assert train.labels.tolist() == [0, 2]
    assert set(tasks["mnli"].dev) == {"matched", "mismatched"}


def test_numbers_stay_numbers_and_positions_where_names_differ(monkeypatch, tmp_path):
    def load(name, config):
        if config == "stsb":
            rows = Rows(None, sentence1=["a"], sentence2=["b"], label=[2.5], idx=[0])
        else:
            rows = Rows(["unacceptable", "acceptable"], sentence=["a"], label=[1], idx=[0])
        return {"train": rows, "validation": rows}

    pretend_hub(monkeypatch, load)
    tasks, _ = load_source("hub", ["stsb", "cola"], cache_directory=tmp_path)
    assert tasks["stsb"].dev["dev"].labels.tolist() == [2.5]
    assert tasks["cola"].train.labels.tolist() == [1]
    assert tasks["cola"].train.second is None


def test_a_hub_that_fails_says_what_to_do(monkeypatch, tmp_path):
    def load(name, config):
        raise OSError("no network")

    pretend_hub(monkeypatch, load)
    with pytest.raises(InvalidData, match="'rte' could not be downloaded from the hub: no network"):
        load_source("hub", ["rte"], cache_directory=tmp_path)
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(InvalidData, match=r"Run: pip install 'encoder-nas\[hub\]'"):
        load_source("hub", ["rte"], cache_directory=tmp_path)
