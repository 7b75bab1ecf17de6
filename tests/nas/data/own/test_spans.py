"""Questions about texts: files as people have them, windows of long texts, answers found again."""

import csv
import json

import numpy as np
import pytest

from nas.data.encoding import encode, token_lengths
from nas.data.own.reading import read_for, read_own_task
from nas.data.preparation import prepare
from nas.data.prepared import PreparedData
from nas.data.tokenizer import train_tokenizer
from nas.evaluation.kinds import TASK_KINDS
from nas.evaluation.kinds.span import BOTH, ENDS, INSIDE, OUTSIDE, STARTS, Span
from nas.evaluation.majority import majority_metrics
from nas.evaluation.suites.own import read_task_settings
from nas.training.selection import hold_out
from search_spaces.errors import InvalidData, InvalidExperiment

NAMES = ("Ann Fox", "Ravi", "Zoë Ångström", "Mia")


def rows(count=30, *, none=True):
    """Return questions, texts, answers and where they start; "" for no answer."""
    rng, found = np.random.default_rng(0), []
    for number in range(count):
        name, more = rng.choice(NAMES), " and".join([" it rained"] * int(rng.integers(2, 9)))
        text = f"On day {number}{more}, so {name} came by train. Then{more}."
        found.append(("Who came?", text, name, text.index(name)))
        if none and number % 3 == 0:
            found.append(("What did it cost?", text, "", -1))
    return found


def squad(values):
    paragraphs = {}
    for number, (question, text, answer, start) in enumerate(values):
        entry = {
            "id": str(number),
            "question": question,
            "answers": [],
            "is_impossible": not answer,
        }
        if answer:
            entry["answers"] = [{"text": answer, "answer_start": start}] * 2
        else:
            entry["plausible_answers"] = [{"text": "rain", "answer_start": 3}]
        paragraphs.setdefault(text, []).append(entry)
    listed = [{"context": text, "qas": qas} for text, qas in paragraphs.items()]
    return {"version": "v2.0", "data": [{"title": "rain", "paragraphs": listed}]}


def as_lines(values, make):
    return "\n".join(json.dumps(make(*row)) for row in values)


def write(folder, how, values):
    path = folder / f"asked{how}"
    if how == ".json":
        path.write_text(json.dumps(squad(values)))
    elif how == ".jsonl":
        path.write_text(
            as_lines(values, lambda q, t, a, s: {"question": q, "context": t, "answers": {
                "text": [a] if a else [], "answer_start": [s] if a else []}})
        )  # fmt: skip
    elif how == ".ndjson":
        path.write_text(
            as_lines(values, lambda q, t, a, s: {"question": q, "context": t, "answers": [
                {"text": a, "answer_start": s}] if a else []})
        )  # fmt: skip
    else:
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", "question", "context", "answer", "answer_start"])
            writer.writerows((n, q, t, a, s if a else "") for n, (q, t, a, s) in enumerate(values))
    return str(path)


def read(train, **more):
    return read_own_task(read_task_settings({"train": str(train), **more}))


@pytest.mark.parametrize("how", [".json", ".jsonl", ".ndjson", ".csv"])
def test_questions_are_understood_however_they_are_written(tmp_path, how):
    place = write(tmp_path, how, rows())
    own = read(place)
    task = own.data.row
    assert (task.kind, task.metrics) == ("span", ("exact_match", "token_f1"))
    assert task.columns == ("question", "context")
    assert task.labels == ("no answer",)
    assert type(task).from_dict(json.loads(json.dumps(task.to_dict()))).start == task.start
    known = {(q, t): (a, s) for q, t, a, s in rows()}
    parts = [own.data.train, own.data.dev["dev"]]
    assert sum(map(len, parts)) == len(known)
    for part in parts:
        for q, t, (start, end), right in zip(
            part.first, part.second, part.labels, part.answers, strict=True
        ):
            answer, begins = known[q, t]
            assert set(right) == ({answer} if answer else set())
            assert (start, t[start:end]) == ((begins, answer) if answer else (-1, ""))
    # questions about one text are never in both parts
    assert not set(parts[0].second) & set(parts[1].second)
    again = read_for(task, read_task_settings({"train": place}))
    assert len(again.train) == len(known)
    assert read(write(tmp_path, how, rows(none=False))).data.row.labels == ()


def test_what_is_wrong_with_questions(tmp_path):
    def refused(values, message, error=InvalidData, how=".csv", **more):
        with pytest.raises(error, match=message):
            read(write(tmp_path, how, values) if values else tmp_path / f"asked{how}", **more)

    question, text, answer, start = rows()[0]
    good = rows(none=False)
    elsewhere = (question, text, answer, start + 1)
    refused([*good, elsewhere], rf"row 31: the answer '{answer}' is not at .* begins at {start}")
    refused([*good, (question, text, "Nobody", 3)], "stands nowhere in it")
    refused([*good, (question, text, answer, "x")], "row 31: the start .* is 'x'")
    refused([*good, (question, " ", answer, 0)], "row 31: the text in column 'context' is empty")
    refused([(q, t, "", "") for q, t, *_ in good], "no question has an answer in column 'answer'")
    refused(good, "does not go with a span", InvalidExperiment, metrics=["accuracy"])
    one = [("Who came?", text, answer, start)] * 12
    refused(one, "All questions of .* are about one text")
    dev = tmp_path / "dev.csv"
    (tmp_path / write(tmp_path, ".csv", rows())).rename(dev)
    refused(good, "dev.csv, row 2: no answer in column 'answer', and every", dev=str(dev))
    for number in ("inf", "-1", "1e12", "2.5"):
        refused([*good, (question, text, answer, number)], "row 31: the start of the answer")
    bad = squad(good)
    bad["data"][0]["paragraphs"][1]["qas"][0]["answers"][0]["answer_start"] = 1 << 70
    (tmp_path / "asked.json").write_text(json.dumps(bad))
    refused(None, "paragraph 2, question 1: 'answer_start' is 1180", how=".json")
    bad = squad(good)
    bad["data"][0]["paragraphs"][2]["qas"][0]["question"] = None
    (tmp_path / "asked.json").write_text(json.dumps(bad))
    refused(None, "article 1, paragraph 3, question 1: 'question' is None", how=".json")
    (tmp_path / "asked.csv").write_text("a,b\nso it is,1\nso it was,2\n")
    refused(None, "no questions about texts. Columns found: a, b", kind="span")
    # without starts it is one where that is said: answers are looked for
    (tmp_path / "asked.jsonl").write_text(
        as_lines(good, lambda q, t, a, s: {"question": q, "passage": t, "answer": a})
    )
    own = read(tmp_path / "asked.jsonl", kind="span")
    assert own.data.row.columns == ("question", "passage")
    assert set(own.data.train.labels[:, 0]) <= {s for *_, s in good}


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_answers_are_found_again_in_windows(tmp_path, kind):
    own = read(write(tmp_path, ".json", rows()))
    split = own.data.train
    size = 400 if kind == "bpe" else 200
    tokenizer = train_tokenizer([*split.first, *split.second], size, kind=kind)
    lengths = token_lengths(tokenizer, split)
    assert len(lengths) == len(split)
    short = 3 * int(np.median(lengths)) // 4
    encoded = encode(tokenizer, split, short, np.int32)
    passages, marks = encoded.passages, encoded.labels
    assert encoded.examples == len(split) < len(encoded)
    assert np.diff(encoded.offsets).max() <= short
    found = {number: set() for number in range(len(split))}
    for window, number in enumerate(passages.questions):
        here = slice(encoded.offsets[window], encoded.offsets[window + 1])
        mark, place = marks[here], passages.places[here]
        assert tokenizer.special[2] == encoded.tokens[here][0]
        assert (mark[1 : encoded.second_start[window]] == OUTSIDE).all()
        assert mark[-1] == OUTSIDE
        begins, ends = (np.flatnonzero(np.isin(mark, (m, BOTH))) for m in (STARTS, ENDS))
        assert len(begins) == len(ends) == 1
        assert begins[0] <= ends[0]
        if begins[0]:
            text = split.second[number][place[begins[0], 0] : place[ends[0], 1]]
            found[number].add(text.strip())
    for number, right in enumerate(split.answers):
        assert found[number] == set(right)
    # without labels nothing is marked, and the tokens are the same
    bare = type(split)(split.first, split.second, None, answers=[()] * len(split))
    alone = encode(tokenizer, bare, short, np.int32)
    assert np.array_equal(alone.tokens, encoded.tokens)
    assert set(np.unique(alone.labels)) == {OUTSIDE, INSIDE}
    # logits that know the answers give the answers
    logits = np.stack([np.isin(marks, (m, BOTH)) * 20.0 for m in (STARTS, ENDS)], 1)
    task, span = own.data.row, TASK_KINDS["span"]
    logits[encoded.offsets[:-1]] /= 2  # a window without it does not outweigh one with it
    answers, sure = span.of_examples(task, encoded, logits, None)
    for answer, right, (start, _) in zip(answers, split.answers, split.labels, strict=True):
        assert answer == (Span(right[0], start) if right else Span("", -1))
    assert (sure > 0.9).all()


def test_prepared_questions_are_kept_with_their_texts(tmp_path):
    own = read(write(tmp_path, ".json", rows()))
    name = own.data.row.name
    data = prepare(
        tasks={name: own.data}, corpus=None, vocabulary_size=200, max_length=40, block_length=16
    )
    data.save(tmp_path / "data")
    loaded = PreparedData.load(tmp_path / "data")
    for part, split in data.tasks[name].items():
        same = loaded.tasks[name][part].passages
        assert same.answers == [list(found) for found in split.passages.answers]
        assert same.context_of(3) == split.passages.context_of(3)
        assert np.array_equal(same.places, split.passages.places)
    row = own.data.row
    floor = majority_metrics(row, data.tasks[name])
    assert floor == majority_metrics(row, loaded.tasks[name])
    assert 0 < floor["dev"]["token_f1"] < 0.5
    left, held = hold_out(data.tasks[name]["train"], 0.25, 0)
    both = left.passages.answers + held.passages.answers
    assert len(both) == data.tasks[name]["train"].examples
    assert len(left) + len(held) == len(data.tasks[name]["train"])
    assert held.passages.questions[-1] + 1 == held.examples == len(held.passages.answers)
    (tmp_path / "data" / f"{name}.dev.passages.json").write_text('{"texts": []}')
    with pytest.raises(InvalidData, match="passages.json cannot be read"):
        PreparedData.load(tmp_path / "data")
