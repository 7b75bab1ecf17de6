"""Marks of letters: kept where words need them, as before where they do not, never lost unasked."""

import unicodedata

import numpy as np
import pytest

from nas.data.marks import keeps_marks, marked_script, without_marks
from nas.data.preparation import prepare
from nas.data.tables import Split, TaskData
from nas.data.tokenizer import Tokenizer, train_tokenizer
from nas.evaluation.suites.task import Task
from nas.training.recipe import Recipe
from search_spaces.errors import InvalidData, InvalidExperiment

NEPALI = ["नेपाली भाषा क्‍षेत्र", "काठमाडौं नेपालको राजधानी हो ।", "नदी र नेपाली"] * 4
JOINED = "र्‍याल"  # with a zero-width joiner
ENGLISH = ["the café is open", "a dog runs", "no more words here"] * 40


def said(tokenizer, text):
    """What is left of a text that was encoded."""
    return tokenizer.decode(tokenizer.encode_batch([text], max_length=64).tokens)


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("नेपाली भाषा", "DEVANAGARI"),
        ("বাংলা ভাষায় কথা", "BENGALI"),
        ("ภาษาไทยที่ดี", "THAI"),
        ("мой ёж и чай", "CYRILLIC"),
        ("がぎぐげご", "HIRAGANA"),
        ("Ein schöner Tag, un été", None),
        ("καλημέρα", None),
        ("שָׁלוֹם עולם", None),
        ("中文沒有", None),
        ("한국어", None),
        ("", None),
        ("plain words " * 100 + "नेपाली", None),  # a foreign word in many others
        ("plain words " * 10 + "नेपाली", "DEVANAGARI"),
    ],
)
def test_scripts_that_need_their_marks_are_told_from_those_that_do_not(text, script):
    assert marked_script([text]) == script


def test_what_bert_leaves_of_a_word():
    tokenizer = train_tokenizer(NEPALI, 300)
    assert said(tokenizer, "नेपाली") == "नपाली" == without_marks("नेपाली")


def test_marks_conjuncts_and_joiners_stay():
    tokenizer = Tokenizer.from_json(train_tokenizer([*NEPALI, JOINED], 300, keep_marks=True).json)
    for word in ("नेपाली", "काठमाडौं", "क्‍षेत्र", JOINED):
        assert said(tokenizer, word) == unicodedata.normalize("NFC", word)
    assert said(tokenizer, "A\x00B\ufeff नदी") != "[UNK]"


def test_composed_and_decomposed_letters_are_one():
    tokenizer = train_tokenizer(["schöne Tage"] * 5, 200, keep_marks=True)
    both = [unicodedata.normalize(form, "SCHÖNE") for form in ("NFC", "NFD")]
    assert [said(tokenizer, text) for text in both] == ["schöne", "schöne"]


def test_languages_and_scripts_decide_and_english_stays_as_it_was():
    assert not keeps_marks(ENGLISH, [])
    assert not keeps_marks(ENGLISH, ["en"])
    assert keeps_marks(ENGLISH, ["en", "de"])
    assert keeps_marks(NEPALI, ["en"])
    assert keeps_marks(ENGLISH, ["en"], "keep")
    assert not keeps_marks(["schöne Tage"], ["de"], "strip")
    assert train_tokenizer(ENGLISH, 200).json == prepared(ENGLISH, "en").tokenizer_json


def test_stripping_what_a_script_needs_is_refused_with_a_word_of_the_text():
    with pytest.raises(InvalidData, match=r"written in Devanagari.*नेपाली \(नपाली\).*marks: keep"):
        keeps_marks(NEPALI, ["ne"], "strip")
    with pytest.raises(InvalidData, match="marks is 'strip'"):
        prepared(NEPALI, "en", marks="strip")
    with pytest.raises(InvalidExperiment, match="marks is 'none'. Allowed: auto, keep, strip"):
        Recipe(marks="none")


def prepared(texts, language, **options):
    row = Task(
        name="t", folder="", columns=("text",), label="y", labels=("a", "b"), metrics=("accuracy",),
        source="", own=True, language=language,
    )  # fmt: skip
    labels = [n % 2 for n in range(len(texts))]
    split = Split(texts, None, np.array(labels, np.int64))
    data = TaskData("t", split, {"dev": split}, row=row)
    return prepare(
        tasks={"t": data},
        corpus=None,
        vocabulary_size=200,
        block_length=8,
        max_length=16,
        **options,
    )


@pytest.mark.parametrize("language", ["ne", "en"])
def test_the_examples_of_a_task_keep_their_marks(language):
    data = prepared(NEPALI, language)
    train, offsets = data.tasks["t"]["train"].tokens, data.tasks["t"]["train"].offsets
    assert data.tokenizer.decode(train[offsets[2] : offsets[3]]) == "नदी र नेपाली"


def test_recipes_of_before_say_nothing_of_marks():
    assert "marks" not in Recipe().to_dict()
    assert Recipe.from_dict(Recipe(marks="keep").to_dict()).marks == "keep"
