"""What it takes to repeat the run."""

import json

from nas.report.sections import SECTIONS


def test_versions_command_and_settings(snapshot, record, architectures, tmp_path):
    stored = {
        "python": "3.12.1",
        "cpus": 8,
        "machine": "x86_64",
        "packages": {"torch": "2.13.0", "botorch": None},
        "command": "nas search --trials 1",
    }
    (tmp_path / "environment.json").write_text(json.dumps(stored))
    section = SECTIONS["environment"](snapshot([record(1, architectures[0])], trials=77))
    run, versions, command, settings = section.blocks
    assert ["seed", "3"] in run["pairs"]
    assert ["trained on", "cpu (here)"] in run["pairs"]
    assert versions["pairs"] == [
        ["Python", "3.12.1"], ["torch", "2.13.0"], ["botorch", "not installed"],
    ]  # fmt: skip
    assert command["text"].startswith("nas search --trials 1\n")
    assert f"nas search {tmp_path / 'experiment.yaml'} --run" in command["text"]
    assert "trials: 77" in settings["text"]


def test_a_run_that_lost_its_environment_file(snapshot, record, architectures):
    section = SECTIONS["environment"](snapshot([record(1, architectures[0])]))
    assert ["Python", "unknown"] in section.blocks[1]["pairs"]
