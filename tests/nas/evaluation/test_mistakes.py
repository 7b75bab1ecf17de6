"""Where answers are wrong: counted as scikit-learn counts, bounded, printable, read with care."""

import copy
import json
from types import SimpleNamespace

import numpy as np
import pytest

from nas.evaluation.class_figures import LONGEST_NAME, MOST_CONFUSED, MOST_NAMES
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.kinds.span import NOTHING, Span
from nas.evaluation.kinds.words import BETWEEN, CONTINUED
from nas.evaluation.mistakes import LONGEST, WORST, Mistakes, plain_mistakes, read_mistakes
from nas.evaluation.suites.task import Task

HOSTILE = "\x1b[31m<script>alert(1)</script>\u202e\n\x00 " + "long " * 500


def task(kind, labels=()):
    columns = ("question", "context") if kind == "span" else ("text",)
    return Task(
        name="t", folder="", columns=columns, label="y", labels=tuple(labels),
        metrics=TASK_KINDS[kind].metrics, source="", kind=kind, own=True,
    )  # fmt: skip


def split(labels, **more):
    labels = np.asarray(labels, np.float32)
    usual = {"labels": labels, "passages": None, "excerpts": ()}
    return SimpleNamespace(**{**usual, **more})


def found(kind, labels, part, answers, sure):
    return TASK_KINDS[kind].mistakes(task(kind, labels), part, answers, sure)


def certain(answers, count, value=0.9):
    """Return probabilities by which the answers are the likeliest."""
    sure = np.full((len(answers), count), (1 - value) / (count - 1))
    sure[np.arange(len(answers)), answers] = value
    return sure


@pytest.mark.parametrize("count", [3, 45])
def test_classes_are_counted_as_scikit_learn_counts_them(count):
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    rng = np.random.default_rng(0)
    rights = rng.integers(count, size=400)
    answers = np.where(rng.random(400) < 0.5, rights, rng.integers(count, size=400))
    names = [f"class {i}" for i in range(count)]
    one = found("classes", names, split(rights), answers, certain(answers, count))
    assert (one.examples, one.wrong) == (400, int((rights != answers).sum()))
    figures = precision_recall_fscore_support(rights, answers, labels=range(count), zero_division=0)
    table = confusion_matrix(rights, answers, labels=range(count))
    for name, of in zip(one.names, one.figures, strict=True):
        wanted = [column[names.index(name)] for column in figures]
        assert [of.precision, of.recall, of.f1, of.support] == pytest.approx(wanted)
    assert one.names_in_all == count
    np.fill_diagonal(table, 0)
    assert one.confused_in_all == (table > 0).sum()
    assert [c for _, _, c in one.confused] == sorted(table[table > 0], reverse=True)[:MOST_CONFUSED]
    for right, said, times in one.confused:
        assert table[names.index(right), names.index(said)] == times
    if count == 3:
        assert one.names == names
        assert np.sum(one.table) == 400
        assert np.trace(one.table) == 400 - one.wrong
    else:  # of many, those told apart worst
        assert (len(one.names), one.table) == (MOST_NAMES, [])
        assert [of.f1 for of in one.figures] == pytest.approx(sorted(figures[2])[:MOST_NAMES])


def test_the_surest_of_the_wrong_answers_come_first():
    rights, answers = np.arange(30) % 2, np.zeros(30, int)
    sure = certain(answers, 2)
    sure[:, 0] = np.linspace(0.5, 1.0, 30)
    texts = [f"text {i}" for i in range(30)]
    one = found("classes", "ab", split(rights, excerpts=texts), answers, sure)
    assert [row.text for row in one.worst] == [f"text {i}" for i in range(29, 9, -2)]
    assert {(row.right, row.answer) for row in one.worst} == {("b", "a")}
    assert one.worst[0].value == pytest.approx(1.0)
    assert one.worst[0].example == 30
    choice = found("choice", "ab", split(rights, excerpts=texts), answers, sure)
    assert choice.worst == one.worst
    assert (choice.names, choice.wrong) == ([], 15)


def test_several_labels_are_told_apart_one_by_one():
    rights = [[1, 0], [1, 1], [0, 0], [0, 1]]
    answers = np.array([[1, 0], [1, 0], [1, 0], [0, 1]])
    sure = np.array([[0.9, 0.2], [0.9, 0.4], [0.7, 0.1], [0.1, 0.8]])
    one = found("labels", ("sea", "farm"), split(rights), answers, sure)
    sea, farm = one.figures
    assert (sea.precision, sea.recall, sea.support) == pytest.approx((2 / 3, 1.0, 2))
    assert (farm.precision, farm.recall, farm.support) == pytest.approx((1.0, 0.5, 2))
    assert [(row.right, row.answer, row.example) for row in one.worst] == [
        ("(none)", "sea", 3), ("sea|farm", "sea", 2),
    ]  # fmt: skip
    assert [row.value for row in one.worst] == pytest.approx([0.7, 0.6])
    assert (one.what, one.wrong, one.table, one.confused) == ("label", 2, [], [])


def test_of_numbers_the_largest_errors():
    one = found("number", (), split([1, 2, 3]), np.array([1.0, 2.5, -1.0]), None)
    assert [(row.right, row.answer, row.value) for row in one.worst] == [
        ("3", "-1", 4.0), ("2", "2.5", 0.5),
    ]  # fmt: skip
    assert (one.wrong, one.mean_error) == (None, pytest.approx(1.5))


def words_of(labels, read):
    """Two texts: three words, one of two tokens, and two words."""
    tags = [BETWEEN, 0, 1, CONTINUED, 4, BETWEEN, BETWEEN, 2, 4, BETWEEN]
    part = split(tags, offsets=np.array([0, 6, 10]), excerpts=["Ann Fox went", "Oslo lay"])
    answers = np.array([0, 0, 4, 0, 4, 0, 0, 0, 4, 0])
    sure = certain(answers, len(labels), 0.6)
    sure[7] = 0.0
    sure[7, 0] = 0.95
    return found("words", labels, part, answers, sure)


def test_of_words_each_kind_of_entity():
    one = words_of(("B-PER", "I-PER", "B-LOC", "I-LOC", "O"), None)
    # "Ann" alone is no entity of the file, "Oslo" is answered as a person
    assert one.names == ["PER", "LOC"]
    assert [(of.precision, of.recall, of.support) for of in one.figures] == [(0, 0, 1), (0, 0, 1)]
    assert sorted(one.confused) == [("LOC", "PER", 1), ("PER", "O", 1)]
    assert (one.what, one.examples, one.wrong) == ("kind", 2, 2)
    assert [(row.text, row.right, row.answer) for row in one.worst] == [
        ("Oslo lay", "Oslo: B-LOC", "B-PER"), ("Ann Fox went", "Fox: I-PER", "O"),
    ]  # fmt: skip


def test_of_words_without_marks_each_label():
    one = words_of(("NOUN", "VERB", "ADJ", "ADV", "X"), None)
    assert one.names == ["NOUN", "VERB", "ADJ", "ADV", "X"]
    assert [of.support for of in one.figures] == [1, 1, 1, 0, 2]
    assert one.what == "label"
    assert ("VERB", "X", 1) in one.confused


def test_of_spans_the_text_around_the_answer():
    context = f"{'It rained. ' * 30}The ship sailed to Oslo at noon. {'It rained. ' * 30}"
    passages = SimpleNamespace(
        answers=[["Oslo", "to Oslo"], [], ["Oslo"]], context_of=lambda question: context
    )
    part = split([0], passages=passages, excerpts=["Where to?", "Who?", "Where?"])
    answers = np.empty(3, object)
    answers[:] = [Span("noon", context.find("noon")), Span("It", 0), Span("the Oslo", 3)]
    one = found("span", ("no answer",), part, answers, np.array([[0.3], [0.8], [0.9]]))
    assert (one.examples, one.wrong) == (3, 2)  # an article more is right
    assert [(row.right, row.answer) for row in one.worst] == [
        ("no answer", "It"), ("Oslo | to Oslo", "noon"),
    ]  # fmt: skip
    assert one.worst[1].text.startswith("Where to? | …")
    assert "ship sailed to Oslo at noon" in one.worst[1].text
    answers[:] = [NOTHING] * 3
    one = found("span", ("no answer",), part, answers, np.full((3, 1), 0.5))
    assert {row.answer for row in one.worst} == {"no answer"}


RIGHT = {
    "classes": ([0, 1], np.array([0, 1])),
    "choice": ([0, 1], np.array([0, 1])),
    "number": ([0.5, 1.5], np.array([0.5, 1.5])),
    "labels": ([[1, 0], [0, 1]], np.array([[1, 0], [0, 1]])),
    "words": ([BETWEEN, 0, 1, BETWEEN], np.array([0, 0, 1, 0])),
    "span": ([0], [Span("sea", 3)]),
}


@pytest.mark.parametrize("kind", RIGHT)
def test_right_answers_are_no_mistakes_and_everything_is_json(kind):
    labels, answers = RIGHT[kind]
    names = {"number": (), "span": ("no answer",)}.get(kind, ("a", "b"))
    passages = SimpleNamespace(answers=[["sea"]], context_of=lambda question: "a sea")
    part = split(
        labels,
        offsets=np.array([0, 4]) if kind == "words" else None,
        passages=passages if kind == "span" else None,
    )
    sure = None if kind == "number" else np.full((len(answers), max(1, len(names))), 0.5)
    one = found(kind, names, part, answers, sure)
    assert one.worst == one.confused == []
    assert one.wrong == (None if kind == "number" else 0)
    assert Mistakes.from_dict(json.loads(json.dumps(one.to_dict()))) == one


def test_every_kind_that_comes_along_says_where_it_is_wrong():
    assert set(RIGHT) <= set(TASK_KINDS)


def hostile():
    answers = np.zeros(30, int)
    part = split(np.ones(30), excerpts=[HOSTILE] * 30)
    return found("classes", (HOSTILE, "b" * 999), part, answers, certain(answers, 2))


def test_texts_are_short_and_nothing_in_them_is_obeyed():
    one = hostile()
    assert len(one.worst) == WORST
    for row in one.worst:
        assert row.text.startswith(r"\x1b[31m<script>alert(1)</script>\u202e \x00 long long")
        assert len(row.text) <= LONGEST
        assert row.answer.startswith(r"\x1b[31m<script>")
        assert row.right == "b" * (LONGEST_NAME - 1) + "…"
    said = json.dumps(one.to_dict(), ensure_ascii=False)
    assert all(character.isprintable() for character in said)
    assert len(said) < 20_000


def harmed(change):
    values = hostile().to_dict()
    change(values)
    return {"t": {"dev": values}}


HARMS = {
    "no mapping": lambda v: v.clear(),
    "a count": lambda v: v.update(examples=-1),
    "a truth value": lambda v: v.update(wrong=True),
    "a long number": lambda v: v.update(names_in_all=10**400),
    "infinity": lambda v: v.update(mean_error=float("inf")),
    "another word": lambda v: v.update(what="<b>"),
    "too few names": lambda v: v["names"].pop(),
    "too many names": lambda v: v.update(names=["a"] * 31, figures=v["figures"][:1] * 31),
    "a name": lambda v: v.update(names=[1, 2]),
    "figures": lambda v: v["figures"][0].update(f1=7),
    "support": lambda v: v["figures"][0].update(support=1.5),
    "a table of texts": lambda v: v.update(table=[["a", "b"], [1, 2]]),
    "a table of another size": lambda v: v.update(table=[[1, 2]]),
    "a confusion": lambda v: v.update(confused=[["a", "b"]]),
    "a confusion without a count": lambda v: v.update(confused=[["a", "b", "c"]]),
    "many wrong answers": lambda v: v.update(worst=v["worst"] * 2),
    "a wrong answer": lambda v: v["worst"][0].update(text=None),
    "how sure": lambda v: v["worst"][0].update(value="0.5"),
    "an example": lambda v: v["worst"][0].update(example=0),
    "more": lambda v: v.update(more=1),
}


@pytest.mark.parametrize("harm", HARMS)
def test_what_no_trial_gives_is_refused(harm):
    values = harmed(HARMS[harm])
    with pytest.raises(ValueError, match=r"\w"):
        read_mistakes(values)
    assert plain_mistakes(values) == {}


def test_what_is_read_is_made_printable_once_more():
    values = harmed(lambda v: None)
    assert read_mistakes(copy.deepcopy(values))["t"]["dev"] == hostile()
    values["t"]["dev"]["worst"][0]["text"] = HOSTILE
    values["t"]["dev"]["names"][1] = HOSTILE
    values["\x1b" * 99] = values.pop("t")
    (name, of), *_ = read_mistakes(values).items()
    assert name == (r"\x1b" * 99)[: LONGEST_NAME - 1] + "…"
    assert of["dev"].worst[0].text == hostile().worst[0].text
    assert of["dev"].names[1] == hostile().names[0]
    for odd in (None, [], {"t": 1}, {"t": {"dev": None}}):
        with pytest.raises(ValueError, match=r"\w"):
            read_mistakes(odd)
