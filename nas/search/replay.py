"""Repeat every decision of a run from its record, and say where one differs.

Asked again are: each proposal of the policy from what it knew at that moment, the fidelity it
started at, each promotion, each retry, and the end where results alone decided it. Nothing is
trained.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from nas.config import Experiment
from nas.fidelity_rules import FIDELITY_RULES, FidelityRule
from nas.proposals.building import run_policy
from nas.proposals.proposer import propose, tell
from nas.runs.directory import Run
from nas.runs.policy_events import Aim, Request, Tell, asked, policy_events, told
from nas.runs.rows import readable
from nas.search.budgets import settled
from nas.search.retries import judge
from nas.search.tally import Tally
from surrogates.policy import Policy


@dataclass(frozen=True)
class Decision:
    """One decision, as recorded and as repeated.

    Attributes:
        event: Its number in the record.
        what: For people, such as "proposal of trial 7".
        recorded: What the run did.
        repeated: What comes out now.
    """

    event: int
    what: str
    recorded: Any
    repeated: Any

    @property
    def differs(self) -> bool:
        """Whether the two are not the same."""
        return self.recorded != self.repeated


def replayed(run: Run) -> Iterator[Decision]:
    """Yield every decision of `run` in the order of the record, repeated.

    Asking stops to make sense after the first difference, for the policy then knows of trials that
    it would not have asked for; so stop there.
    """
    run.require_trusted("nas replay", space_only=True)
    with readable(run.where):
        yield from _replayed(run)


def _replayed(run: Run) -> Iterator[Decision]:
    steps = {step.event: step for step in policy_events(run.journal)}
    aims = [step for step in steps.values() if isinstance(step, Aim)]
    experiment = run.experiment
    if aims:
        experiment = _aimed(experiment, aims[0].before)
    replay = _Replay(run, experiment)
    for event, kind, trial, payload in run.journal.numbered_events():
        step = steps.get(event)
        if isinstance(step, Request) and step.answered:
            yield from replay.request(step)
        elif isinstance(step, Aim):
            replay.aim(_aimed(run.experiment, step.after))
        elif isinstance(step, Tell):
            replay.tell(step)
        decide = replay.by_kind.get(kind)
        if decide is not None:
            yield from decide(event, trial, payload)


def _aimed(experiment: Experiment, aim: dict[str, Any]) -> Experiment:
    return experiment.model_copy(
        update={"objectives": aim["objectives"], "constraints": tuple(aim["constraints"])}
    )


class _Replay:
    """The policy and the rules, brought along the record."""

    def __init__(self, run: Run, experiment: Experiment):
        self._run = run
        self._records = {record["trial"]: record for record in run.journal.each_trial()}
        self._history: list[dict[str, Any]] = []  # what `Policy.restore` needs after a new aim
        self._retries: dict[int, int] = {}
        self._adjusted: dict[int, dict[str, Any]] = {}
        self._experiment = experiment
        self._policy = self._fresh(experiment)
        self._rule, self._tally = self._rules(experiment)
        self._ended: list[dict[str, Any]] = []
        self.by_kind: dict[str, Callable[..., Iterator[Decision]]] = {
            "ask": self._fidelity,
            "promote": self._promotion,
            "requeue": self._retry,
            "end": self._end,
        }

    def _fresh(self, experiment: Experiment) -> Policy:
        return run_policy(experiment, self._run.model_options.get("vocabulary_size"))

    def _rules(self, experiment: Experiment) -> tuple[FidelityRule, Tally]:
        rule = FIDELITY_RULES[experiment.fidelity]
        objectives = experiment.objectives
        return (
            rule(experiment.fidelities, experiment.reduction, len(objectives)),
            Tally(objectives),
        )

    def aim(self, experiment: Experiment) -> None:
        """Go on with other objectives or constraints and all that was told."""
        self._experiment = experiment
        self._policy = self._fresh(experiment)
        self._policy.restore(self._history)
        self._rule, self._tally = self._rules(experiment)
        for event in self._ended:
            self._learn(event)

    def request(self, step: Request) -> Iterator[Decision]:
        """Ask again for what a request brought."""
        found = propose(self._policy, step.n)
        hashes = [digest for _, digest, _ in found]
        for place in range(max(len(hashes), len(step.asked))):
            recorded = step.asked[place] if place < len(step.asked) else None
            trial = recorded["trial"] if recorded else "that was not recorded"
            yield Decision(
                step.event,
                f"proposal of trial {trial}",
                recorded["hash"] if recorded else None,
                hashes[place] if place < len(hashes) else None,
            )
            proposed = (recorded or {}).get("proposal", {}).get("fidelity")
            if proposed is not None and place < len(found):
                again = found[place][2].get("fidelity")
                yield Decision(step.event, f"proposed fidelity of trial {trial}", proposed, again)
        self._history += [asked(record) for record in step.asked]

    def tell(self, step: Tell) -> None:
        """Tell the policy and the rules one result."""
        event = told(step.record)
        tell(self._policy, event)
        self._history.append(event)
        self._ended.append({"kind": "tell", "record": step.record})
        self._learn(self._ended[-1])

    def _learn(self, entry: dict[str, Any]) -> None:
        record = entry["record"]
        if entry["kind"] == "ask":
            self._rule.ask(record["trial"])
            self._tally.entered({**record, "status": "queued"})
        elif entry["kind"] == "promote":
            self._rule.promoted(record["continues"], record["trial"], record["fidelity"])
        else:
            self._tally.moved("queued", record["status"])
            self._tally.ended(record)
            if record["status"] == "done":
                values = self._tally.oriented(record)
                self._rule.told(record["trial"], record["fidelity"], values)

    def _fidelity(self, event: int, trial: int, payload: dict) -> Iterator[Decision]:
        record = self._records[trial]
        expected = self._rule.next_fidelity(record["proposal"].get("fidelity"))
        yield Decision(event, f"fidelity of trial {trial}", record["fidelity"], expected)
        self._enter("ask", record)

    def _promotion(self, event: int, trial: int, payload: dict) -> Iterator[Decision]:
        record = self._records[trial]
        expected = self._rule.promotion() or self._rule.last_word()
        recorded = (record["continues"], record["fidelity"])
        yield Decision(event, f"promotion to trial {trial}", recorded, expected)
        self._tally.counts["queued"] += 1
        self._enter("promote", record)

    def _enter(self, kind: str, record: dict[str, Any]) -> None:
        self._ended.append({"kind": kind, "record": record})
        self._learn(self._ended[-1])

    def _retry(self, event: int, trial: int, payload: dict) -> Iterator[Decision]:
        history = self._records[trial]["history"]
        if not payload.get("cause"):
            return  # the driver ended, which no rule decided
        count = self._retries[trial] = self._retries.get(trial, 0) + 1
        adjusted = self._adjusted.get(trial, {})
        verdict = judge(history[:count], adjusted, retry_nan=self._experiment.retry_nan)
        recorded = (True, payload.get("adjusted", {}))
        repeated = (verdict.retry, verdict.adjusted)
        yield Decision(event, f"retry of trial {trial}", recorded, repeated)
        self._adjusted[trial] = verdict.adjusted

    def _end(self, event: int, trial: int | None, payload: dict) -> Iterator[Decision]:
        if payload["reason"] in ("patience", "failing"):
            # Settings may have been extended since, so that only what still says so is compared.
            repeated = settled(self._experiment, self._tally)
            if repeated is not None:
                yield Decision(event, "end of the search", payload["reason"], repeated)
