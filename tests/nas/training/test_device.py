"""Devices: what is compiled, and how few lengths batches have."""

import pytest
import torch
from torch import nn

from nas.training.device import compile_for, is_out_of_memory, length_multiple

CPU, GPU = torch.device("cpu"), torch.device("cuda")


def test_compiled_is_what_reads_enough_on_a_gpu(monkeypatch):
    compiled = []
    monkeypatch.setattr(nn.Module, "compile", lambda self: compiled.append(self))
    model = nn.Linear(1, 1)
    assert not compile_for(model, CPU)
    assert not compile_for(model, GPU, tokens=1e6)
    assert compiled == []
    assert compile_for(model, GPU, tokens=1e10)
    assert compiled == [model]


@pytest.mark.parametrize("longest", [12, 48, 127, 128, 514])
def test_lengths_are_few_and_none_passes_the_longest(longest):
    for device in (CPU, GPU):
        assert longest % length_multiple(longest, device) == 0
    assert length_multiple(128, GPU) == 32
    assert length_multiple(128, CPU) == 4


def test_errors_of_memory_are_told_from_others():
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes do not fit"))
    assert not is_out_of_memory(ValueError("can't allocate memory"))
