"""Choosing among answers: columns and labels as people write them, encoded a sequence an answer."""

import json

import numpy as np
import pytest
import torch

from nas.data.batches import batches, token_places
from nas.data.encoding import encode, token_lengths
from nas.data.own.reading import read_own_task
from nas.data.preparation import prepare
from nas.data.prepared import PreparedData
from nas.data.tokenizer import train_tokenizer
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.suites.own import read_task_settings
from nas.evaluation.tfidf import tfidf_floor
from nas.training.prediction import Scale
from nas.training.selection import hold_out
from search_spaces.errors import InvalidData, InvalidExperiment

SAID = (("the ship", "sails"), ("the corn", "grows"), ("the rate", "rises"))


def rows(count=60, answers=2):
    rng, found = np.random.default_rng(0), []
    for number in range(count):
        right, *others = rng.permutation(3)[:answers]
        place = int(rng.integers(answers))
        texts = [f"it {SAID[i][1]}" for i in others]
        texts.insert(place, f"it {SAID[right][1]}")
        found.append((f"{number} {SAID[right][0]} does what", texts, place))
    return found


def write(path, values):
    path.write_text("\n".join(map(json.dumps, values)))
    return str(path)


def read(train, **more):
    return read_own_task(read_task_settings({"train": str(train), **more}))


WRITTEN = {
    "columns and numbers from 0": lambda q, a, i: {
        "premise": q, "question": "cause", "choice1": a[0], "choice2": a[1], "label": i, "idx": q},
    "a list and letters": lambda q, a, i: {"question": q, "choices": a, "answerKey": "AB"[i]},
    "numbers from 1": lambda q, a, i: {
        "sentence": q, "option1": a[0], "option2": a[1], "answer": str(i + 1)},
    "the right text": lambda q, a, i: {"question": q, "options": a, "answer": a[i]},
    "names of columns": lambda q, a, i: {
        "goal": q, "sol1": a[0], "sol2": a[1], "label": f"sol{i + 1}"},
}  # fmt: skip


@pytest.mark.parametrize("how", WRITTEN)
def test_a_choice_is_understood_however_it_is_written(tmp_path, how):
    own = read(write(tmp_path / "t.jsonl", [WRITTEN[how](*row) for row in rows()]))
    task, train = own.data.row, own.data.train
    assert (task.kind, task.metrics, len(task.labels)) == ("choice", ("accuracy",), 2)
    assert len(own.data.dev["dev"]) == 12
    known = {question: (answers, place) for question, answers, place in rows()}
    for asked, answers, place in zip(train.first, train.choices, train.labels, strict=True):
        question, _, cause = asked.partition("\n")
        assert (list(answers), place) == known[question]
        assert bool(cause) == ("numbers from 0" in how)
    assert type(task).from_dict(task.to_dict()).choices == task.choices


def test_what_is_wrong_with_answers(tmp_path):
    good = [{"question": q, "choices": a, "label": i} for q, a, i in rows()]

    def refused(values, message, error=InvalidData, **more):
        with pytest.raises(error, match=message):
            read(write(tmp_path / "t.jsonl", values), **more)

    refused(
        [*good, {**good[0], "choices": ["one"]}],
        "line 61: 1 answers in choices. Give every row at least two",
    )
    refused([*good, {**good[0], "choices": ["one", ""]}], "line 61: an empty answer in choices")
    refused([*good, {**good[0], "label": 5}], "line 61: the label '5' .* is none of the answers")
    refused([{**row, "label": 1} for row in good], "cannot be told whether the first is 0 or 1")
    refused([{k: v for k, v in r.items() if k != "question"} for r in good], "no column says to")
    refused(
        [{"text": "a b c", "label": i % 2} for i in range(20)],
        "no answers to choose among",
        kind="choice",
    )
    refused(good, "Leave choices out", InvalidExperiment, choices=["choices"], kind="classes")
    twice = [{"question": q, "choices": a, "label": a[i]} for q, a, i in rows()]
    refused([*twice, {**twice[0], "choices": ["x", "x"], "label": "x"}], "line 61: .* there twice")
    three = [{"question": q, "choices": [*a, "it stays"], "label": i} for q, a, i in rows()]
    dev = write(tmp_path / "dev.jsonl", three)
    refused(good, "line 1: 3 answers in choices, and 2 in the training file at most", dev=dev)


def test_answers_are_sequences_side_by_side(tmp_path):
    values = [{"question": q, "choices": a, "label": i} for q, a, i in rows(answers=3)]
    data = read(write(tmp_path / "t.jsonl", values)).data
    tokenizer = train_tokenizer([*data.train.first, "it sails grows rises"], 300)
    split = encode(tokenizer, data.train, 64, np.uint16)
    assert (len(split), split.each, len(split.offsets)) == (len(data.train), 3, 3 * len(split) + 1)
    assert len(token_lengths(tokenizer, data.train)) == 3 * len(split)
    seen = []
    for batch in batches(split, batch_size=7, seed=1):
        assert batch.tokens.shape[:2] == (len(batch.rows), 3)
        flat = batch.sequences
        # the slow way: each answer alone
        for place, (row, label) in enumerate(zip(batch.rows, batch.labels, strict=True)):
            seen.append(int(row))
            assert label == data.train.labels[row]
            for answer in range(3):
                alone = tokenizer.encode_batch(
                    [data.train.first[int(row)]], [data.train.choices[int(row)][answer]],
                    max_length=64,
                )  # fmt: skip
                here = batch.keep[place, answer]
                assert batch.tokens[place, answer][here].tolist() == alone.tokens.tolist()
                types = batch.token_types[place, answer][here]
                assert int(types.argmax()) == alone.second_start[0]
        assert (flat.tokens[flat.keep].numpy() == split.tokens[token_places(split, batch)]).all()
    assert sorted(seen) == list(range(len(split)))
    left, held = hold_out(split, 0.25, 0)
    assert (len(left) + len(held), held.each) == (len(split), 3)
    assert sorted([*left.labels, *held.labels]) == sorted(split.labels)


def ragged(count=60):
    """Return rows with two to four answers; which is right says its number of the row's own."""
    rng, found = np.random.default_rng(1), []
    for number in range(count):
        answers = [
            f"it {SAID[int(i)][1]} so {'far ' * k}" for k, i in enumerate(rng.integers(3, size=4))
        ]
        answers = answers[: 2 + number % 3]
        found.append((f"{number} what", answers, int(rng.integers(len(answers)))))
    return found


def _cells(question, answers, right):
    cells = {f"choice{n}": text for n, text in enumerate([*answers, "", ""][:4], 1)}
    return {"question": question, **cells, "label": right}


UNEVEN = {
    "a list and numbers from 0": lambda q, a, i: {"question": q, "choices": a, "label": i},
    "a list and numbers from 1": lambda q, a, i: {"question": q, "choices": a, "label": i + 1},
    "a list and letters": lambda q, a, i: {"question": q, "choices": a, "answer": "abcd"[i]},
    "columns, the last ones empty": _cells,
}


@pytest.mark.parametrize("how", UNEVEN)
def test_rows_may_have_fewer_answers_than_others(tmp_path, how):
    data = read(write(tmp_path / "t.jsonl", [UNEVEN[how](*row) for row in ragged()])).data
    known = {question: (answers, place) for question, answers, place in ragged()}
    assert len(data.row.labels) == 4
    for asked, answers, place in zip(
        data.train.first, data.train.choices, data.train.labels, strict=True
    ):
        assert (list(answers), place) == known[asked]
    assert tfidf_floor(data.row, data.train, data.dev)["accuracy"] < 0.9


def test_answers_that_a_row_has_not_are_never_chosen(tmp_path):
    values = [{"question": q, "choices": a, "label": i} for q, a, i in ragged()]
    data = read(write(tmp_path / "t.jsonl", values)).data
    tokenizer = train_tokenizer([*data.train.first, "it sails grows rises so far"], 300)
    split = encode(tokenizer, data.train, 64, np.int32)
    counts = [len(many) for many in data.train.choices]
    assert (len(split), split.each) == (len(counts), 4)
    assert len(token_lengths(tokenizer, data.train)) == sum(counts)
    kind = TASK_KINDS["choice"]
    for batch in batches(split, batch_size=7, seed=1):
        outputs = torch.zeros(len(batch.rows) * 4, 1, requires_grad=True)
        wide = batch.side_by_side(outputs)
        sure = kind.probabilities(wide)
        for row, shares in zip(batch.rows, sure, strict=True):
            count = counts[int(row)]
            assert torch.allclose(shares[:count], torch.tensor(1 / count))
            assert shares[count:].sum() == 0
            alone = tokenizer.encode_batch(
                [data.train.first[int(row)]] * count, data.train.choices[int(row)], max_length=64
            )
            start, end = split.offsets[4 * int(row)], split.offsets[4 * int(row) + count]
            assert split.tokens[start:end].tolist() == alone.tokens.tolist()
            seconds = split.second_start[4 * int(row) : 4 * int(row) + count]
            assert seconds.tolist() == alone.second_start.tolist()
        loss = kind.loss(wide, batch.labels, Scale()) + kind.soft_loss(wide, -wide.detach(), 2.0)
        loss.backward()
        assert loss.isfinite()
        assert outputs.grad.isfinite().all()
        missing = batch.keep.sum(-1).flatten() == 1
        assert (outputs.grad.flatten()[missing] == 0).all()
    rest = [{**row, "label": len(row["choices"])} for row in values[:1]]
    with pytest.raises(InvalidData, match="line 61: the label '2' .* is none of the answers"):
        read(write(tmp_path / "t.jsonl", [*values, *rest]))
    gap = [_cells(*row) for row in ragged()]
    gap[5] = {**gap[5], "choice3": "", "choice4": "x"}
    with pytest.raises(InvalidData, match="line 6: an empty answer in choice1"):
        read(write(tmp_path / "t.jsonl", gap))


def test_a_choice_is_prepared_saved_and_counted(tmp_path):
    values = [{"question": q, "choices": a, "label": i} for q, a, i in rows(120)]
    data = read(write(tmp_path / "t.jsonl", values)).data
    prepared = prepare(tasks={"t": data}, corpus=None, vocabulary_size=300, block_length=8)
    prepared.save(tmp_path / "data")
    again = PreparedData.load(tmp_path / "data", needed=["t"])
    assert again.own["t"].choices == ("choices",)
    assert len(again.tasks["t"]["dev"]) == len(data.dev["dev"])
    assert again.tasks["t"]["train"].each == 2
    floor = tfidf_floor(data.row, data.train, data.dev)
    # words of an answer alone say nothing of which is right here
    assert 0.2 < floor["accuracy"] < 0.8
    told = [{**v, "choices": [f"{c} {v['question']}" if i == v["label"] else c
                              for i, c in enumerate(v["choices"])]} for v in values]  # fmt: skip
    data = read(write(tmp_path / "told.jsonl", told)).data
    assert tfidf_floor(data.row, data.train, data.dev)["accuracy"] > 0.9
