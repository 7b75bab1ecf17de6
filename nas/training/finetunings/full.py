"""All weights learn.

Source: Devlin et al., "BERT", NAACL 2019; from weights fine-tuned on MNLI: Liu et al., "RoBERTa",
2019, for MRPC, RTE and STS-B.
"""

from nas.training.finetunings.base import FINETUNINGS, FineTuning


@FINETUNINGS.register("full")
def full(start: str) -> FineTuning:
    """Return plain fine-tuning.

    Args:
        start: Where it begins, which is seen to before: see `nas.training.intermediate`.
    """
    return FineTuning()
