"""Eleven ways to strike a search at a random moment: each starts one, hurts it, and says how."""

import contextlib
import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
from nas_command import ROOT, Command

from nas.benchmarks.pretend_trials import SECONDS_VARIABLE
from nas.config import make_experiment, write_experiment

if TYPE_CHECKING:
    from ray._private.node import Node

TRIALS = 8
DAY = 86_400
CLOCK_VARIABLE = "NAS_STRIKE_CLOCK"
# A trial wants 100 MB free before it starts (`nas.execution.disk_room`).
_DISK_MB, _TOO_LITTLE_MB = 128, 50
# About what Ray takes to start, and to end.
_START_SECONDS, _END_SECONDS = 2.0, 1.0
_PAUSE_SECONDS = 8.0
# Less than the record needs, and more than a command says, which goes to a file, too.
_FILE_LIMIT = 70_000
_ATTEMPTS = 4  # to start a node of a cluster


def committed(directory: Path) -> dict[int, dict]:
    """Return what the record holds for good: trial -> everything about a finished one."""
    path = directory / "run.db"
    if not path.exists():
        return {}
    try:
        with contextlib.closing(
            sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30)
        ) as db:
            db.row_factory = sqlite3.Row
            rows = db.execute("SELECT * FROM trials WHERE status = 'done'")
            return {row["trial"]: dict(row) for row in rows}
    except sqlite3.DatabaseError:  # killed, or out of room, while the file was being made
        return {}


def until(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until `condition` holds; return whether it came to that."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


class Stage:
    """A search to strike, in a folder of its own; a context that takes down what it put up.

    Args:
        folder: For this strike alone.
        settings: The experiment's.
        chance: Decides when and how.
        nodes: The cluster of those kinds that need one.
    """

    def __init__(self, folder: Path, settings: dict, chance: random.Random, nodes: "Nodes | None"):
        self.folder, self.settings, self.chance, self.nodes = folder, settings, chance, nodes
        self.directory = folder / f"run-{folder.name}"
        self.before: dict[int, dict] = {}  # what was committed when the strike came
        self.commands: list[Command] = []  # that ended by themselves, or should have
        self._down = contextlib.ExitStack()
        folder.mkdir()
        self.environment = {"XDG_STATE_HOME": str(folder / "state")}

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *error: object) -> None:
        for command in self.commands:
            command.end()
        self._down.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, *arguments: str) -> Command:
        """Start a command of `nas`."""
        output = self.folder / f"command-{len(self.commands)}"
        command = Command([*arguments], output, self.environment)
        self.commands.append(command)
        return command

    def search(self, directory: Path | None = None) -> Command:
        """Start the search."""
        file = self.folder / "experiment.yaml"
        write_experiment(make_experiment(self.settings), file)
        return self.run("search", str(file), "--run", str(directory or self.directory))

    def resume(self) -> Command:
        """Continue the run, or start it if there was none yet."""
        if (self.directory / "run.db").exists():
            return self.run("resume", str(self.directory), "--trust")
        return self.search()

    def moment(self, command: Command, directory: Path | None = None, most: int = TRIALS) -> None:
        """Wait until a random number of trials is done, and then a part of a trial longer."""
        wanted, place = self.chance.randrange(most), directory or self.directory
        until(
            lambda: (command.speaks() and len(committed(place)) >= wanted) or not command.alive(),
            120,
        )
        time.sleep(self.chance.uniform(0.0, float(os.environ[SECONDS_VARIABLE])))

    def strike(self, command: Command) -> None:
        """Note that now is when it is struck."""
        self.before, command.struck_at = committed(self.directory), time.monotonic()

    def small_disk(self) -> Path | None:
        """Return a folder on a small disk of its own, where one may be mounted."""
        place = self.folder / "disk"
        place.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_MB}m", "tmpfs", str(place)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            return None
        self._down.callback(subprocess.run, ["umount", "--lazy", str(place)], check=False)
        return place


def driver(stage: Stage) -> str:
    """Kill the driver; Ray's workers may outlive it a bit."""
    command = stage.search()
    stage.moment(command)
    command.send(signal.SIGKILL)
    command.wait()
    stage.commands.remove(command)  # it could say nothing
    stage.before = committed(stage.directory)
    return "signal 9"


def power(stage: Stage) -> str:
    """Copy a run's directory while it is written, file after file; the copy is what survives."""
    live = stage.directory.with_name(f"{stage.directory.name}-live")
    command = stage.search(live)
    stage.moment(command, live)
    # A machine without power stops between two instructions: nobody writes while we copy, but
    # what had not been renamed into place, or not folded into the database, is copied as it is.
    with contextlib.suppress(psutil.NoSuchProcess):  # it was done already
        psutil.Process(command.pid).suspend()
    for process in command.below():
        with contextlib.suppress(psutil.NoSuchProcess):
            process.suspend()
    if live.exists():
        shutil.copytree(live, stage.directory)
    command.end()
    stage.commands.remove(command)
    stage.before = committed(stage.directory)
    return "copied"


def worker(stage: Stage) -> str:
    """Kill one of the workers that has a trial."""
    stage.nodes.join(stage)
    command = stage.search()
    stage.moment(command, most=TRIALS - 2)
    until(stage.nodes.busy, 3)
    stage.strike(command)
    for victim in stage.nodes.busy()[:1]:
        _kill(victim)
    command.wait()
    return "signal 9"


def node(stage: Stage) -> str:
    """Kill a node of a cluster: its raylet and all that it had started."""
    stage.nodes.join(stage)
    command = stage.search()
    stage.moment(command, most=TRIALS - 2)
    stage.strike(command)
    stage.nodes.kill_second()
    command.wait()
    stage.nodes.replace_second()
    return "signal 9"


def _kill(process: psutil.Process) -> None:
    """Kill a process that may have come to its end by now."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.kill()


def _kill_below(stage: Stage, name: str) -> str:
    """Kill a process that the driver's own Ray is made of."""
    command = stage.search()
    until(lambda: bool(command.below(name)) or not command.alive(), 60)
    stage.moment(command)
    stage.strike(command)
    for process in command.below(name):
        _kill(process)
    command.wait()
    return "signal 9"


def gcs(stage: Stage) -> str:
    """Kill the global control service of the driver's own Ray."""
    return _kill_below(stage, "gcs_server")


def raylet(stage: Stage) -> str:
    """Kill the raylet of the driver's own Ray."""
    return _kill_below(stage, "raylet")


def starting(stage: Stage) -> str:
    """Kill a process of the driver's own Ray in the seconds in which Ray starts."""
    command, name = stage.search(), stage.chance.choice(("gcs_server", "raylet"))
    until(lambda: bool(command.below(name)) or not command.alive(), 60)
    time.sleep(stage.chance.uniform(0.0, _START_SECONDS))
    stage.strike(command)
    for process in command.below(name):
        _kill(process)
    command.wait()
    return f"signal 9 to {name}"


def ending(stage: Stage) -> str:
    """Kill the global control service when all is done, while Ray is shut down."""
    command = stage.search()
    until(lambda: len(committed(stage.directory)) >= TRIALS or not command.alive(), 120)
    services = command.below("gcs_server")
    time.sleep(stage.chance.uniform(0.0, _END_SECONDS))
    stage.strike(command)
    for process in services:
        _kill(process)
    command.wait()
    return "signal 9"


def sighup(stage: Stage) -> str:
    """Close the terminal: those that it has started in it may hear of it, too."""
    command = stage.search()
    stage.moment(command)
    everyone = stage.chance.random() < 0.5
    stage.strike(command)
    command.send(signal.SIGHUP, everyone=everyone)
    command.wait()
    return "SIGHUP to all" if everyone else "SIGHUP"


def clock(stage: Stage) -> str:
    """Set the clock by a day; half of the searches are then ended, and resumed at the old time."""
    stage.settings["time"] = 3600  # which a day would spend
    file = stage.folder / "clock"
    file.write_text("0", encoding="ascii")
    stage.environment[CLOCK_VARIABLE] = str(file)
    stage.environment["PYTHONPATH"] = str(ROOT / "experiments" / "jumping_clock")
    command = stage.search()
    stage.moment(command)
    stage.strike(command)
    days = stage.chance.choice((1, -1))
    file.write_text(str(days * DAY), encoding="ascii")
    how = f"{days:+d} day"
    if stage.chance.random() < 0.5:
        time.sleep(stage.chance.uniform(0.0, 1.0))
        command.send(signal.SIGTERM)
        how += ", then back"
    command.wait()
    file.write_text("0", encoding="ascii")
    return how


def disk(stage: Stage) -> str:
    """Fill the disk; one that is quite full is still full when the search is resumed first."""
    place = stage.small_disk()
    if place is None:
        return _file_limit(stage)
    stage.directory = place / stage.directory.name
    command = stage.search()
    stage.moment(command)
    left_mb = stage.chance.choice((0, 0, _TOO_LITTLE_MB))
    stage.strike(command)
    filler = place / "filler"
    _fill(filler, shutil.disk_usage(place).free - left_mb * 1_000_000)
    how = f"{left_mb} MB left"
    code = command.wait(_PAUSE_SECONDS)
    if code and not left_mb and (stage.directory / "run.db").exists():
        again = stage.resume()
        if again.wait(_PAUSE_SECONDS * 4) is None:
            again.send(signal.SIGTERM)
            again.wait()
        how += ", resumed there"
    filler.unlink(missing_ok=True)  # it could not even be made
    if code is None:
        how += ", then room"
    command.wait()
    return how


def _fill(file: Path, size: int) -> None:
    with contextlib.suppress(OSError), open(file, "wb", buffering=0) as filler:
        for _ in range(size // 4096 + 1):
            filler.write(bytes(4096))


def _file_limit(stage: Stage) -> str:
    """Where nobody may mount a disk: let no file of the driver grow."""
    command = stage.search()
    stage.moment(command)
    stage.strike(command)
    with contextlib.suppress(ProcessLookupError):
        resource.prlimit(command.pid, resource.RLIMIT_FSIZE, (_FILE_LIMIT, _FILE_LIMIT))
    command.wait()
    return f"files end at {_FILE_LIMIT} bytes"


STRIKES: dict[str, Callable[[Stage], str]] = {
    strike.__name__: strike
    for strike in (driver, power, worker, node, gcs, raylet, starting, ending, sighup, clock, disk)
}
# Those that need Ray, and of these those that need a cluster of two nodes.
ON_NODES = ("worker", "node")
ON_RAY = (*ON_NODES, "gcs", "raylet", "starting", "ending")


class Nodes:
    """Two Ray nodes on this machine, of which the second one may be killed."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        self._cluster = Cluster()
        self._add(include_dashboard=False)
        self._second = self._add()

    def _add(self, **options: bool) -> "Node":
        """Start a node, once more where the machine is so busy that Ray's half minute was over."""
        for _ in range(_ATTEMPTS - 1):
            before = set(psutil.Process().children(recursive=True))
            try:
                return self._cluster.add_node(num_cpus=1, **options)
            except Exception as error:  # Ray raises nothing narrower
                if "timed out" not in str(error):
                    raise
            for process in set(psutil.Process().children(recursive=True)) - before:
                _kill(process)
        return self._cluster.add_node(num_cpus=1, **options)

    def join(self, stage: Stage) -> None:
        """Have the stage's search use these nodes."""
        execution = {**stage.settings["execution"], "address": self._cluster.address}
        stage.settings = {**stage.settings, "execution": execution}

    def busy(self) -> list[psutil.Process]:
        """Return the workers that have a trial, in an order of no meaning."""
        found = []
        for process in psutil.Process().children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.name().startswith("ray::_perform"):
                    found.append(process)
        return found

    def kill_second(self) -> None:
        """Kill a node's raylet and, as when its machine is gone, what it had started.

        Workers notice a dead raylet about a second later; a short trial would end before.
        """
        raylet = psutil.Process(self._second.all_processes["raylet"][0].process.pid)
        started = raylet.children(recursive=True)
        self._second.kill_raylet(check_alive=False)
        for process in started:
            _kill(process)

    def replace_second(self) -> None:
        """Put a new node in the place of the dead one."""
        self._cluster.remove_node(self._second, allow_graceful=False)
        self._second = self._add()

    def close(self) -> None:
        """Shut the nodes down."""
        self._cluster.shutdown()
