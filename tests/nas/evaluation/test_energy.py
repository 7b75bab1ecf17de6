"""Energy: counters that wrap around, machines that do not tell, joules a pass."""

import pytest
import torch
from torch import nn

from nas.evaluation.energy import energy_counters, measure_energy


class Still(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))
        self.calls = 0

    def forward(self, tokens):
        self.calls += 1
        return tokens * self.weight


def processor(folder, microjoules, limit=1000):
    folder.mkdir()
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    (folder / "max_energy_range_uj").write_text(f"{limit}\n")
    return folder / "energy_uj"


def test_processors_are_counted_once_and_their_counters_start_again(tmp_path):
    first = processor(tmp_path / "intel-rapl:0", 900)
    processor(tmp_path / "intel-rapl:0:0", 5)  # a part of the first
    (tmp_path / "intel-rapl:1").mkdir()  # not readable
    (counter,) = energy_counters(torch.device("cpu"), tmp_path)
    assert counter() == 0.0
    first.write_text("950")
    assert counter() == pytest.approx(50e-6)
    first.write_text("49")
    assert counter() == pytest.approx(150e-6)


def test_a_machine_that_does_not_tell_gives_none(tmp_path):
    assert energy_counters(torch.device("cpu"), tmp_path / "none") == []
    assert measure_energy(Still(), counters=[]) is None


def test_joules_are_those_of_one_pass():
    encoder = Still().train()
    found = measure_energy(encoder, seconds=0.0, counters=[lambda: 3.0 * encoder.calls, lambda: 0])
    assert found == 3.0
    assert encoder.training
