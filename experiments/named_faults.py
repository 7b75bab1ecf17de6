"""Faults that were once planted by hand and that no test noticed: each by its text."""

import os
from typing import NamedTuple

from fault_operators import Fault
from touching_tests import PACKAGES


class Named(NamedTuple):
    """A fault that is told by name: a text that occurs once in the sources, and its successor."""

    name: str
    old: str
    new: str


NAMED = (
    Named(
        "fine-tuning dropout not set",
        "        set_dropout(encoder, recipe.dropout)\n"
        "        training = TaskTraining(\n            encoder, data",
        "        training = TaskTraining(\n            encoder, data",
    ),
    Named(
        "fine-tuning dropout not set (exported model)",
        "        set_dropout(encoder, recipe.dropout)\n"
        "        training = TaskTraining(\n            encoder,\n",
        "        training = TaskTraining(\n            encoder,\n",
    ),
    Named(
        "pre-training dropout not set",
        "        set_dropout(encoder, recipe.pretrain_dropout)\n",
        "",
    ),
    Named(
        "mask_rate not passed on (training)",
        "        mask_rate=recipe.mask_rate,\n        first_epoch",
        "        first_epoch",
    ),
    Named(
        "mask_rate not passed on (validation)",
        "            mask_rate=recipe.mask_rate,\n            epochs=1",
        "            epochs=1",
    ),
    Named(
        "inherit_learning_rate ignored",
        "recipe.inherit_learning_rate * recipe.pretrain_learning_rate",
        "recipe.pretrain_learning_rate",
    ),
    Named(
        "learning_rate_scale not applied (pre-training)",
        "recipe.pretrain_learning_rate * budget.learning_rate_scale",
        "recipe.pretrain_learning_rate",
    ),
    Named(
        "learning_rate_scale not applied (fine-tuning)",
        "recipe.finetune_learning_rate * budget.learning_rate_scale",
        "recipe.finetune_learning_rate",
    ),
    Named(
        "lower bound read as upper (violation)",
        "over = constraint.sign * (trial.values[constraint.metric] - constraint.bound)",
        "over = trial.values[constraint.metric] - constraint.bound",
    ),
    Named(
        "lower bound read as upper (probability)",
        "sign = constraint.sign\n",
        "sign = 1\n",
    ),
    Named(
        "lower bound read as upper (qlognehvi)",
        "c.sign * (trial.values[c.metric] - c.bound)",
        "(trial.values[c.metric] - c.bound)",
    ),
    Named(
        "crossover's relative depths",
        "stacks[i * len(stacks) // count]",
        "stacks[min(i, len(stacks) - 1)]",
    ),
    Named("knee by sum instead of squares", "(scaled**2).sum(axis=1)", "scaled.sum(axis=1)"),
    Named(
        "!= holds for missing numbers",
        "found & side.notna() if isinstance(side, pd.Series) else found",
        "found",
    ),
    Named(
        "infinity accepted as a score (search)",
        "if not math.isfinite(value):\n            return replace(outcome",
        "if math.isnan(value):\n            return replace(outcome",
    ),
    Named(
        "infinity accepted as a score (policy)",
        "if not number or not math.isfinite(value):",
        "if not number or math.isnan(value):",
    ),
    Named("median rule off by one (fewer)", "(len(rung.values) + 1) // 2", "len(rung.values) // 2"),
    Named(
        "median rule off by one (more)",
        "(len(rung.values) + 1) // 2",
        "len(rung.values) // 2 + 1",
    ),
    Named(
        "slope features zeroed",
        "slope = np.where(depth > 1, (place * logs * present).sum(1), 0.0)",
        "slope = np.zeros(len(depth))",
    ),
    Named(
        "place features zeroed (layers)",
        "layers.reshape(len(depth), -1) / np.sqrt(self._places)",
        "0 * layers.reshape(len(depth), -1)",
    ),
    Named(
        "place features zeroed (depth)",
        "depths = (depth[:, None] == self._depths) / np.sqrt(2)",
        "depths = np.zeros((len(depth), len(self._depths)))",
    ),
)


def named_faults(root):
    """Find the faults of the list by their text; the files may have moved since."""
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    found = []
    for name, old, new in NAMED:
        places = [(p, p.read_bytes()) for p in files if old in p.read_text()]
        if len(places) != 1 or places[0][1].count(old.encode()) != 1:
            raise SystemExit(f"{name}: {old!r} is in {len(places)} files; it must occur once.")
        path, source = places[0]
        start = source.index(old.encode())
        # the line that changes, not the one that only tells where
        same = len(os.path.commonprefix([old, new])) if new else 0
        line = source[: start + same].count(b"\n") + 1
        lines = (line, max(line, source[: start + len(old.rstrip())].count(b"\n") + 1))
        fault = Fault(name, start, start + len(old.encode()), new, line, lines)
        found.append((str(path.relative_to(root)), fault))
    return found
