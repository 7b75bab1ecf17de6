"""Doors. Importing this package registers each module below; the list is the index."""

from fuzzer.cases import DOORS
from fuzzer.doors import (  # noqa: F401
    answers,
    architectures,
    arguments,
    checkpoints,
    corpora,
    experiments,
    expressions,
    glue,
    kinds,
    own,
    packed,
    runs,
    settings,
    spaces,
    spans,
    suites,
    tables,
    vectors,
    zoo,
)

NAMES = tuple(DOORS)
