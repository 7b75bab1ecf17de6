"""A DataFrame whose files hold architectures as JSON text."""

import json
from typing import Any

import pandas as pd

# Python objects in memory, JSON text in files: parquet has no type for their mixed lists.
OBJECTS = ("architecture", "pending")


class ResultFrame(pd.DataFrame):
    """A DataFrame like any other, but for the dictionaries and lists it writes to files as JSON."""

    @property
    def _constructor(self) -> type["ResultFrame"]:
        return ResultFrame

    def to_parquet(self, *args: Any, **kwargs: Any) -> Any:
        return flat(self).to_parquet(*args, **kwargs)

    def to_csv(self, *args: Any, **kwargs: Any) -> Any:
        return flat(self).to_csv(*args, **kwargs)


def flat(table: pd.DataFrame) -> pd.DataFrame:
    """Return a plain DataFrame with architectures and pending trials as JSON text."""
    objects = {name: _as_text(table[name]) for name in OBJECTS if name in table.columns}
    return pd.DataFrame(table).assign(**objects)


def _as_text(column: pd.Series) -> pd.Series:
    texts = [v if v is None or isinstance(v, str) else json.dumps(v) for v in column]
    return pd.Series(texts, index=column.index, dtype="string")
