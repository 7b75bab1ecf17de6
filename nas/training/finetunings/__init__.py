"""Ways of fine-tuning. Importing this package registers each module below."""

from nas.training.finetunings.base import FINETUNINGS, FineTuning, Together, finetuning_of
from nas.training.finetunings.full import full  # full
from nas.training.finetunings.lora import LoRA  # lora
from nas.training.finetunings.meft import Meft  # meft
from nas.training.finetunings.multi_task import MultiTask  # multi-task
from nas.training.finetunings.preference_heads import PreferenceHeads  # preference-heads
from nas.training.finetunings.self_calibrated import SelfCalibrated  # self-calibrated
from nas.training.finetunings.sift import Sift  # sift
from nas.training.finetunings.stilts import stilts  # stilts
from nas.training.finetunings.transductive import Transductive  # transductive

__all__ = [
    "FINETUNINGS",
    "FineTuning",
    "LoRA",
    "Meft",
    "MultiTask",
    "PreferenceHeads",
    "SelfCalibrated",
    "Sift",
    "Together",
    "Transductive",
    "finetuning_of",
    "full",
    "stilts",
]
