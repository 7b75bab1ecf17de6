"""GLUE: nine tasks of sentence understanding, one frozen row each.

Source: Wang et al., "GLUE: A Multi-Task Benchmark and Analysis Platform for Natural Language
Understanding", ICLR 2019.
"""

import re
from collections.abc import Iterable

from nas.evaluation.suites.task import Task
from search_spaces.errors import InvalidExperiment, UnknownName

__all__ = ["GLUE", "Task", "glue_task", "glue_tasks", "plain"]

PAIR = ("sentence1", "sentence2")
ENTAILMENT = ("entailment", "not_entailment")

_ROWS = (
    Task(
        name="cola",
        folder="CoLA",
        header=("source", "label", "star", "sentence"),
        columns=("sentence",),
        label="label",
        labels=("0", "1"),
        metrics=("matthews",),
        source='Warstadt et al., "Neural Network Acceptability Judgments", TACL 2019',
    ),
    Task(
        name="sst2",
        folder="SST-2",
        columns=("sentence",),
        label="label",
        labels=("0", "1"),
        metrics=("accuracy",),
        source='Socher et al., "Recursive Deep Models for Semantic Compositionality", EMNLP 2013',
    ),
    Task(
        name="mrpc",
        folder="MRPC",
        columns=("#1 String", "#2 String"),
        label="Quality",
        labels=("0", "1"),
        metrics=("accuracy", "f1"),
        source='Dolan and Brockett, "Automatically Constructing a Corpus of Sentential '
        'Paraphrases", IWP 2005',
    ),
    Task(
        name="stsb",
        folder="STS-B",
        columns=PAIR,
        label="score",
        labels=(),
        metrics=("pearson", "spearman"),
        label_range=(0.0, 5.0),
        source='Cer et al., "SemEval-2017 Task 1: Semantic Textual Similarity", SemEval 2017',
    ),
    Task(
        name="qqp",
        folder="QQP",
        columns=("question1", "question2"),
        label="is_duplicate",
        labels=("0", "1"),
        metrics=("accuracy", "f1"),
        # a question with a line break inside leaves two short rows
        broken_rows=100,
        source='Iyer, Dandekar and Csernai, "First Quora Dataset Release: Question Pairs", 2017',
    ),
    Task(
        name="mnli",
        folder="MNLI",
        columns=PAIR,
        label="gold_label",
        labels=("entailment", "neutral", "contradiction"),
        metrics=("accuracy",),
        dev={"matched": "dev_matched.tsv", "mismatched": "dev_mismatched.tsv"},
        test={"matched": "test_matched.tsv", "mismatched": "test_mismatched.tsv"},
        source='Williams, Nangia and Bowman, "A Broad-Coverage Challenge Corpus for Sentence '
        'Understanding through Inference", NAACL 2018',
    ),
    Task(
        name="qnli",
        folder="QNLI",
        columns=("question", "sentence"),
        label="label",
        labels=ENTAILMENT,
        metrics=("accuracy",),
        source='Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", '
        "EMNLP 2016, recast by GLUE",
    ),
    Task(
        name="rte",
        folder="RTE",
        columns=PAIR,
        label="label",
        labels=ENTAILMENT,
        metrics=("accuracy",),
        source='Dagan, Glickman and Magnini, "The PASCAL Recognising Textual Entailment '
        'Challenge", 2006, and RTE-2, -3 and -5',
    ),
    Task(
        name="wnli",
        folder="WNLI",
        columns=PAIR,
        label="label",
        labels=("0", "1"),
        metrics=("accuracy",),
        source='Levesque, Davis and Morgenstern, "The Winograd Schema Challenge", KR 2012, '
        "recast by GLUE",
    ),
)

GLUE: dict[str, Task] = {task.name: task for task in _ROWS}

_SHORTER = {"sst": "sst2", "sts": "stsb"}


def plain(name: str) -> str:
    """Return `name` in lower case without hyphens, underscores and spaces: "STS-B" -> "stsb"."""
    return re.sub(r"[-_\s]", "", name).lower()


def glue_task(name: str) -> Task:
    """Return the task called `name` in any usual spelling, such as "sst-2", "STS-B" or "CoLA".

    Raises:
        UnknownName: GLUE has no such task.
    """
    key = plain(str(name))
    task = GLUE.get(_SHORTER.get(key, key))
    if task is None:
        raise UnknownName("GLUE task", name, GLUE)
    return task


def glue_tasks(names: Iterable[str] | str | None = None) -> list[Task]:
    """Return the tasks called `names`, in the order given; all nine for None.

    Args:
        names: Names in any usual spelling, or one text with commas between them.

    Raises:
        UnknownName: GLUE has no task of such a name.
        InvalidExperiment: No name at all, or one name twice.
    """
    if names is None:
        return list(GLUE.values())
    if isinstance(names, str):
        names = [name for name in names.split(",") if name.strip()]
    tasks = [glue_task(name.strip()) for name in names]
    if not tasks:
        raise InvalidExperiment(
            f"The list of tasks is empty. Name at least one of {', '.join(GLUE)}, "
            "or leave it out to use all."
        )
    twice = sorted({task.name for task in tasks if tasks.count(task) > 1})
    if twice:
        raise InvalidExperiment(f"Task {twice[0]!r} is named twice. Name each task once.")
    return tasks
