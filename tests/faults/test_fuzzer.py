"""Nothing that comes in at a door breaks a command: seeded cases, in a guarded process.

A case that fails is repeated with `python experiments/fuzz_table.py --door DOOR --seeds SEED`.
"""

import pytest
from fuzzer.doors import NAMES
from fuzzer.planted import PLANTED
from fuzzer.session import Session

# Cases of a door: in the usual tests and in the long ones. Some doors lead to much work.
FEW, MANY = 24, 300
LONG = {
    "answers": 6, "corpus": 10, "own": 12, "checkpoint": 4, "kind": 3, "packed": 10, "pairs": 3,
    "recipe": 3, "set": 4, "span": 3, "suite": 3, "vectors": 2, "experiment": 12, "zoo": 12,
    "glue": 12, "run": 12,
}  # fmt: skip


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    with Session(tmp_path_factory.mktemp("fuzz")) as opened:
        yield opened


def strike(session, door, seeds):
    """Run the cases; print every fault and how to repeat it, and count what was not refused."""
    verdicts = list(session.run(door, seeds))
    faulty = [v for v in verdicts if v.faults]
    assert not faulty, "\n\n".join(v.story() for v in faulty)
    return verdicts


@pytest.mark.parametrize("door", NAMES)
def test_what_comes_in_breaks_nothing(session, door):
    outcomes = {v.outcome for v in strike(session, door, range(LONG.get(door, FEW)))}
    assert "accepted" in outcomes  # or nothing behind the door is struck
    assert "refused" in outcomes or door == "answers"  # which become their trials' failures


@pytest.mark.slow
@pytest.mark.parametrize("door", NAMES)
def test_what_comes_in_breaks_nothing_in_many_cases(session, door):
    strike(session, door, range(LONG.get(door, FEW), MANY))


def test_every_kind_of_fault_is_seen(session):
    limits = {"seconds": 2.0, "memory": 1.2e9}
    verdicts = list(session.run("planted", range(len(PLANTED)), limits))
    seen = {
        what: [kind for kind, _ in v.faults][:1] for what, v in zip(PLANTED, verdicts, strict=True)
    }
    assert seen == {what: [kind] if kind else [] for what, kind in PLANTED.items()}
    assert "fuzz_table.py --door planted --seeds 1" in verdicts[1].story()
    assert "KeyError" in verdicts[1].story()
