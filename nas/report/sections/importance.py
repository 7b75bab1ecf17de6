"""Which choices matter: depth, width, operation, heads, feed-forward, slots and recipe.

Source: Breiman, "Random Forests", Machine Learning 2001 (permutation importance on trials left out
of the bag).
Differs on purpose: the bag is drawn anew for a whole forest instead of for each tree, so that the
spread over bags says how sure an importance is.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from nas.printable import counted
from nas.report import blocks
from nas.report.attributes import attributes, groups_of, words
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot

FEWEST = 10  # trials, below which a forest says nothing
MOST = 500  # trials used; more change little and take long
BAGS = 40
SHUFFLES = 3
TREES = 40


@dataclass(frozen=True)
class Importance:
    """What one forest after another found.

    Attributes:
        explained: R² on trials that were left out: low end, median and high end of 90 %.
        choices: Choice to the share of the variance lost when it is shuffled, likewise.
    """

    explained: tuple[float, float, float]
    choices: dict[str, tuple[float, float, float]]


@SECTIONS.register("importance")
def importance(snapshot: Snapshot) -> Section:
    """Return how much each choice matters for the score, how surely, and which way."""
    title = column_title(snapshot.score)
    chosen = _distinct(snapshot)
    if len(chosen) < FEWEST:
        lead = (
            f"With {counted(len(chosen), 'finished encoder')} it cannot be told which choices "
            f"decide the {title}; from {FEWEST} on, this section says how much each matters."
        )
        return Section("Which choices matter", lead)
    names, values = attributes([snapshot.architectures[i] for i in chosen])
    target = snapshot.values(chosen, snapshot.score)
    found = choice_importance(names, values, target)
    low, explained, high = found.explained
    items = _bars(found)
    trust = (
        "The forest predicts left-out trials no better than their mean, so do not read much "
        "into the bars."
        if explained < 0.1
        else f"The forest explains {explained:.0%} of the variance of left-out trials."
    )
    return Section(
        "Which choices matter",
        f"How much worse a random forest predicts the {title} of encoders it has not seen when "
        f"one choice is shuffled among them. {trust}",
        [
            blocks.bars(items, unit="share of the variance of the score lost"),
            blocks.note(
                f"From {counted(len(chosen), 'encoder')}, {BAGS} forests, each on another bag of "
                f"them; whiskers hold 90 % of the forests (explained variance: {low:.2f} to "
                f"{high:.2f}). "
                "A search does not draw encoders evenly, and choices that went together share "
                "their importance."
            ),
            *_of_others(snapshot, chosen, names, values),
            _directions(names, values, target),
        ],
    )


def _of_others(
    snapshot: Snapshot, chosen: list[int], names: list[str], values: np.ndarray
) -> Iterator[blocks.Block]:
    """The bars of each further objective that all encoders have, and that differs among them."""
    for name in list(snapshot.objectives)[1:]:
        target = snapshot.values(chosen, name)
        if not np.isfinite(target).all() or target.std() == 0:
            continue
        found = choice_importance(names, values, target)
        yield blocks.bars(
            _bars(found),
            unit="share of its variance lost",
            title=f"For {column_title(name)} (explained variance {found.explained[1]:.2f})",
        )


def _bars(found: Importance) -> list[dict[str, object]]:
    return [
        {"name": name, "value": mid, "low": lower, "high": upper}
        for name, (lower, mid, upper) in sorted(found.choices.items(), key=lambda item: -item[1][1])
    ]


def choice_importance(
    names: list[str], values: np.ndarray, target: np.ndarray, seed: int = 0
) -> Importance:
    """Return how much the error on left-out trials grows when a choice is shuffled.

    Args:
        names: Of the columns, as `nas.report.attributes.attributes` gives them.
        values: `(trials, columns)`.
        target: The score, `(trials,)`.
        seed: Draws bags and shuffles.
    """
    from sklearn.ensemble import RandomForestRegressor

    rng = np.random.default_rng(seed)
    groups = groups_of(names)
    explained, losses = [], {choice: [] for choice in groups}
    for bag in range(BAGS):
        inside = rng.integers(len(target), size=len(target))
        outside = np.setdiff1d(np.arange(len(target)), inside)
        variance = target.var() or 1.0
        if len(outside) < 2:
            continue
        forest = RandomForestRegressor(TREES, max_features=0.6, random_state=bag)
        forest.fit(values[inside], target[inside])
        error = np.square(forest.predict(values[outside]) - target[outside]).mean()
        explained.append(1 - error / variance)
        for choice, columns in groups.items():
            grown = 0.0
            for _ in range(SHUFFLES):
                shuffled = values[outside].copy()
                shuffled[:, columns] = shuffled[rng.permutation(len(outside))][:, columns]
                grown += np.square(forest.predict(shuffled) - target[outside]).mean() - error
            losses[choice].append(grown / SHUFFLES / variance)
    return Importance(
        _middle(explained), {choice: _middle(lost) for choice, lost in losses.items()}
    )


def _middle(numbers: list[float]) -> tuple[float, float, float]:
    low, middle, high = np.quantile(numbers, [0.05, 0.5, 0.95])
    return round(float(low), 4), round(float(middle), 4), round(float(high), 4)


def _directions(names: list[str], values: np.ndarray, target: np.ndarray) -> blocks.Block:
    """Return the rank correlation of each attribute with the score, surest first."""
    rows = []
    for column, name in enumerate(names):
        rho = float(spearmanr(values[:, column], target).statistic)
        # Fisher's transformation, with the variance for ranks
        half = 1.645 * np.sqrt(1.06 / max(1, len(target) - 3))
        centre = np.arctanh(np.clip(rho, -0.9999, 0.9999))
        low, high = np.tanh(centre - half), np.tanh(centre + half)
        reading = "more is better" if low > 0 else "less is better" if high < 0 else "unclear"
        rows.append([words(name), f"{rho:+.2f}", f"{low:+.2f} to {high:+.2f}", reading])
    rows.sort(key=lambda row: -abs(float(row[1])))
    return blocks.table(
        ["attribute", "rank correlation", "90 % interval", "reading"],
        rows,
        title="Which way",
        text_columns=("attribute", "reading"),
    )


def _distinct(snapshot: Snapshot) -> list[int]:
    first = {}
    for i in snapshot.done:
        first.setdefault(snapshot.records[i]["hash"], i)
    chosen = list(first.values())
    if len(chosen) > MOST:
        kept = np.random.default_rng(0).permutation(len(chosen))[:MOST]
        chosen = [chosen[i] for i in np.sort(kept)]
    return chosen
