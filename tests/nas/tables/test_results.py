"""Trials, proposals and history of one run and of several: what is in them, types, files."""

import io
import json
import math

import pandas as pd
import pytest

import nas
from nas.tables.history import history_table
from nas.tables.proposals import pending_at_proposal, proposal_table
from nas.tables.trials import trial_table
from search_spaces import load_space
from search_spaces.errors import NasError, RunError, UnknownName

OBJECTIVES = {"glue": "max", "parameters": "min"}


@pytest.fixture
def believed(begin):
    """Return a run with one proposal that predicted something, and one that predicted nothing."""
    run = begin().run
    architectures = load_space("flexibert-micro").sample(3, seed=0)
    proposals = [
        {"reason": "initial"},
        {
            "reason": "optimise",
            "mean": {"glue": 0.5, "parameters": 100.0},
            "epistemic": {"glue": 0.03, "parameters": 0.0},
            "aleatoric": {"glue": 0.04, "parameters": 0.0},
            "acquisition": 0.2,
            "pending": [1],
            "parent": "abc",
            "overlap": 0.75,
        },
        {"reason": "uncertainty", "epistemic": 0.2, "acquisition": 1.0},
    ]
    for architecture, proposal in zip(architectures, proposals, strict=True):
        run.journal.asked(architecture.to_dict(), architecture.hash, seed=1, proposal=proposal)
    run.journal.finished(2, "done", scores={"glue": 0.6}, costs={"parameters": 100.0}, seconds=3.0)
    return run


def test_a_proposal_stands_beside_its_outcome(believed):
    table = believed.proposals().set_index("trial")
    row = table.loc[2]
    assert (row["reason"], row["acquisition"], row["pending"]) == ("optimise", 0.2, [1])
    assert (row["parent"], row["overlap"]) == ("abc", 0.75)
    assert row["glue_off"] == pytest.approx(0.1)
    assert row["glue_off_sd"] == pytest.approx(0.1 / math.hypot(0.03, 0.04))
    assert row["parameters_off"] == 0.0
    assert pd.isna(row["parameters_off_sd"])
    assert pd.isna(table.loc[1, "glue_mean"])
    # A single number is about the first objective; pending is read from the events where missing.
    assert table.loc[3, "glue_epistemic_sd"] == 0.2
    assert table.loc[3, "pending"] == [1, 2]


def test_pending_is_what_was_asked_and_not_told():
    events = [("ask", 1, {}), ("request", None, {}), ("ask", 2, {}), ("start", 1, {}),
              ("tell", 1, {}), ("promote", 3, {}), ("ask", 4, {})]  # fmt: skip
    assert pending_at_proposal(events) == {1: [], 2: [1], 3: [2], 4: [2, 3]}


def test_history_follows_the_order_of_ending(searched):
    run = nas.open_run(searched())
    history = run.history()
    assert history["order"].tolist() == list(range(1, 9))
    assert history["finished_at"].is_monotonic_increasing
    assert history["elapsed_seconds"].is_monotonic_increasing
    assert history["best_glue"].dropna().is_monotonic_increasing
    assert history["hypervolume"].is_monotonic_increasing
    assert history["spent_seconds"].iloc[-1] == pytest.approx(7 * 2.0 + 1.0)
    failed = history[history["status"] == "failed"].iloc[0]
    assert pd.isna(failed["glue"])
    last = history.iloc[-1]
    assert last["best_glue"] == run.best()["glue"].iloc[0]
    assert last["front_size"] == len(run.pareto())
    assert last["hypervolume"] == pytest.approx(run.hypervolume(normalised=True))


def test_history_leaves_pauses_out_lower_fidelities_uncompared_and_counts_their_cost():
    def record(trial, at, fidelity, glue):
        return {
            "trial": trial, "hash": "h", "status": "done", "fidelity": fidelity, "finished_at": at,
            "seconds": 1800.0, "gpu_seconds": 900.0, "scores": {"glue": glue},
            "costs": {"parameters": 10.0},
        }  # fmt: skip

    records = [record(1, 150.0, 0.5, 0.9), record(2, 1100.0, 1.0, 0.7)]
    table = history_table(
        records, OBJECTIVES, [(100.0, 200.0), (1000.0, 1200.0)], price_per_hour=4.0
    )
    assert table["elapsed_seconds"].tolist() == [50.0, 200.0]
    assert pd.isna(table["best_glue"][0])
    assert table["best_glue"][1] == 0.7
    assert table["spent_gpu_hours"].tolist() == [0.25, 0.5]
    assert table["spent_cost"].tolist() == [1.0, 2.0]


TABLES = {"trials": "trials", "proposals": "proposals", "history": "history"}


@pytest.mark.parametrize("name", sorted(TABLES))
def test_types_do_not_depend_on_what_is_in_the_table(searched, begin, name):
    full = getattr(nas.open_run(searched()), name)()
    empty = getattr(begin(name="empty").run, name)()
    assert len(empty) == 0
    assert len(full) == 8
    shared = [column for column in full.columns if column in empty.columns]
    assert set(empty.columns) <= set(full.columns)
    assert empty[shared].dtypes.to_dict() == full[shared].dtypes.to_dict()
    assert pd.concat([empty, full])[shared].dtypes.to_dict() == full[shared].dtypes.to_dict()


def test_types_of_empty_tables_without_a_run():
    assert str(trial_table([], preset=None, scores=["rte"])["rte"].dtype) == "float64"
    assert str(trial_table([], preset=None)["finished_at"].dtype) == "datetime64[us, UTC]"
    assert str(proposal_table([], ["glue"], {})["glue_off_sd"].dtype) == "float64"
    assert str(history_table([], OBJECTIVES, [])["hypervolume"].dtype) == "float64"


@pytest.mark.parametrize("name", sorted(TABLES))
@pytest.mark.parametrize("ending", ["parquet", "csv", "json"])
def test_files_hold_every_column(searched, tmp_path, name, ending):
    table = getattr(nas.open_run(searched()), name)()
    path = nas.write_table(table, tmp_path / f"t.{ending}")
    read = {
        "parquet": pd.read_parquet,
        "csv": pd.read_csv,
        "json": lambda p: pd.read_json(p, lines=True),
    }[ending](path)
    assert read.columns.tolist() == table.columns.tolist()
    assert len(read) == len(table)
    assert not list(tmp_path.glob("*.part"))
    if name == "trials" and ending != "json":
        assert json.loads(read["architecture"][3]) == table["architecture"][3]
    if ending == "parquet":
        assert str(read["finished_at" if name != "proposals" else "asked_at"].dtype).endswith(
            "UTC]"
        )


@pytest.mark.parametrize("name", sorted(TABLES))
def test_pandas_own_parquet_takes_them_too(searched, begin, tmp_path, name):
    for run in (nas.open_run(searched()), begin(name="empty").run):
        table = getattr(run, name)()
        table[table["trial"] > 0].to_parquet(tmp_path / "own.parquet")
        back = pd.read_parquet(tmp_path / "own.parquet")
        assert len(back) == len(table)
        if name == "trials" and len(back):
            assert json.loads(back["architecture"][0]) == table["architecture"][0]
            csv = pd.read_csv(io.StringIO(table.sort_values("glue").to_csv(index=False)))
            assert json.loads(csv["architecture"][0])["l"] in (2, 4)


def test_a_file_that_cannot_be_leaves_nothing(tmp_path):
    table = trial_table([], preset=None)
    with pytest.raises(NasError, match=r"has the ending '.xlsx'. Use one of .parquet, .csv"):
        nas.write_table(table, tmp_path / "t.xlsx")
    with pytest.raises(NasError, match="cannot be written"):
        nas.write_table(table, tmp_path / "no" / "t.csv")
    assert not list(tmp_path.iterdir())


def test_several_runs_are_one_table(searched):
    paths = [searched(name="one"), searched(name="two", seed=1)]
    runs = nas.open_runs(paths)
    for table in (runs.trials(), runs.proposals(), runs.history()):
        assert table.columns[0] == "run"
        assert table["run"].value_counts().to_dict() == {"one": 8, "two": 8}
    assert runs.trials().dtypes.drop("run").to_dict() == runs.runs[0].trials().dtypes.to_dict()
    assert runs.objectives == OBJECTIVES
    fronts = runs.pareto(by="run")
    assert set(fronts["run"]) == {"one", "two"}
    assert len(runs.best(by="run")) == 2
    assert runs.best()["glue"].iloc[0] == runs.trials()["glue"].max()
    with pytest.raises(RunError, match="No run was given"):
        nas.open_runs([])
    with pytest.raises(RunError, match="was given twice"):
        nas.open_runs([*paths, paths[0]])


def test_runs_with_other_columns_concatenate(searched, tmp_path):
    one = searched(name="one")
    same_name = searched(name="other/one", objectives="glue:max,latency_ms:min")
    runs = nas.open_runs([one, same_name])
    assert runs.names == [str(one), str(same_name)]
    assert runs.objectives == {"glue": "max"}
    assert {"parameters_off_sd", "latency_ms_off_sd"} <= set(runs.proposals().columns)
    third = searched(name="third", objectives="cola:max")
    with pytest.raises(RunError, match="no objective in common.*one: glue:max.*Name one yourself"):
        _ = nas.open_runs([one, third]).objectives


def test_what_a_run_cannot_answer(searched, begin):
    run = nas.open_run(searched())
    with pytest.raises(UnknownName, match="No objective is called 'glu'. Did you mean 'glue'"):
        run.pareto(glu="max")
    unmeasured = begin(name="tasks", recipe={"tasks": ["rte"]}).run
    unmeasured.journal.asked({}, "a", seed=0, proposal={})
    unmeasured.journal.finished(1, "done", scores={"glue": 0.5}, costs={}, seconds=1.0)
    with pytest.raises(RunError, match="No finished trial of the run .* has a value of 'rte'"):
        unmeasured.pareto(rte="max")
    empty = begin(name="empty").run
    for ask in (empty.pareto, empty.knee, empty.best, empty.hypervolume):
        with pytest.raises(RunError, match="The run .* has no finished trial yet"):
            ask()


def test_constraints_and_groups_of_a_run(searched):
    run = nas.open_run(searched())
    limit = int(run.finished()["parameters"].median())
    front = run.pareto(glue="max", constraints=[f"parameters < {limit}"])
    assert (front["parameters"] < limit).all()
    assert set(run.pareto(by="recipe")["trial"]) == set(run.pareto()["trial"])
    assert run.knee()["trial"].iloc[0] in set(run.pareto()["trial"])


def test_pareto_works_on_any_table():
    front = nas.pareto.pareto_front(pd.DataFrame({"a": [1, 2], "b": [1, 2]}), a="max", b="max")
    assert front.index.tolist() == [1]
