"""Architectures as the few numbers that people choose: depth, width, operation, feed-forward."""

from collections.abc import Sequence

import numpy as np

from search_spaces import Architecture
from search_spaces.architectures.facts import Columns
from search_spaces.architectures.features import encode_features, feature_names
from search_spaces.kinds import SLOTS

# choice -> columns of `encode_features`, by the start of their names
CHOICES = {
    "depth": ("layers",),
    "width": ("mean log2 width",),
    "operation": ("mean share ", "mean log2 kernel"),
    "heads": ("mean log2 heads",),
    "feed-forward": ("mean log2 ff width", "mean ff depth", "mean ff growth"),
}
CHOICE_OF_SLOT = {"mixer": "operation"}
WORDS = {
    "layers": "layers",
    "mean log2 width": "width of the layers",
    "mean log2 heads": "heads in a layer",
    "mean log2 ff width": "feed-forward width",
    "mean ff depth": "feed-forward stack depth",
    "mean ff growth": "feed-forward growth within a stack",
    "mean log2 kernel": "convolution kernel",
    "mean share sa_sdp": "share of heads: self-attention, dot product",
    "mean share sa_wma": "share of heads: self-attention, weighted",
    "mean share l_dft": "share of heads: Fourier transform",
    "mean share l_dct": "share of heads: cosine transform",
    "mean share c": "share of heads: dynamic convolution",
}


def attributes(architectures: Sequence[Architecture]) -> tuple[list[str], np.ndarray]:
    """Return names and numbers, `(architectures, names)`, of what varies among `architectures`."""
    deepest = max(len(architecture) for architecture in architectures)
    columns = Columns.among(architectures)
    names = feature_names(deepest, columns)
    facts = set(columns.model_names) | {f"mean {name}" for name in columns.layer_names}
    kept = [i for i, name in enumerate(names) if name in WORDS or name in facts]
    values = encode_features(architectures, deepest, columns)[:, kept]
    varied = np.ptp(values, axis=0) > 1e-9
    return [names[i] for i, v in zip(kept, varied, strict=True) if v], values[:, varied]


def groups_of(names: Sequence[str]) -> dict[str, list[int]]:
    """Return each choice with the positions among `names` that belong to it.

    A slot or a field of the recipe is a choice; a newer mixer belongs to the operations.
    """
    found = {choice: columns_of(choice, names) for choice in CHOICES}
    for i, name in enumerate(names):
        if name in WORDS:
            continue
        slot = _of_fact(name)[0]
        found.setdefault(CHOICE_OF_SLOT.get(slot, _title(slot)), []).append(i)
    return {choice: columns for choice, columns in found.items() if columns}


def columns_of(choice: str, names: Sequence[str]) -> list[int]:
    """Return the positions among `names` that belong to a key of `CHOICES`."""
    return [i for i, name in enumerate(names) if name in WORDS and name.startswith(CHOICES[choice])]


def words(name: str) -> str:
    """Return the name of a column for people, with the titles of slots and kinds."""
    if name in WORDS:
        return WORDS[name]
    slot, setting, value = _of_fact(name)
    title = _title(slot)
    if setting:
        return f"{title}, {setting}" + (f": {value}" if value else "")
    if not value:
        return title
    known = SLOTS[slot].kinds if slot in SLOTS else {}
    kind = f"{value} ({known[value].title})" if value in known else value
    share = "share of heads" if slot == "mixer" else title
    return f"{share}: {kind}"


def _of_fact(name: str) -> tuple[str, str, str]:
    """Return slot or field, setting and value of a fact's column, "" for what it has not."""
    where, _, value = name.removeprefix("mean ").rpartition(": ")[2].partition("=")
    slot, _, setting = where.removeprefix("log2 ").partition(".")
    return slot, setting, value


def _title(slot: str) -> str:
    """Return a title that is told from those of `CHOICES`, which are of the usual attributes."""
    known = SLOTS.get(slot)
    if known is None:
        return slot
    if slot == "feedforward":
        return "kind of feed-forward"
    return slot.replace("_", " ") if known.level == "recipe" else known.title
