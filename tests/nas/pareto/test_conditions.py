"""Conditions keep the right rows, and can do nothing but look at the table."""

import pandas as pd
import pytest

from nas.pareto.conditions import rows_where
from search_spaces.errors import InvalidExperiment, UnknownName

TABLE = pd.DataFrame(
    {
        "trial": pd.array([1, 2, 3, 4], dtype="Int64"),
        "status": pd.array(["done", "failed", "done", None], dtype="string"),
        "glue": [0.5, float("nan"), 0.7, 0.6],
        "parameters": pd.array([100, None, 300, 200], dtype="Int64"),
    }
)


@pytest.mark.parametrize(
    ("condition", "trials"),
    [
        ("glue > 0.5", [3, 4]),
        ("glue >= 0.5 and parameters < 3e2", [1, 4]),
        ("(glue > 0.5) & (parameters < 250)", [4]),
        ("(glue > .65) | (parameters == 100)", [1, 3]),
        ("status == 'done'", [1, 3]),
        ("status != 'done'", [2]),
        ("glue != 0.5", [3, 4]),
        ("parameters != 100", [3, 4]),
        ("0.5 != glue", [3, 4]),
        ("glue != parameters", [1, 3, 4]),
        ("not glue > 0.6", [1, 2, 4]),
        ("~(status == 'done')", [2, 4]),
        ("status in ['done', 'failed']", [1, 2, 3]),
        ("trial not in (1, 2)", [3, 4]),
        ("0.55 < glue < 0.65", [4]),
        ("parameters / 100 > glue * 4 - -0.1", [3]),
        ("-glue < -0.6", [3]),
        ("glue == glue", [1, 3, 4]),
        (" trial == 2 ", [2]),
    ],
)
def test_rows_that_are_kept(condition, trials):
    assert rows_where(TABLE, condition)["trial"].tolist() == trials


def test_several_conditions_must_all_hold():
    assert rows_where(TABLE, "glue > 0.5", "parameters < 250")["trial"].tolist() == [4]
    assert len(rows_where(TABLE)) == 4


@pytest.mark.parametrize(
    "condition",
    [
        "__import__('os').system('true')",
        "glue.max() > 1",
        "glue.__class__ == 1",
        "@pd.x > 1",
        "abs(glue) > 0",
        "[x for x in (1,)] == 1",
        "(lambda: 1)() == 1",
        "glue[0] > 1",
        "f'{glue}' == 'x'",
        "(y := 1) > 0",
        "glue > 1 if True else glue < 1",
        "glue ** 99999999 > 1",
        "status in status",
        "glue is None",
        "1 < 2",
        "glue",
        "True",
        "glue >",
        "",
        "glue > 1; trial > 1",
        "status > 3",
        "status * 2 == 'x'",
        "glue > b'x'",
        "glue > .65 | parameters == 100",
        "-status == 'x'",
        "trial in [-'a']",
        "glue > 1" + " and glue > 1" * 200,
        "not " * 300 + "glue > 1",
        "glue == None",
        "glue > 1 / 0",
    ],
)
def test_everything_else_is_refused_with_an_example(condition):
    with pytest.raises(InvalidExperiment, match=r"is no condition: .*Write for instance 'glue > "):
        rows_where(TABLE, condition)


def test_an_unknown_column_is_named_with_the_near_one():
    with pytest.raises(UnknownName, match="No column is called 'paramters'. Did you mean 'parame"):
        rows_where(TABLE, "paramters < 3")


def test_one_equals_sign_is_explained():
    with pytest.raises(InvalidExperiment, match="equality is written with =="):
        rows_where(TABLE, "status = 'done'")


def test_an_empty_table_stays_empty():
    assert rows_where(TABLE.iloc[:0], "glue > 1 and status == 'done'").empty
