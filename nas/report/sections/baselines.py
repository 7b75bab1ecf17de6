"""What simpler policies would have reached with the same budget: an estimate, marked as one."""

import numpy as np

from nas.pareto.attained import surfaces
from nas.printable import counted
from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.simulated_search import REPEATS, Simulated, World
from nas.report.snapshot import Snapshot

POLICIES = {"random": "random search", "parameters": "largest first", "evolution": "evolution"}
FEWEST = 8
TRUSTED = 0.3  # rank correlation, below which there is no verdict
VOLUME = "dominated share (hypervolume)"
TRIALS = [{"key": "trials", "label": "finished trials"}]


@SECTIONS.register("baselines")
def baselines(snapshot: Snapshot) -> Section:
    """Return the run's curve beside estimated curves of three simpler policies.

    With several objectives the verdict goes by what the fronts dominate; the fronts themselves and
    the curves of the first objective alone stand beside it.
    """
    heading, title = "Was the search worth it?", column_title(snapshot.score)
    order = snapshot.in_order_of_end()
    if len(order) < FEWEST:
        return Section(
            heading,
            f"With {counted(len(order), 'finished trial')} there is too little to estimate what "
            f"other policies would have reached; {FEWEST} are enough for a first guess.",
        )
    world = World(snapshot, order)
    axis = list(range(1, world.budget + 1))
    series, rows, ends, volumes, searches = [], [], {}, [], {}
    actual = snapshot.sign * np.maximum.accumulate(world.outcome[: world.budget])
    for number, (name, words) in enumerate(POLICIES.items()):
        found = searches[words] = world.simulate(name, seed=number)
        low, middle, high = np.quantile(found.best, [0.05, 0.5, 0.95], axis=0)
        series.append(
            {"name": f"{words} (estimated)", "kind": "line", "tone": number, "x": {"trials": axis},
             "y": middle.tolist(), "low": low.tolist(), "high": high.tolist()}
        )  # fmt: skip
        rows.append([words, *figures(found, world)])
        ends[words] = (found.volume if world.box else found.best)[:, -1]
        volumes.append(_band(f"{words} (estimated)", found.volume, number, axis))
    again = world.rerun(seed=99)
    middle = np.quantile(again.best, 0.5, axis=0)
    series.append(
        {"name": "this run's choices (estimated)", "kind": "line", "tone": "faint",
         "x": {"trials": axis}, "y": middle.tolist()}
    )  # fmt: skip
    series.append(
        {"name": "this run (measured)", "kind": "step", "tone": "strong", "x": {"trials": axis},
         "y": actual.tolist()}
    )  # fmt: skip
    rows.append(["this run's choices", *figures(again, world)])
    judged, what, sign = again.best[:, -1], f"best {title}", snapshot.sign
    pictures, more = [blocks.lines(series, x=TRIALS, y=what)], []
    if world.box:
        volumes += [
            _band("this run's choices (estimated)", again.volume, "faint", axis, band=False),
            {"name": "this run (measured)", "kind": "step", "tone": "strong",
             "x": {"trials": axis},
             "y": world.box.shares(world.measured[: world.budget]).tolist()},
        ]  # fmt: skip
        judged, what, sign = again.volume[:, -1], VOLUME, 1.0
        pictures = [blocks.lines(volumes, x=TRIALS, y=VOLUME), *_fronts(world, searches), *pictures]
        more = [VOLUME]
    return Section(
        heading,
        verdict(judged, ends, what, world.trust, sign),
        [
            blocks.note(caveat(world, title), tone="estimate"),
            *pictures,
            blocks.table(
                ["policy", f"best {title}, same trials", "90 % interval",
                 "same worker-seconds", "worker-seconds a trial", *more],
                rows,
                title=f"Estimated after {world.budget} trials, and after as many worker-seconds "
                "as this run's took",
                text_columns=("policy",),
            ),
        ],
    )  # fmt: skip


def figures(found: Simulated, world: World) -> list[str]:
    """Return the cells of the table: the end of the curves and what they cost."""
    low, middle, high = np.quantile(found.best[:, -1], [0.05, 0.5, 0.95])
    equal = float(np.median(found.within(world.spent, world.worst)))
    each = float(np.median(found.seconds[:, -1])) / world.budget
    ends = f"{blocks.digits(low)} to {blocks.digits(high)}"
    volume = [f"{np.median(found.volume[:, -1]):.3f}"] if world.box else []
    return [blocks.digits(middle), ends, blocks.digits(equal), f"{each:.3g}", *volume]


def _band(
    name: str, values: np.ndarray, tone: int | str, axis: list[int], *, band: bool = True
) -> dict[str, object]:
    low, middle, high = np.quantile(values, [0.05, 0.5, 0.95], axis=0)
    bounds = {"low": low.tolist(), "high": high.tolist()} if band else {}
    return {
        "name": name, "kind": "line", "tone": tone, "x": {"trials": axis},
        "y": middle.tolist(), **bounds,
    }  # fmt: skip


def _fronts(world: World, searches: dict[str, Simulated]) -> list[blocks.Block]:
    """Return a picture for each other objective: the best first one that is had within it."""
    (score, sign), *others = world.names.items()
    rows = world.measured[: world.budget]
    mine = world.fronts_of(rows[:, 0], rows[:, 1:].T)
    pictures = []
    for number, (cost, cost_sign) in enumerate(others):
        places = cost_sign * world.bounds[number]
        series = [
            _front(f"{words} (estimated)", places, tone, sign, *surfaces(
                found.fronts[number], world.measured[:, 0].min()))
            for tone, (words, found) in enumerate(searches.items())
        ]  # fmt: skip
        series.append(_front("this run (measured)", places, "strong", sign, mine[number]))
        within = "at most" if cost_sign < 0 else "at least"
        pictures.append(
            blocks.lines(
                [one for one in series if one["y"]],
                x=[{"key": "cost", "label": f"{within} so much {column_title(cost)}"}],
                y=f"best {column_title(score)} there",
                title=f"Fronts attained after {world.budget} trials",
            )
        )
    return pictures


def _front(
    name: str, places: np.ndarray, tone: int | str, sign: float, *lines: np.ndarray
) -> dict[str, object]:
    """Return a front as steps, where there is any: of several lines the middle one with a band."""
    middle = lines[len(lines) // 2]
    there = np.isfinite(middle)
    bounds = {}
    if len(lines) > 1:
        low, high = sorted((sign * lines[0], sign * lines[-1]), key=lambda line: line[there].sum())
        bounds = {"low": low[there].tolist(), "high": high[there].tolist()}
    return {
        "name": name, "kind": "step", "tone": tone, "x": {"cost": places[there].tolist()},
        "y": (sign * middle[there]).tolist(), **bounds,
    }  # fmt: skip


def caveat(world: World, title: str) -> str:
    """Return what a reader must know before believing the curves."""
    learned, finished = world.score.learned, len(world.outcome)
    size = f"the {finished}" if learned == finished else f"{learned} of the {finished}"
    return (
        f"Estimated, not trained. A Gaussian process learned the {title} from {size} "
        "finished trials and answers for encoders that were never trained, with its doubt and "
        f"noise added; {REPEATS} repeats, bands hold 90 % of them. On trials left out of its fit, "
        f"its order agrees with what was measured by a rank correlation of {world.trust:.2f}. "
        "Where the line of this run's own choices is far from the measured one, do not trust the "
        "rest."
    )


def verdict(
    own: np.ndarray, others: dict[str, np.ndarray], title: str, trust: float, sign: float
) -> str:
    """Return in words how the run's choices end beside the best of the others.

    Args:
        own: The best value of each repeat, `(repeats,)`.
        others: The same of each other policy.
        title: Of what is judged.
        trust: Rank correlation of the stand-in with left-out trials.
        sign: 1 when larger is better, otherwise -1.
    """
    name = max(others, key=lambda other: sign * np.median(others[other]))
    mine, best = float(np.median(own)), float(np.median(others[name]))
    ends = (
        f"{title} {blocks.digits(mine)} against {blocks.digits(best)} for the best of the "
        f"others, {name}"
    )
    if trust < TRUSTED:
        return (
            "What the stand-in for training learned from these trials does not order trials it "
            f"has not seen (rank correlation {trust:.2f}), so no verdict: {ends}."
        )
    # a difference counts when it is larger than chance moves the end of one search
    word = "about level with"
    if abs(mine - best) > np.std(own):
        word = "ahead of" if sign * (mine - best) > 0 else "behind"
    return f"By estimate, this run's choices end {word} three simpler policies: {ends}."
