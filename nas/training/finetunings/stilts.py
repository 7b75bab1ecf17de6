"""Every task begins from what an intermediate task with labels has made of the encoder.

Source: Phang, Févry and Bowman, "Sentence Encoders on STILTs: Supplementary Training on
Intermediate Labeled-data Tasks", 2018. The intermediate task is fine-tuned once for all others,
its head is left behind, and optimizer and schedule begin anew.
"""

from nas.training.finetunings.base import FINETUNINGS, FineTuning
from search_spaces.kinds import SLOTS, Kind
from search_spaces.parts import Setting

SLOTS["finetuning"].kinds.register("stilts")(
    Kind(
        "stilts",
        "from an intermediate task's weights",
        {"task": Setting("mnli", "name", ("mnli", "qnli", "qqp"), weight=0.02)},
    )
)


@FINETUNINGS.register("stilts")
def stilts(task: str) -> FineTuning:
    """Return plain fine-tuning; where it begins is seen to by `nas.training.intermediate`."""
    return FineTuning()
