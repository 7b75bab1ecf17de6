"""A run directory of older code opens, tells the same story, repeats itself, goes on, exports."""

import json
import re

import golden_models
import golden_runs
import pytest
from golden_files import CLOSE, differences, fingerprint, read

import nas

RECORDED = read("old_run.json")
EXACT = RECORDED["fingerprint"] == fingerprint()
PLANNED = RECORDED["status"]["planned"]

pytestmark = pytest.mark.golden


@pytest.fixture
def place(tmp_path):
    """A folder with a copy of the run, which no test may change, and the space it names."""
    golden_runs.copied(tmp_path)
    return tmp_path


def kept(recorded, found):
    """Return of `found` what `recorded` has too: newer code may say more."""
    if isinstance(recorded, dict):
        return {key: kept(recorded[key], found[key]) for key in recorded if key in found}
    if isinstance(recorded, list) and len(recorded) == len(found):
        return [kept(a, b) for a, b in zip(recorded, found, strict=True)]
    return found


def test_the_tables_are_what_they_were(place):
    found = golden_runs.tables(place)
    recorded = {name: RECORDED[name] for name in found}
    assert not differences(recorded, kept(recorded, found))


def test_the_commands_say_what_they_said(place):
    found = golden_runs.said(place)
    recorded = {name: RECORDED[name] for name in found}
    repeated = recorded.pop("replay"), found.pop("replay")
    assert not differences(recorded, kept(recorded, found), close=CLOSE)
    if EXACT:
        assert repeated[0] == repeated[1]
        # the first decision that differs is one of the model, which is another one today
        assert repeated[1]["first"]["what"] == "proposal of trial 7"


def test_people_can_read_it(place):
    call = golden_runs.call
    trials = call(place, "trials", "old_run")
    for row in RECORDED["trials"]:
        assert re.search(rf"^ *{row['trial']}  {row['hash'][:10]}  {row['status']} ", trials, re.M)
    assert "1 failed (1 error)" in call(place, "status", "old_run")
    front = call(place, "pareto", "old_run")
    assert [int(n) for n in re.findall(r"^ +(\d+)  [0-9a-f]{10}", front, re.M)] == RECORDED["front"]
    why = call(place, "why", "old_run", golden_runs.FAILED)
    assert "made to fail, as error" in why
    call(place, "report", "old_run")
    page = (place / "old_run" / "report.html").read_text(encoding="utf-8")
    assert all(row["hash"][:10] in page for row in RECORDED["trials"])
    assert "made to fail, as error" in page


def test_it_goes_on_with_what_was_proposed_then(place):
    before = golden_runs.tables(place)["trials"]
    next_ones = golden_runs.continued(place, PLANNED)
    after = golden_runs.tables(place)["trials"]
    assert after[: len(before)] == before
    assert {status for _, _, status in next_ones} == {"done"}
    assert len({digest for digest, _, _ in next_ones} - {r["hash"] for r in before}) >= 1
    if EXACT:
        assert next_ones == RECORDED["next"]


def test_its_winner_is_exported_with_the_scores_it_had(place):
    said = golden_runs.call(place, "export", "old_run", "--pick", "best", "--to", "best")
    if EXACT:
        assert said.count("as in the search") == len(
            RECORDED["trials"][0].keys() & {"sst2", "stsb"}
        )
    best = next(row for row in RECORDED["trials"] if row["trial"] == RECORDED["best"])
    architecture = json.loads((place / "best" / "architecture.json").read_text(encoding="utf-8"))
    assert architecture == best["architecture"]
    encoder = nas.load_model(place / "best")
    states = encoder(**golden_models.encoded(place / "best")).last_hidden_state
    assert states.isfinite().all()
    assert nas.load_model(place / "best", task="stsb").config.num_labels == 1
