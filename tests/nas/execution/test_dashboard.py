"""Ray's dashboard: off unless a port is given, on loopback alone, refused where it cannot be."""

import os
import socket
import subprocess
import sys

import pytest
from ray._private import utils

from nas.config import make_experiment
from nas.execution.dashboard import dashboard_settings, dashboard_words
from nas.search.preconditions import require_possible
from search_spaces.errors import InvalidExperiment, RunError


@pytest.fixture
def port():
    """One that is free."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


@pytest.fixture
def complete(monkeypatch):
    """The packages of the dashboard are there."""
    monkeypatch.setattr(utils, "get_dashboard_dependency_error", lambda: None)


def test_without_a_port_there_is_none():
    assert make_experiment({}).execution.dashboard is None
    assert dashboard_settings(None) == {"include_dashboard": False}


def test_it_is_for_this_machine_alone(port, complete):
    assert dashboard_settings(port) == {
        "include_dashboard": True,
        "dashboard_host": "127.0.0.1",
        "dashboard_port": port,
    }
    assert f"http://127.0.0.1:{port} " in dashboard_words(port)


@pytest.mark.parametrize("value", [80, 0, -1, 65536, "yes", True, 8265.5])
def test_what_is_no_port_is_named(value):
    with pytest.raises(InvalidExperiment, match=rf"execution.dashboard: .*\(given: '?{value}'?\)"):
        make_experiment({"execution": {"dashboard": value}})


def test_a_port_that_is_taken_is_named(port, complete):
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(RunError, match=rf"dashboard is {port}, and something.*Give another"):
            dashboard_settings(port)


def test_packages_that_lack_are_named_with_the_remedy(port, monkeypatch):
    lacks = ModuleNotFoundError("No module named 'aiohttp'")
    monkeypatch.setattr(utils, "get_dashboard_dependency_error", lambda: lacks)
    with pytest.raises(RunError, match=r"No module named 'aiohttp'.*pip install 'ray\[default\]'"):
        dashboard_settings(port)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"engine": "inline"}, "dashboard is 8265, but the engine is inline"),
        ({"address": "auto"}, "dashboard is 8265, but Ray runs at the address 'auto'"),
    ],
)
def test_where_there_is_none_of_ours_it_is_refused(more, message):
    experiment = make_experiment({"execution": {"dashboard": 8265, **more}})
    with pytest.raises(InvalidExperiment, match=message):
        require_possible(experiment)


# starts Ray with it, prints who listens where, and what a browser without the token gets
LOOK = """
import sys, urllib.error, urllib.request, psutil
from nas.execution import ray_session
from nas.execution.on_ray import start_ray
port = int(sys.argv[1])
start_ray(None, port)
own = psutil.Process()
for process in (own, *own.children(recursive=True)):
    for found in process.net_connections("tcp"):
        if found.status == psutil.CONN_LISTEN:
            print("listens", found.laddr.ip.removeprefix("::ffff:"), found.laddr.port)
for place in ("", "api/version", "api/jobs/"):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/{place}") as answer:
            print("answers", answer.status, place)
    except urllib.error.HTTPError as error:
        print("answers", error.code, place)
ray_session.end_session()
"""


def test_it_answers_here_and_asks_for_the_token(port):
    if utils.get_dashboard_dependency_error() is not None:
        pytest.skip("no packages of the dashboard: pip install 'ray[default]'")
    done = subprocess.run(
        [sys.executable, "-c", LOOK, str(port)], env=os.environ, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    listens = {(where, int(at)) for kind, where, at in (r for r in lines if r[0] == "listens")}
    assert ("127.0.0.1", port) in listens
    assert {where for where, _ in listens} == {"127.0.0.1"}
    answers = {(row[2] if len(row) > 2 else ""): row[1] for row in lines if row[0] == "answers"}
    assert answers[""] == "200"
    assert answers["api/jobs/"] == "401"
