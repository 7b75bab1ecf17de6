"""Doors. Importing this package registers each module below; the list is the index."""

from fuzzer.cases import DOORS
from fuzzer.doors import (  # noqa: F401
    answers,
    architectures,
    arguments,
    corpora,
    experiments,
    expressions,
    glue,
    own,
    runs,
    spaces,
    tables,
    zoo,
)

NAMES = tuple(DOORS)
