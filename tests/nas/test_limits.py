"""Limits of a container, read from made-up trees of both versions of control groups."""

import os
import resource

import pytest

from nas import limits


@pytest.fixture
def tree(tmp_path, monkeypatch):
    monkeypatch.setattr(limits, "machine_cpus", lambda: 8)

    def write(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return tmp_path

    return write


GIGABYTE = 1 << 30


@pytest.mark.parametrize(
    ("files", "cpus", "memory"),
    [
        ({}, 8, None),
        ({"sys/fs/cgroup/cpu.max": "100000 100000\n"}, 1, None),  # --cpus=1
        ({"sys/fs/cgroup/cpu.max": "50000 100000\n"}, 1, None),  # half a core is one worker
        ({"sys/fs/cgroup/cpu.max": "250000 100000\n"}, 2, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000\n", "sys/fs/cgroup/memory.max": "max"}, 8, None),
        ({"sys/fs/cgroup/memory.max": f"{GIGABYTE}\n"}, 8, GIGABYTE),
        (  # the group's own limit and that of the one above it
            {
                "proc/self/cgroup": "0::/jobs/one\n",
                "sys/fs/cgroup/jobs/cpu.max": "200000 100000",
                "sys/fs/cgroup/jobs/one/cpu.max": "400000 100000",
                "sys/fs/cgroup/jobs/memory.max": str(GIGABYTE),
            },
            2,
            GIGABYTE,
        ),
        (  # version 1, as Docker shows it: the host's names, the container's files
            {
                "proc/self/cgroup": "5:memory:/docker/c0\n4:cpu,cpuacct:/docker/c0\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us": "100000\n",
                "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": str(GIGABYTE),
            },
            1,
            GIGABYTE,
        ),
        (
            {
                "proc/self/cgroup": "5:memory:/\n4:cpu,cpuacct:/\n",
                "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
                "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            8,
            None,
        ),
        ({"sys/fs/cgroup/cpu.max": "nonsense", "sys/fs/cgroup/memory.max": ""}, 8, None),
    ],
)
def test_cores_and_memory(tree, files, cpus, memory):
    root = tree(files)
    assert limits.available_cpus(root) == cpus
    assert limits.memory_limit(root) == memory


def test_in_words(tree):
    files = {"sys/fs/cgroup/cpu.max": "100000 100000", "sys/fs/cgroup/memory.max": str(10**9)}
    words = limits.describe_limits(tree(files))
    assert words == (
        "1 CPU core (of 8: its container may use 1), 1.0 GB memory (its container's limit)"
    )
    assert limits.describe_limits(tree({"sys/fs/cgroup/cpu.max": "max 1"})).startswith("8 CPU ")


def test_affinity_counts_too(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3})
    assert limits.machine_cpus() == limits.available_cpus() == 1


def test_address_space(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (1 << 30, 1 << 31))
    assert limits.address_space() == 1 << 30
