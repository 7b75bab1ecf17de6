"""The policy in a process of its own: the same proposals, also after it was killed."""

import pytest

from nas.proposals.building import run_policy
from nas.proposals.process import ProposerProcess
from nas.proposals.proposer import propose
from nas.search.replay import replayed
from search_spaces.errors import RunError


@pytest.fixture
def held(begin):
    search = begin(trials=6)
    proposer = ProposerProcess(search.experiment.model_dump(mode="json"))
    yield search, proposer
    proposer.close()


def test_a_process_proposes_what_the_policy_here_does(held):
    search, proposer = held
    number = search.run.journal.requested(3)
    assert proposer.restore(search.run.directory) == number  # made before, answered now
    assert proposer.ready(60)
    answer = proposer.answer()
    assert answer.request == number
    expected = propose(run_policy(search.experiment, None), 3)
    assert [digest for _, digest, _ in answer.proposals] == [digest for _, digest, _ in expected]


def test_one_that_was_killed_is_replaced_and_the_search_goes_on(held):
    search, proposer = held
    search.proposer = proposer
    ask, kills = proposer.request, []

    def request(number, n):
        if search.run.journal.counts()["done"] >= 2 and not kills:
            kills.append(proposer._process.pid)
            proposer._process.kill()
        ask(number, n)

    proposer.request = request
    assert search.run_until_done() == "trials"
    assert kills
    assert search.run.journal.counts()["done"] == 6
    assert not any(decision.differs for decision in replayed(search.run))


def test_one_that_keeps_dying_ends_the_search_with_a_message(held, monkeypatch):
    search, proposer = held
    monkeypatch.setattr("nas.proposals.process.sys.executable", "/bin/false")
    proposer._process.kill()
    with pytest.raises(RunError, match="ended 3 times in a row .*continue with: nas resume"):
        proposer.restore(search.run.directory)
