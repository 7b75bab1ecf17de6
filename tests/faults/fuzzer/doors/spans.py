"""Questions about texts: SQuAD's JSON, tables of answers with their places."""

import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from fuzzer import values
from fuzzer.cases import DOORS, Door, Step
from fuzzer.doors.glue import WORDS
from fuzzer.doors.own import odd_rows, steps_of, write
from fuzzer.texts import change_bytes
from fuzzer.trees import change_tree, changed_json

STARTS = (-1, 0, 10**6, 2**31, 2**63, 1.5, "3", "", None, True, [1], "x", float("nan"))


@cache
def document(number: int) -> dict[str, Any]:
    """Return a document as SQuAD 2's, with a question that has no answer."""
    rng = Random(number)
    paragraphs = []
    for i in range(12):
        words = rng.choices(WORDS, k=12)
        context, asked = " ".join(words), []
        for j in range(2):
            at = rng.randrange(len(words))
            answer = {"text": words[at], "answer_start": len(" ".join(words[:at])) + (at > 0)}
            none = number % 2 and not (i + j) % 5
            asked.append(
                {
                    "id": f"{i}-{j}",
                    "question": " ".join(rng.choices(WORDS, k=4)),
                    "is_impossible": bool(none),
                    "answers": [] if none else [answer],
                }
            )
        paragraphs.append({"context": context, "qas": asked})
    return {"version": "v2.0", "data": [{"title": "t", "paragraphs": paragraphs}]}


def as_rows(found: dict[str, Any], *, flat: bool) -> list[dict[str, Any]]:
    """Return a row a question: with its answers as `datasets` has them, or text and start."""
    rows = []
    for paragraph in found["data"][0]["paragraphs"]:
        for asked in paragraph["qas"]:
            texts = [a["text"] for a in asked["answers"]]
            starts = [a["answer_start"] for a in asked["answers"]]
            row = {"question": asked["question"], "context": paragraph["context"]}
            if flat:
                row |= {"answer": "".join(texts[:1]), "answer_start": (starts or [0])[0]}
            else:
                row["answers"] = {"text": texts, "answer_start": starts}
            rows.append(row)
    return rows


def _odd_answer(rng: Random, found: dict[str, Any]) -> dict[str, Any]:
    """Return the document with one answer that does not stand where it says."""
    found = json.loads(json.dumps(found))
    asked = rng.choice(rng.choice(found["data"][0]["paragraphs"])["qas"])
    if rng.random() < 0.5 and asked["answers"]:
        asked["answers"][0]["answer_start"] = rng.choice(STARTS)
    else:
        asked["answers"] = rng.choice(
            (
                [{"text": values.text(rng), "answer_start": 0}],
                [{"text": "", "answer_start": 0}],
                [{}], [None], None, {}, "x", [[]], [{"text": None, "answer_start": None}],
            )
        )  # fmt: skip
    return found


def make(rng: Random, folder: Path) -> list[Step]:
    """Change questions, answers or their places; search on them, and ask what was found."""
    ending = rng.choice((".json", ".json", ".jsonl", ".parquet", ".csv"))
    found = document(rng.randrange(2))
    train, kind = folder / f"train{ending}", rng.randrange(10)
    if kind < 4:
        changed = _odd_answer(rng, found) if kind < 2 else change_tree(rng, found)
    else:
        changed = found
    try:
        if ending == ".json":
            train.write_bytes(
                changed_json(rng, found) if kind == 4 else json.dumps(changed).encode()
            )
        else:
            rows = as_rows(changed, flat=ending == ".csv" or rng.random() < 0.5)
            write(train, odd_rows(rng, rows) if 4 <= kind < 7 else rows)
    except Exception:  # noqa: BLE001  what no format can say is no case
        train.write_text(json.dumps(found))
    if kind == 7:
        train.write_bytes(change_bytes(rng, train.read_bytes()))
    task: dict[str, Any] = {"train": train.name, "name": "mine"}
    if kind == 8:
        key = rng.choice(("kind", "text", "label", "start", "choices", "metrics"))
        usual = ("span", "classes", "question", ["question", "context"], "answers", ["f1"], "id")
        task[key] = rng.choice((values.value(rng), *usual))
    (folder / "asked.json").write_text(json.dumps(document(0)))
    asked = train.name if rng.random() < 0.5 else "asked.json"
    return steps_of(rng, folder, task, asked)


DOORS.register("span")(Door("questions about texts", make))
