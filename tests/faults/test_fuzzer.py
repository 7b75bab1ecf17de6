"""The fuzzer sees what it must see.

A case that fails is repeated with `python experiments/fuzz_table.py --door DOOR --seeds SEED`.
"""

from fuzzer.planted import PLANTED
from fuzzer.session import Session


def test_every_kind_of_fault_is_seen(tmp_path):
    with Session(tmp_path, limits={"FUZZ_SECONDS": "2", "FUZZ_MEMORY": "1.2e9"}) as session:
        verdicts = list(session.run("planted", range(len(PLANTED))))
    seen = {
        what: [kind for kind, _ in v.faults][:1] for what, v in zip(PLANTED, verdicts, strict=True)
    }
    assert seen == {what: [kind] if kind else [] for what, kind in PLANTED.items()}
    assert "fuzz_table.py --door planted --seeds 1" in verdicts[1].story()
    assert "KeyError" in verdicts[1].story()
