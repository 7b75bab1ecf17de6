"""AdvGLUE: sentences of GLUE changed so that models err and people do not. Evaluation only.

Source: Wang et al., "Adversarial GLUE: A Multi-Task Benchmark for Robustness Evaluation of Language
Models", NeurIPS 2021: the score is the mean over five tasks; a task's score is the mean of its
metrics, and MNLI's that of its two parts. Only the development part of 738 items has labels.
"""

from dataclasses import dataclass

TITLE = "AdvGLUE"


@dataclass(frozen=True)
class Part:
    """One list of items in the file.

    Attributes:
        key: What the file calls it.
        task: The task of GLUE whose model answers it.
        split: Which of that task's development splits it was made of.
        columns: What an item calls its texts.
        items: How many the published file has.
    """

    key: str
    task: str
    split: str
    columns: tuple[str, ...]
    items: int


# Labels are class numbers, in the order in which `nas.evaluation.suites.glue` has the classes.
PARTS = (
    Part("sst2", "sst2", "dev", ("sentence",), 148),
    Part("qqp", "qqp", "dev", ("question1", "question2"), 78),
    Part("mnli", "mnli", "matched", ("premise", "hypothesis"), 121),
    Part("mnli-mm", "mnli", "mismatched", ("premise", "hypothesis"), 162),
    Part("qnli", "qnli", "dev", ("question", "sentence"), 148),
    Part("rte", "rte", "dev", ("sentence1", "sentence2"), 81),
)
TASKS = tuple(dict.fromkeys(part.task for part in PARTS))
ITEMS = sum(part.items for part in PARTS)
