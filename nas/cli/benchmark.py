"""`nas benchmark`: each part of the system, measured beside its peers in one run."""

import click

from nas.cli.lazy_group import LazyGroup

BENCHMARKS = {
    "spaces": ("nas.cli.benchmark_spaces", "Distances, embeddings, and how far they scale."),
    "policies": ("nas.cli.benchmark_policies", "Policies on a table of trained architectures."),
    "scheduler": ("nas.cli.benchmark_scheduler", "What the search costs beside the trials."),
    "mixers": ("nas.cli.benchmark_mixers", "Mixers and feed-forwards, over the length."),
    "training": ("nas.cli.benchmark_training", "Training, inference, memory beside transformers."),
}


@click.group(cls=LazyGroup, lazy=BENCHMARKS)
def benchmark() -> None:
    """Measure a part of the system beside its peers; each prints a table."""
