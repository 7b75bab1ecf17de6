"""What a finished trial hands back: plain numbers that travel between processes."""

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Measurement:
    """Everything one trial measured.

    Attributes:
        scores: Larger is better, in [-1, 1]: "glue", the mean, and one entry a task ("cola", ...)
            and a suite ("blimp").
        costs: Smaller is better: "parameters", and of a forward pass over one sequence of the
            recipe's longest length: "flops", "latency_ms" (median), "peak_memory_mb" (tensors).
        seconds: Wall-clock time of the whole trial.
        details: Everything else worth a column: losses, tokens, each metric of each task, the
            seconds of each stage, the precision that was used.
        mistakes: Of each of the user's own tasks, by development split, where its answers are
            wrong, as JSON types; see `nas.evaluation.mistakes`.
    """

    scores: dict[str, float]
    costs: dict[str, float]
    seconds: float
    details: dict[str, float | str] = field(default_factory=dict)
    mistakes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the measurement as JSON types."""
        return asdict(self)
