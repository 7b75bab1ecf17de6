"""Who is promoted: against a slow obvious twin, and in the order of the record."""

import numpy as np
import pytest

from nas.fidelity_rules import FIDELITY_RULES

LEVELS = (0.11, 0.33, 1.0)


def climb(name, values, objectives=1):
    """Tell one result after another, promote whenever possible; return what was trained where."""
    rule = FIDELITY_RULES[name](LEVELS, 3.0, objectives)
    trained, below, next_trial = [], {}, len(values)
    for trial, value in enumerate(values):
        fidelity = rule.next_fidelity()
        rule.ask(trial)
        queue = [(trial, trial, fidelity)]
        while queue:
            at, root, share = queue.pop()
            trained.append((root, share))
            below[at] = root
            rule.told(at, share, value if objectives > 1 else (value,))
            while (found := rule.promotion()) is not None:
                rule.promoted(found[0], next_trial, found[1])
                queue.append((next_trial, below[found[0]], found[1]))
                next_trial += 1
    return rule, trained


@pytest.mark.parametrize("seed", range(5))
def test_asha_trains_further_what_was_among_the_best_third_when_it_was_looked_at(seed):
    values = np.random.default_rng(seed).permutation(60).tolist()
    _, trained = climb("asha", values)
    slow = set()
    for n in range(1, len(values) + 1):
        slow |= set(sorted(range(n), key=lambda i: -values[i])[: n // 3])
    assert {root for root, share in trained if share == 0.33} == slow
    top = {root for root, share in trained if share == 1.0}
    assert top < slow
    assert values.index(max(values)) in top
    assert len(trained) == len(set(trained))


def test_full_trains_everything_once_and_median_the_better_half():
    values = list(range(10))
    assert climb("full", values)[1] == [(i, 1.0) for i in range(10)]
    _, trained = climb("median", values[::-1])
    assert {root for root, share in trained if share == 0.33} == {0, 1, 2, 3, 4}


@pytest.mark.parametrize("values", [[0, 1, 2, 3], [3, 1, 2, 0, 4], [5, 4, 3, 2, 1, 0]])
def test_median_goes_on_with_what_was_no_worse_than_the_median_when_it_was_looked_at(values):
    slow = set()
    for n in range(1, len(values) + 1):
        slow |= {i for i in range(n) if values[i] >= np.median(values[:n])}
    _, trained = climb("median", values)
    assert {root for root, share in trained if share == 0.33} == slow


def test_hyperband_shares_proposals_between_brackets():
    rule = FIDELITY_RULES["hyperband"](LEVELS, 3.0, 1)
    shares = []
    for trial in range(17):
        shares.append(rule.next_fidelity())
        rule.ask(trial)
    assert [shares.count(level) for level in LEVELS] == [9, 5, 3]


def test_several_objectives_promote_the_front():
    # Each pair beats no other in both, but for the dominated ones at the end.
    values = [(3.0, 1.0), (2.0, 2.0), (1.0, 3.0), (0.5, 0.5), (0.4, 0.4), (0.3, 0.3)]
    _, trained = climb("asha", values, objectives=2)
    promoted = {root for root, share in trained if share == 0.33}
    assert promoted
    assert promoted <= {0, 1, 2}


def test_a_search_too_short_to_promote_ends_with_its_best_at_full_fidelity():
    rule, trained = climb("asha", [0.1, 0.9])
    assert {share for _, share in trained} == {0.11}
    assert rule.promotion() is None
    assert rule.last_word() == (1, 0.33)
    rule.promoted(1, 10, 0.33)
    rule.told(10, 0.33, (0.9,))
    assert rule.last_word() == (10, 1.0)
    rule.promoted(10, 11, 1.0)
    rule.told(11, 1.0, (0.9,))
    assert rule.last_word() is None


def test_a_policy_may_say_where_its_proposal_starts_and_other_rules_do_not_care():
    rule = FIDELITY_RULES["policy"](LEVELS, 3.0, 1)
    assert [rule.next_fidelity(share) for share in (None, 0.33, 1.0, 0.5)] == [
        0.11,
        0.33,
        1.0,
        0.11,
    ]
    for trial in range(4):
        rule.ask(trial)
        rule.told(trial, 0.11 if trial < 3 else 0.33, (float(trial),))
    assert rule.promotion() == (2, 0.33)  # the best of three there; one alone is not among three
    assert FIDELITY_RULES["asha"](LEVELS, 3.0, 1).next_fidelity(1.0) == 0.11
