"""Ray on this machine: who reaches it, what it leaves behind, and what the machine may lack."""

import fcntl
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from types import SimpleNamespace

import psutil
import pytest

from nas.config import Execution
from nas.execution import EngineGone, Job, ray_session
from nas.execution.on_ray import RayExecutor
from nas.execution.ray_alive import RayAlive
from nas.training.recipe import Recipe
from search_spaces import load_space
from search_spaces.errors import RunError

# starts Ray, and prints the addresses that its processes listen on and its folder
LOOK = """
import os, psutil
from nas.execution import ray_session
from nas.execution.on_ray import start_ray
start_ray(None)
own = psutil.Process()
for process in (own, *own.children(recursive=True)):
    for found in process.net_connections("tcp"):
        if found.status == psutil.CONN_LISTEN:
            print("listens", found.laddr.ip.removeprefix("::ffff:"))
print("folder", ray_session._folder[0])
ray_session.end_session()
"""


def test_ray_listens_on_loopback_alone_and_leaves_nothing(tmp_path):
    # a home that cannot be written to, and a folder whose path is too long for sockets
    place = tmp_path / ("long" * 25)
    place.mkdir()
    environment = {**os.environ, "HOME": "/proc/nowhere", "TMPDIR": str(place)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert {where for kind, where in lines if kind == "listens"} == {"127.0.0.1"}
    (folder,) = (where for kind, where in lines if kind == "folder")
    assert len(folder) < 40
    assert not os.path.exists(folder)
    assert list(place.iterdir()) == []


def test_a_path_that_is_too_long_is_an_error_where_nothing_shorter_can_be_written(monkeypatch):
    monkeypatch.setenv("RAY_TMPDIR", "/t" * 60)
    monkeypatch.setattr(os, "access", lambda path, mode: str(path).startswith("/t/t"))
    with pytest.raises(RunError, match=r"at most 24 characters; '/t/t.* has 120.*Set TMPDIR to a"):
        ray_session._short_place()


def test_an_address_space_that_is_too_small_is_an_error_with_the_remedy(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (2 * 10**9, 2 * 10**9))
    with pytest.raises(RunError, match=r"limited to 2\.0 GB \(ulimit -v\).*ulimit -v unlimited"):
        ray_session._require_address_space()


def test_folders_of_killed_searches_are_removed_and_those_of_others_are_not(tmp_path):
    for name in ("nas-ray-dead", "nas-ray-alive", "nas-ray-elsewhere", "other"):
        (tmp_path / name).mkdir()
    for name in ("nas-ray-dead", "nas-ray-alive"):
        (tmp_path / name / "lock").touch()
    (tmp_path / "nas-ray-link").symlink_to(tmp_path / "other")
    (tmp_path / "other" / "lock").touch()
    with open(tmp_path / "nas-ray-alive" / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ray_session._remove_left_behind(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"nas-ray-alive", "nas-ray-elsewhere", "nas-ray-link", "other"}


def test_a_session_is_tidied_up_whoever_asks_for_the_end_meanwhile(tmp_path, monkeypatch):
    folder = tmp_path / "nas-ray-mine"
    folder.mkdir()
    monkeypatch.setattr("ray.shutdown", lambda: os.kill(os.getpid(), signal.SIGTERM))
    with open(folder / "lock", "w") as lock:
        monkeypatch.setattr(ray_session, "_folder", (folder, lock))
        ray_session.end_session()
    assert not folder.exists()


@pytest.mark.parametrize("victim", ["gcs_server", "raylet"])
def test_a_ray_that_dies_is_noticed_at_once(victim):
    settings = Execution(trial_function="time:sleep")
    executor = RayExecutor(settings, Recipe(), None)
    (architecture,) = load_space("flexibert-micro").sample(1, seed=0)
    executor.submit(Job(1, architecture.to_dict(), seed=1, timeout=100.0))
    started = ray_session._processes(ray_session._folder[0])
    for process in started:
        if process.name() == victim:
            process.kill()
    begun = time.monotonic()
    while executor._alive._started(victim)[0].process.poll() is None:
        time.sleep(0.01)
    with pytest.raises(EngineGone, match=r"on this machine has ended \(signal 9\)"):
        executor.wait(1.0)
    executor.close()
    assert time.monotonic() - begun < 15
    gone, alive = psutil.wait_procs(started, timeout=5)
    assert not alive


def test_a_question_to_a_ray_that_dies_is_not_waited_for(monkeypatch):
    alive, over = RayAlive(), threading.Event()
    assert alive.during(lambda: 5) == 5
    with pytest.raises(KeyError):
        alive.during(lambda: {}[1])
    dead = SimpleNamespace(process=SimpleNamespace(poll=lambda: -9))
    monkeypatch.setattr(alive, "_started", lambda name: [dead] if name == "gcs_server" else [])
    with pytest.raises(EngineGone, match=r"\(GCS\) on this machine has ended \(signal 9\)"):
        alive.during(over.wait)
    over.set()


@pytest.mark.parametrize("error", [Exception("The current node timed out"), OSError("no room")])
def test_whatever_ray_raises_at_its_start_is_an_error_with_the_remedy(error, monkeypatch):
    def end(**options):
        raise error

    monkeypatch.setattr("ray.init", end)
    with pytest.raises(RunError, match=r"does not start .*(timed out|no room).* nas doctor"):
        ray_session.start_session({})


@pytest.mark.parametrize("at_once", [False, True])
@pytest.mark.parametrize("name", ["gcs_server", "raylet"])
def test_a_ray_that_dies_while_it_starts_is_told_at_once(name, at_once, tmp_path, monkeypatch):
    program, over = tmp_path / name, threading.Event()
    program.symlink_to("/bin/sleep" if at_once else sys.executable)
    threads = []

    def stuck(*, _temp_dir, **options):
        threads.append(threading.current_thread())
        arguments = ["0"] if at_once else ["-c", "import time; time.sleep(60)", _temp_dir]
        child = subprocess.Popen([str(program), *arguments])
        if not at_once:
            time.sleep(0.5)
            child.kill()
        over.wait()
        child.wait()

    monkeypatch.setattr("ray.init", stuck)
    how = "code 0" if at_once else "signal 9"
    with pytest.raises(EngineGone, match=rf"on this machine has ended \({how}\)"):
        ray_session.start_session({})
    assert ray_session._folder is None
    over.set()
    threads[0].join()  # it was to stay as long as the session alone


def test_what_ray_starts_outlives_its_start_and_not_the_session(monkeypatch):
    # Linux would end what shares the fate of its starter with the thread that started it
    threads = []
    monkeypatch.setattr("ray.init", lambda **_: threads.append(threading.current_thread()))
    ray_session.start_session({})
    assert threads[0].is_alive()
    ray_session.end_session()
    threads[0].join()


def test_a_shutdown_that_waits_for_what_is_gone_is_not_waited_for(monkeypatch):
    over = threading.Event()
    monkeypatch.setattr("ray.init", lambda **_: None)
    ray_session.start_session({})
    folder = ray_session._folder[0]
    monkeypatch.setattr("ray.shutdown", over.wait)
    monkeypatch.setattr(ray_session, "_SHUTDOWN_SECONDS", 0.1)
    ray_session.end_session()
    assert not folder.exists()
    over.set()


def test_a_port_that_is_waited_for_leaves_others_the_lock(monkeypatch):
    from ray._private import node

    looks = []

    def wait(session, name, *, timeout_ms):
        looks.append(timeout_ms)
        if len(looks) < 4:
            raise RuntimeError("Timed out")
        return 6379

    monkeypatch.setattr(node, "wait_for_persisted_port", wait, raising=False)
    with ray_session._looking_for_ports():
        assert node.wait_for_persisted_port("session", "gcs", timeout_ms=60_000) == 6379
        looks.clear()
        with pytest.raises(RuntimeError, match="Timed out"):
            node.wait_for_persisted_port("session", "gcs", timeout_ms=30)
    assert max(looks) <= 1
    assert node.wait_for_persisted_port is wait
