"""How trials run. `make_executor` builds one by name; engines are imported when chosen."""

from nas.execution.jobs import (
    BLAMELESS,
    CAUSES,
    EXECUTORS,
    EngineGone,
    Executor,
    Job,
    Outcome,
    make_executor,
)

__all__ = [
    "BLAMELESS",
    "CAUSES",
    "EXECUTORS",
    "EngineGone",
    "Executor",
    "Job",
    "Outcome",
    "make_executor",
]
