"""What the columns of a run are called in pictures, their units, and which way is better."""

from typing import Any

TITLES = {
    "glue": "GLUE score",
    "score": "score",
    "parameters": "parameters",
    "flops": "FLOPs per sequence",
    "latency_ms": "latency (ms)",
    "peak_memory_mb": "peak memory (MB)",
    "seconds": "seconds of training",
    "cola": "CoLA",
    "sst2": "SST-2",
    "mrpc": "MRPC",
    "stsb": "STS-B",
    "qqp": "QQP",
    "mnli": "MNLI",
    "qnli": "QNLI",
    "rte": "RTE",
    "wnli": "WNLI",
    "ax": "AX",
}


def column_title(name: str) -> str:
    """Return what people read for a column, with its unit."""
    return TITLES.get(name, name)


def describe_column(name: str, *, score: bool, direction: str | None) -> dict[str, Any]:
    """Return title, kind ("score" or "cost") and direction of a column.

    Args:
        name: The column.
        score: Whether a trial reports it as a score; other columns are costs.
        direction: What the run asked for; by default scores are better when larger.
    """
    return {
        "title": column_title(name),
        "kind": "score" if score else "cost",
        "direction": direction or ("max" if score else "min"),
    }
