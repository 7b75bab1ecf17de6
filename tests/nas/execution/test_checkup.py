"""The check-up of a cluster: every fault of a node is a line with the next step."""

import subprocess
from pathlib import Path

import pytest
import yaml

from nas.execution.checkup import _ask, _authentication, _node_findings, node_facts
from nas.execution.on_ray import _no_connection
from nas.runs.storage import Storage

CLUSTER = Path(__file__).resolve().parents[3] / "experiments" / "cluster"


def levels(*, skew=0.0, resources=None, address="a:1", **changes):
    own = node_facts(None)
    found = {**own, "free_gb": 50.0, "gpus": [], **changes}
    findings = _node_findings("n", found, resources or {"CPU": 2.0}, own["versions"], skew, address)
    return {finding.name: (finding.level, finding.text) for finding in findings}


def test_a_good_node_is_all_ok():
    assert {level for level, _ in levels().values()} == {"ok"}


@pytest.mark.parametrize(
    ("name", "level", "says", "changes"),
    [
        ("versions", "fail", "python 3.1 instead of", {"versions": {"python": "3.1"}}),
        ("gpus", "fail", "torch sees none", {"resources": {"CPU": 1.0, "GPU": 2.0}}),
        ("disk", "warn", "0.5 GB free", {"free_gb": 0.5}),
        ("clock", "warn", "-90 s off", {"skew": -90.0}),
        ("storage", "fail", "no permission", {"storage": "no permission"}),
    ],
)
def test_each_fault_is_named(name, level, says, changes):
    found, text = levels(**changes)[name]
    assert found == level
    assert says in text


def test_a_node_says_when_it_cannot_write_to_the_storage():
    assert "Cannot write" in node_facts(Storage("/dev/null/x"))["storage"]


@pytest.mark.parametrize(("gpus", "share"), [(0.0, 0), (2.0, 0.001)])
def test_a_node_answers_while_trials_have_all_of_it(gpus, share, monkeypatch):
    asked = {}

    class Task:
        def options(self, **wanted):
            asked.update(wanted)
            return self

        def remote(self, storage):
            return storage

    monkeypatch.setattr("ray.remote", lambda function: Task())
    monkeypatch.setattr("ray.get", lambda answer, timeout: answer)
    assert _ask("0e" * 28, "the storage", gpus) == "the storage"
    assert (asked["num_cpus"], asked["num_gpus"]) == (0, share)
    assert asked["scheduling_strategy"].node_id == "0e" * 28


def test_authentication_is_wanted_alike_everywhere(monkeypatch):
    monkeypatch.delenv("RAY_AUTH_MODE", raising=False)
    assert _authentication(None, []).level == "ok"
    assert "ray get-auth-token" in _authentication("a:1", []).text
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    nodes = [{"name": "n1", "auth": "token"}, {"name": "n2", "auth": ""}]
    assert "not on n2" in _authentication("a:1", nodes).text
    assert _authentication("a:1", nodes[:1]).level == "ok"


def test_a_refused_connection_says_why():
    mismatch = RuntimeError("Version mismatch: The cluster was started with:\n Ray: 2.1")
    assert "different versions" in str(_no_connection("a:1", mismatch))
    assert "wants a token" in str(_no_connection("a:1", RuntimeError("Unauthenticated: no token")))
    assert "No Ray cluster answers" in str(_no_connection("a:1", OSError("refused")))


def test_the_cluster_files_are_well_formed():
    from ray.autoscaler._private.util import prepare_config, validate_config

    validate_config(prepare_config(yaml.safe_load((CLUSTER / "ray-up.yaml").read_text())))
    kube = yaml.safe_load((CLUSTER / "kuberay.yaml").read_text())
    head, (worker,) = kube["spec"]["headGroupSpec"], kube["spec"]["workerGroupSpecs"]
    for group in (head, worker):
        (container,) = group["template"]["spec"]["containers"]
        assert {"name": "RAY_AUTH_MODE", "value": "token"} in container["env"]
    subprocess.run(["bash", "-n", str(CLUSTER / "slurm.sh")], check=True)
    for file in CLUSTER.iterdir():
        assert "CHANGE" in file.read_text()
