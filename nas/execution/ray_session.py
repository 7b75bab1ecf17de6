"""Ray on this machine for one search: reached by nobody else, and gone without a trace.

Ray's own defaults are a cluster's: it listens on every interface, keeps a folder of logs for every
session, a token in the user's home, and sockets in a folder whose path may be too long for them.
"""

import atexit
import fcntl
import os
import secrets
import shutil
import stat
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from nas.execution.dashboard import dashboard_settings
from nas.execution.interrupts import undisturbed
from nas.execution.jobs import EngineGone
from nas.execution.ray_alive import RayStarting, unless
from nas.limits import address_space, available_cpus, available_memory
from search_spaces.errors import RunError

# Shared memory for the data of one search, which is tens of megabytes; Ray wants 75 MB at least.
_OBJECT_STORE_BYTES = 512 * 1024**2
_LEAST_OBJECT_STORE_BYTES = 80 * 1024**2
_PREFIX = "nas-ray-"
# A socket's path has 107 bytes: what Ray puts below its folder, as in
# "/session_2026-11-29_15-08-05_963679_4194304/sockets/plasma_store", leaves this much.
_LONGEST_FOLDER = 107 - 66
# Ray's processes reserve gigabytes of address space each, whatever they use of it.
_LEAST_ADDRESS_SPACE = 16 * 1024**3
# It takes about a second; one whose global control service has died meanwhile waits a minute.
_SHUTDOWN_SECONDS = 5.0
_LOOK_EVERY_SECONDS = 0.02
_DEATH_SECONDS = 2.0


_folder: tuple[Path, Any] | None = None  # of the session that this process has started
_over = threading.Event()  # once that session is


def want_token() -> None:
    """Have Ray ask everyone for a token; where it is imported already, it has decided itself."""
    if "ray" not in sys.modules:
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def start_session(quiet: dict[str, Any], dashboard: int | None = None) -> None:
    """Start Ray on this machine, listening on the loopback interface alone.

    Ray is started in a thread: where its global control service dies in the second in which it
    connects, it waits out of reach of Python, and ends the process without a word after a minute.

    Args:
        quiet: What Ray prints.
        dashboard: Port of its dashboard; None starts none.

    Raises:
        RunError: The machine does not let Ray start, or show its dashboard; with the remedy.
        EngineGone: A process of Ray has ended before Ray had started.
    """
    global _over
    import ray

    _require_address_space()
    shown = dashboard_settings(dashboard)
    folder = _make_folder()
    _over = threading.Event()
    store = min(_OBJECT_STORE_BYTES, available_memory() // 8)
    # "local": never join a cluster that somebody happens to have started here.
    init = partial(
        ray.init,
        address="local",
        num_cpus=available_cpus(),
        object_store_memory=max(store, _LEAST_OBJECT_STORE_BYTES),
        _temp_dir=str(folder),
        **shown,
        **quiet,
    )
    try:
        with _loopback(), _token(), _looking_for_ports():
            unless(init, RayStarting(folder).require, stay=_over)
    except (EngineGone, KeyboardInterrupt):
        end_session()
        raise
    except Exception as error:  # noqa: BLE001  a raylet that dies meanwhile is a bare one
        end_session()
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise RunError(
            f"Ray does not start on this machine: {first} See what it lacks with: nas doctor. "
            "Trials run one after another without Ray with 'execution: {engine: inline}'."
        ) from None


@undisturbed()
def end_session() -> None:
    """Shut Ray down, and remove the folder of the session that this process started, if any."""
    global _folder
    if _folder is None:  # a cluster's, or nobody's
        _shut_down()
        return
    (folder, lock), _folder = _folder, None
    started = _processes(folder)
    _shut_down()
    started += _processes(folder)
    for process in started:  # what hangs, or lost who would have ended it
        with suppress(psutil.Error):
            process.kill()
    _over.set()
    psutil.wait_procs(started, timeout=_DEATH_SECONDS)  # or they would write into the folder
    shutil.rmtree(folder, ignore_errors=True)
    lock.close()


def _shut_down() -> None:
    """Have Ray end, but not wait for a part of it that is gone."""
    import ray

    ended = threading.Thread(target=ray.shutdown, daemon=True, name="ends Ray")
    ended.start()
    ended.join(_SHUTDOWN_SECONDS)


def _processes(folder: Path) -> list[psutil.Process]:
    """Return the processes that belong to the session, and all below them.

    Those that a dead raylet has left are no longer below this process.
    """
    found = dict[int, psutil.Process]()
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.pid != os.getpid() and str(folder) in " ".join(process.cmdline()):
                mine = [process, *process.children(recursive=True)]
                found |= {one.pid: one for one in mine}
    return list(found.values())


def _make_folder() -> Path:
    """Make the session's folder, locked as long as this process lives."""
    global _folder
    place = _short_place()
    _remove_left_behind(place)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    lock = open(folder / "lock", "w")  # noqa: SIM115  held until the session ends
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    _folder = folder, lock
    atexit.register(end_session)
    return folder


def _short_place() -> Path:
    """Return a folder for temporary files that is writable and whose path is short enough."""
    longest = _LONGEST_FOLDER - len(f"/{_PREFIX}") - 8
    wanted = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    for place in dict.fromkeys([wanted, "/tmp", "/var/tmp", "/dev/shm"]):
        if len(os.fsencode(place)) <= longest and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    raise RunError(
        f"Ray's sockets need a writable folder whose path has at most {longest} characters; "
        f"{wanted!r} has {len(wanted)}, and /tmp cannot be written to. Set TMPDIR to a shorter one."
    )


def _remove_left_behind(place: Path) -> None:
    """Remove the folders of sessions whose processes were killed: nobody holds their lock."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
                continue
            with open(folder / "lock", "r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _loopback() -> Iterator[None]:
    """Have Ray take the loopback address for this machine's, as it does where it has no clusters.

    Its servers listen on that address alone then. It reads the variable when it is imported, and
    the constant when it starts.
    """
    from ray._private import ray_constants

    before = getattr(ray_constants, "ENABLE_RAY_CLUSTER", None)
    ray_constants.ENABLE_RAY_CLUSTER = False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def _looking_for_ports() -> Iterator[None]:
    """Have Ray look for the file of a port again and again, and let others work in between.

    It waits with Python's lock held: half a minute for a process that died before it wrote one.
    """
    from ray._private import node

    wait = getattr(node, "wait_for_persisted_port", None)  # earlier versions wait otherwise
    if wait is None:
        yield
        return

    def looks(*where: Any, timeout_ms: int, **more: Any) -> Any:
        until = time.monotonic() + timeout_ms / 1000
        while time.monotonic() < until:
            with suppress(RuntimeError):
                return wait(*where, timeout_ms=1, **more)
            time.sleep(_LOOK_EVERY_SECONDS)
        return wait(*where, timeout_ms=0, **more)

    node.wait_for_persisted_port = looks
    try:
        yield
    finally:
        node.wait_for_persisted_port = wait


@contextmanager
def _token() -> Iterator[None]:
    """Give Ray a token of this session where it could not keep one in the user's home."""
    kept = Path.home() / ".ray" / "auth_token"
    given = any(name in os.environ for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"))
    if not given and not os.access(kept, os.R_OK) and not _can_make(kept):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
    yield


def _can_make(file: Path) -> bool:
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.access(file.parent, os.W_OK | os.X_OK)
    return False


def _require_address_space() -> None:
    limit = address_space()
    if limit is not None and limit < _LEAST_ADDRESS_SPACE:
        raise RunError(
            f"The address space of this process is limited to {limit / 1e9:.1f} GB (ulimit -v); "
            f"Ray reserves more than it uses and wants {_LEAST_ADDRESS_SPACE / 1e9:.0f} GB. Lift "
            "the limit with 'ulimit -v unlimited', and limit memory by a container instead; or "
            "train without Ray, one trial after another: 'execution: {engine: inline}'."
        )
