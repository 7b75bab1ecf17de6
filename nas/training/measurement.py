"""What a finished trial hands back: plain numbers that travel between processes."""

from dataclasses import asdict, dataclass, field


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
    """

    scores: dict[str, float]
    costs: dict[str, float]
    seconds: float
    details: dict[str, float | str] = field(default_factory=dict)

    def to_dict(self) -> dict[str, object]:
        """Return the measurement as JSON types."""
        return asdict(self)
