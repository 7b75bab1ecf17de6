"""What simpler policies would have reached with the same budget: an estimate, marked as one."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nas.report import blocks
from nas.report.columns import column_title
from nas.report.sections.base import SECTIONS, Section
from nas.report.snapshot import Snapshot
from nas.report.stand_in import StandIn
from search_spaces import Architecture, Space, load_space
from surrogates import Policy, make_policy

POLICIES = {"random": "random search", "parameters": "largest first", "evolution": "evolution"}
LEARNS = ("evolution",)  # the others propose the same whatever comes out: asked at once
ALIKE = ("parameters",)  # and this one in every repeat
FEWEST = 8
BUDGET = 150  # most trials that are simulated
REPEATS = 20
TRUSTED = 0.3  # rank correlation, below which there is no verdict
TRIALS = [{"key": "trials", "label": "finished trials"}]


@dataclass(frozen=True)
class Simulated:
    """One policy on the stand-in, many times.

    Attributes:
        best: The best value after each trial, `(repeats, budget)`, in the score's own units.
        seconds: Estimated worker-seconds spent until then, `(repeats, budget)`.
    """

    best: np.ndarray
    seconds: np.ndarray

    def within(self, seconds: float, worst: float) -> np.ndarray:
        """Return the best value of each repeat when so many worker-seconds are spent."""
        count = (self.seconds <= seconds).sum(axis=1)
        values = np.take_along_axis(self.best, np.maximum(count - 1, 0)[:, None], axis=1)[:, 0]
        return np.where(count > 0, values, worst)


@SECTIONS.register("baselines")
def baselines(snapshot: Snapshot) -> Section:
    """Return the run's curve beside estimated curves of three simpler policies."""
    heading, title = "Was the search worth it?", column_title(snapshot.score)
    order = snapshot.in_order_of_end()
    if len(order) < FEWEST:
        return Section(
            heading,
            f"With {len(order)} finished trials there is too little to estimate what other "
            f"policies would have reached; {FEWEST} are enough for a first guess.",
        )
    world = World(snapshot, order)
    axis = list(range(1, world.budget + 1))
    series, rows = [], []
    actual = snapshot.sign * np.maximum.accumulate(world.outcome[: world.budget])
    for number, (name, words) in enumerate(POLICIES.items()):
        found = world.simulate(name, seed=number)
        low, middle, high = np.quantile(found.best, [0.05, 0.5, 0.95], axis=0)
        series.append(
            {"name": f"{words} (estimated)", "kind": "line", "tone": number, "x": {"trials": axis},
             "y": middle.tolist(), "low": low.tolist(), "high": high.tolist()}
        )  # fmt: skip
        rows.append([words, *world.figures(found)])
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
    rows.append(["this run's choices", *world.figures(again)])
    return Section(
        heading,
        verdict(rows, title, world.trust, higher=snapshot.sign > 0),
        [
            blocks.note(world.caveat(title), tone="estimate"),
            blocks.lines(series, x=TRIALS, y=f"best {title}"),
            blocks.table(
                ["policy", f"best {title}, same trials", "90 % interval",
                 "same worker-seconds", "worker-seconds a trial"],
                rows,
                title=f"Estimated after {world.budget} trials, and after as many worker-seconds "
                "as this run's took",
                text_columns=("policy",),
            ),
        ],
    )  # fmt: skip


class World:
    """A run's trials turned into something that other policies can be tried on.

    Args:
        snapshot: The run.
        order: Its finished trials, in the order they ended.

    Attributes:
        budget: How many trials are simulated.
        outcome: What the run measured, larger is better, `(trials,)`.
        trust: Rank correlation of the stand-in's scores with those of left-out trials.
    """

    def __init__(self, snapshot: Snapshot, order: list[int]):
        self._snapshot = snapshot
        self.budget = min(len(order), BUDGET)
        self.outcome = snapshot.sign * snapshot.values(order, snapshot.score)
        self._tried = [snapshot.architectures[i] for i in order]
        seconds = np.maximum(np.nan_to_num(snapshot.values(order, "seconds"), nan=1.0), 1e-3)
        self._score = StandIn(self._tried, self.outcome)
        self.trust = self._score.trust
        self._logs = StandIn(self._tried, np.log(seconds))
        self._space: Space = load_space(snapshot.settings["space"])

    def simulate(self, name: str, seed: int) -> Simulated:
        """Return what the policy called `name` reaches."""
        rng = np.random.default_rng(seed)
        policy = self._policy(name)
        found, asked = [], None
        for repeat in range(REPEATS):
            if name in LEARNS:
                found.append(self._learn(policy, repeat, rng))
                continue
            if asked is None or name not in ALIKE:
                asked = self._begin(policy, repeat).ask(self.budget)
            found.append((self._answer(asked, rng), self._cost(asked)))
        return self._gather(found)

    def rerun(self, seed: int) -> Simulated:
        """Return what the run's own encoders reach when the stand-in answers for training."""
        rng = np.random.default_rng(seed)
        tried = self._tried[: self.budget]
        return self._gather([(self._answer(tried, rng), self._cost(tried)) for _ in range(REPEATS)])

    def figures(self, found: Simulated) -> list:
        """Return the cells of the table: the end of the curves and what they cost."""
        low, middle, high = np.quantile(found.best[:, -1], [0.05, 0.5, 0.95])
        own = float(self._cost(self._tried[: self.budget]).sum())
        worst = self._snapshot.sign * float(self.outcome.min())
        equal = float(np.median(found.within(own, worst)))
        each = float(np.median(found.seconds[:, -1])) / self.budget
        return [
            float(f"{middle:.4g}"), f"{low:.4g} to {high:.4g}", float(f"{equal:.4g}"),
            float(f"{each:.3g}"),
        ]  # fmt: skip

    def caveat(self, title: str) -> str:
        """Return what a reader must know before believing the curves."""
        learned, finished = self._score.learned, len(self.outcome)
        size = f"the {finished}" if learned == finished else f"{learned} of the {finished}"
        return (
            f"Estimated, not trained. A Gaussian process learned the {title} from {size} "
            "finished trials and answers for encoders that were never "
            f"trained, with its doubt and noise added; {REPEATS} repeats, bands hold 90 % of them. "
            "On trials left out of its fit, its order agrees with what was measured by a rank "
            f"correlation of {self.trust:.2f}. Where the line of this run's own choices is "
            "far from the measured one, do not trust the rest."
        )

    def _policy(self, name: str) -> Policy:
        settings = self._snapshot.settings
        constraints = settings.get("constraints", ())
        exact = [c for c in constraints if c.startswith(("parameters", "flops"))]
        options = {}
        if name == "evolution":
            # a population as large as the whole budget would be random search
            population = int(np.clip(self.budget // 4, 2, 20))
            options = {"population": population, "tournament": min(5, population)}
        return make_policy(
            name,
            self._space,
            {self._snapshot.score: self._snapshot.objectives[self._snapshot.score]},
            constraints=tuple(exact),
            options=options,
        )

    @staticmethod
    def _begin(policy: Policy, seed: int) -> Policy:
        """Start a policy anew: a new one would list its space again."""
        policy.seed = seed
        policy.restore([])
        return policy

    def _learn(self, policy: Policy, seed: int, rng: np.random.Generator):
        self._begin(policy, seed)
        asked: list[Architecture] = []
        values: list[float] = []
        while len(asked) < self.budget:
            proposals = policy.ask(min(self._together, self.budget - len(asked)))
            if not proposals:
                break
            answers = self._answer(proposals, rng)
            for architecture, answer in zip(proposals, answers, strict=True):
                value = self._snapshot.sign * float(answer)
                policy.tell(architecture, {self._snapshot.score: value})
            asked += proposals
            values += answers.tolist()
        return np.array(values), self._cost(asked)

    @cached_property
    def _together(self) -> int:
        """How many trials the run had in flight at once, about; they learn of nothing between."""
        records = self._snapshot.records
        busy = sum(r["seconds"] or 0.0 for r in records)
        passed = self._snapshot.clock(max(r["finished_at"] or 0.0 for r in records))
        return int(np.clip(round(busy / max(passed, 1e-9)), 1, 16))

    def _answer(self, architectures: list[Architecture], rng) -> np.ndarray:
        mean, spread = self._score(architectures)
        return mean + spread * rng.standard_normal(len(mean))

    def _cost(self, architectures: list[Architecture]) -> np.ndarray:
        return np.exp(self._logs(architectures)[0])

    def _gather(self, found: list[tuple[np.ndarray, np.ndarray]]) -> Simulated:
        """A policy that ran out of encoders keeps its best to the end of the budget."""
        best = np.empty((len(found), self.budget))
        seconds = np.full((len(found), self.budget), np.inf)
        for row, (values, cost) in enumerate(found):
            reached = self._snapshot.sign * np.maximum.accumulate(values)
            best[row], best[row, : len(reached)] = reached[-1], reached
            seconds[row, : len(cost)] = np.cumsum(cost)
        return Simulated(best, seconds)


def verdict(rows: list[list], title: str, trust: float, *, higher: bool) -> str:
    """Return in words how the last of `rows`, the run's own, ends beside the best of the others.

    Args:
        rows: As in the table: name, best value, its interval as text, and more.
        title: Of the score.
        trust: Rank correlation of the stand-in with left-out trials.
        higher: Whether a larger score is better.
    """
    *others, own = rows
    name, best, *_ = (max if higher else min)(others, key=lambda row: row[1])
    ends = f"best {title} {own[1]:.4g} against {best:.4g} for the best of the others, {name}"
    if trust < TRUSTED:
        return (
            f"What the stand-in for training learned from these trials does not order trials it "
            f"has not seen (rank correlation {trust:.2f}), so no verdict: {ends}."
        )
    gap = (own[1] - best) * (1 if higher else -1)
    low, high = map(float, own[2].split(" to "))
    word = "about level with"
    if abs(gap) > (high - low) / 4:
        word = "ahead of" if gap > 0 else "behind"
    return f"By estimate, this run's choices end {word} three simpler policies: {ends}."
