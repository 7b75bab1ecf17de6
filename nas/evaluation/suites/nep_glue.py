"""Nep-gLUE: four tasks in Nepali, all scored by macro-F1; the suite's score is their plain mean.

Our definition: names of folders and columns, since its files are not handed on. A file of words has
lists of them, or is a CoNLL file.

Source: Timilsina, Gautam and Bhattarai, "NepBERTa: Nepali Language Model Trained in a Large
Corpus", AACL-IJCNLP 2022.
"""

from nas.evaluation.suites.files import Suite, SuiteTask

_SOURCE = (
    'Timilsina, Gautam and Bhattarai, "NepBERTa: Nepali Language Model Trained in a Large Corpus", '
    "AACL-IJCNLP 2022"
)


def _row(name: str, folder: str, text: tuple[str, ...], label: str, kind: str) -> SuiteTask:
    return SuiteTask(
        name=name,
        folder=folder,
        text=text,
        label=label,
        kind=kind,
        metrics=("macro_f1",),
        source=_SOURCE,
        language="ne",
    )


NEP_GLUE = Suite(
    name="nepglue",
    title="Nep-gLUE",
    source=_SOURCE,
    tasks=(
        _row("nepali_ner", "NER", ("tokens",), "tags", "words"),
        _row("nepali_pos", "POS", ("tokens",), "tags", "words"),
        _row("nepali_cc", "CC", ("text",), "label", "classes"),
        _row("nepali_cps", "CPS", ("sentence1", "sentence2"), "label", "classes"),
    ),
)
