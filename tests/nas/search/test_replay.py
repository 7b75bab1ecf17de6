"""A replay repeats every decision, and finds the one that was tampered with."""

import json

import pytest
from click.testing import CliRunner

from nas.cli.main import cli
from nas.execution import Outcome
from nas.proposals.proposer import InlineProposer
from nas.runs.directory import open_run
from nas.search.replay import replayed
from tests.nas.search.test_loop import again


class SlowProposer(InlineProposer):
    """Answers only after the search has looked `patience` times, as one that thinks would."""

    concurrent = True

    def __init__(self, policy, patience=3):
        super().__init__(policy)
        self.patience, self.looks = patience, 0

    def ready(self, seconds):
        self.looks += 1
        return self.looks % self.patience == 0 and super().ready(seconds)

    def answer(self):
        self.looks += 1
        return super().answer() if self.looks % self.patience == 0 else None


def searched(begin, pretend, **settings):
    search = begin(executor=pretend(capacity=3), **settings)
    search.proposer = SlowProposer(search.proposer.policy)
    search._ahead._concurrent = True
    assert search.run_until_done() == "trials"
    return search


def different(run):
    return [decision for decision in replayed(open_run(run.directory)) if decision.differs]


@pytest.mark.parametrize(
    "settings",
    [
        {"policy": "random"},
        {"policy": "boshnas", "trials": 10},
        {"fidelity": "asha", "trials": 12},
        {"fidelity": "hyperband", "trials": 14},
        {"fidelity": "median", "trials": 6},
    ],
    ids=lambda s: "-".join(map(str, s.values())),
)
def test_an_asynchronous_search_is_repeated_without_a_difference(begin, pretend, settings):
    search = searched(begin, pretend, **settings)
    events = [kind for kind, *_ in search.run.journal.events()]
    first_tell = events.index("tell")
    assert "request" in events[first_tell:]
    assert not different(search.run)
    decisions = list(replayed(search.run))
    trials = search.run.journal.trials()
    assert len(decisions) >= len(trials) + sum(r["continues"] is None for r in trials)


def test_results_that_came_while_the_policy_thought_are_not_known_to_its_proposal(begin, pretend):
    search = searched(begin, pretend, trials=10)
    events = list(search.run.journal.numbered_events())
    late = 0
    for event, kind, trial, payload in events:
        if kind == "ask":
            between = [k for e, k, _, _ in events if payload["request"] < e < event]
            late += "tell" in between
            asked = [t for e, k, t, _ in events if k == "ask" and e < event]
            told = [t for e, k, t, _ in events if k == "tell" and e < payload["request"]]
            record = search.run.journal.trials()[trial - 1]
            assert sorted(record["proposal"]["pending"]) == sorted(set(asked) - set(told))
    assert late


def test_a_changed_record_differs_and_is_named(begin, pretend):
    search = searched(begin, pretend, policy="boshnas", trials=10)
    journal = search.run.journal
    first = journal.trials()[0]
    scores = json.dumps({**first["scores"], "glue": 0.99})
    with journal._db as db:
        db.execute("UPDATE trials SET scores = ? WHERE trial = 1", (scores,))
    assert different(search.run)[0].what.startswith("proposal of trial")
    answer = CliRunner().invoke(cli, ["replay", str(search.run.directory)])
    assert answer.exit_code == 1
    assert "the last one differs: event" in answer.output


def test_a_wrong_promotion_and_a_wrong_retry_are_found(begin, pretend):
    faults = {4: Outcome(4, cause="out-of-memory", error="no", seconds=1.0)}
    search = begin(executor=pretend(faults=faults), fidelity="asha", trials=12)
    search.run_until_done()
    assert not different(search.run)
    with search.run.journal._db as db:
        db.execute("UPDATE events SET payload = replace(payload, 'micro_batches', 'x')")
        db.execute("UPDATE trials SET continues = 2 WHERE continues IS NOT NULL")
    kinds = {decision.what.split(" of ")[0].split(" to ")[0] for decision in different(search.run)}
    assert {"retry", "promotion"} <= kinds


def test_the_command_counts_and_ends_with_0(begin, pretend):
    search = searched(begin, pretend)
    search.run.close()
    answer = CliRunner().invoke(cli, ["replay", str(search.run.directory)])
    assert (answer.exit_code, answer.output) == (0, "16 decisions repeated, 0 differences\n")
    answer = CliRunner().invoke(cli, ["replay", "--json", str(search.run.directory)])
    assert json.loads(answer.output) == {"decisions": 16, "differences": 0, "first": None}


def test_a_run_that_was_killed_extended_and_aimed_elsewhere_is_repeated(begin, pretend):
    cut = begin(policy="boshnas", executor=pretend(faults={4: KeyboardInterrupt()}), trials=6)
    assert cut.run_until_done() == "interrupted"
    resumed = again(cut.run, pretend())
    assert resumed.run_until_done() == "trials"
    aimed = again(resumed.run, pretend(), objectives={"latency_ms": "min"}, trials="+3")
    assert aimed.run_until_done() == "trials"
    assert not different(aimed.run)


def test_a_driver_killed_while_the_policy_thought_asks_again_what_it_knew_then(begin, pretend):
    whole = begin(name="whole", policy="boshnas", executor=pretend(capacity=1), trials=7)
    whole.run_until_done()
    cut = begin(name="cut", policy="boshnas", executor=pretend(capacity=1), trials=7)
    asked = cut.proposer.request

    def die(number, n):
        if cut.run.journal.counts()["done"] == 5:
            raise KeyboardInterrupt
        asked(number, n)

    cut.proposer.request = die
    assert cut.run_until_done() == "interrupted"
    kinds = [kind for kind, *_ in cut.run.journal.events()]
    assert kinds[-2:] == ["request", "end"]
    resumed = again(cut.run, pretend(capacity=1))
    assert resumed.run_until_done() == "trials"
    hashes = [[r["hash"] for r in s.run.journal.trials()] for s in (whole, resumed)]
    assert hashes[0] == hashes[1]
    assert [k for k, *_ in resumed.run.journal.events()].count("request") == 7
