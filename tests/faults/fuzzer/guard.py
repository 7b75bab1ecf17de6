"""Runs one command line in a fork of this process, under limits, and says what it did.

The fork has everything imported already, so that a command costs milliseconds. What would leave
the case's folder, start another process or reach a network ends it and is noted.
"""

import errno
import os
import resource
import signal
import sys
import tempfile
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from fuzzer.pretending import hurry, pretend

# Of one command: seconds, and bytes.
LIMITS = {
    "seconds": float(os.environ.get("FUZZ_SECONDS", "20")),
    "memory": float(os.environ.get("FUZZ_MEMORY", "2e9")),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
# Exit status of a fork that was about to start a process or reach a network.
LEAVES, NOTED = 77, "noted"


@dataclass
class Ran:
    """What one command did.

    Attributes:
        code: Its exit status; negative for a signal.
        seconds: How long it took, without the time it waited for a free core.
        memory: The most it had in memory, in bytes.
        out: The end of what it wrote to standard output.
        err: The same of standard error.
        crash: The traceback of what it did not catch, or empty.
        noted: What it did outside its folder, one line each.
    """

    code: int
    seconds: float
    memory: int
    out: str
    err: str
    crash: str
    noted: list[str] = field(default_factory=list)


def run_command(arguments: list[str], folder: Path, logs: Path, *, real: bool = False) -> Ran:
    """Run `nas` with these arguments in `folder`; what it prints goes to files in `logs`.

    Training is pretended unless it is to be `real`.
    """
    for name in ("out", "err", "crash", NOTED):  # made here: the fork may write to them only
        (logs / name).write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _inside(arguments, folder, logs, real=real)
    code, seconds, memory = _watch(child)
    out, err, crash, noted = (
        (logs / name).read_bytes().decode("utf-8", "replace")
        for name in ("out", "err", "crash", NOTED)
    )
    return Ran(code, seconds, memory, out[-4000:], err[-4000:], crash, noted.splitlines())


def _watch(child: int) -> tuple[int, float, int]:
    """Wait for a fork, at most as long and with as much memory as it may have."""
    begun, most, waited = time.monotonic(), 0, 0.0
    pause = 0.002
    while True:
        ended, status, _ = os.wait4(child, os.WNOHANG)
        seconds = time.monotonic() - begun - waited
        if ended:
            return os.waitstatus_to_exitcode(status), seconds, most
        try:
            pages = int(Path(f"/proc/{child}/statm").read_text().split()[1])
            waited = int(Path(f"/proc/{child}/schedstat").read_text().split()[1]) / 1e9
        except (OSError, IndexError, ValueError):
            pages = 0
        most = max(most, pages * resource.getpagesize())
        if seconds > LIMITS["seconds"] or most > LIMITS["memory"]:
            # what it hangs on, on its standard error
            os.kill(child, signal.SIGUSR1)
            time.sleep(0.2)
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return -signal.SIGKILL, seconds, most
        time.sleep(pause)
        pause = min(0.02, pause * 1.2)


def _inside(arguments: list[str], folder: Path, logs: Path, *, real: bool) -> None:
    """Be the command; never returns."""
    import faulthandler

    code = 70
    try:
        os.setsid()
        crash = open(logs / "crash", "w", encoding="utf-8", errors="backslashreplace")  # noqa: SIM115
        os.chdir(folder)
        tempfile.tempdir = None
        for number, name in ((1, "out"), (2, "err")):
            file = os.open(logs / name, os.O_WRONLY | os.O_APPEND)
            os.dup2(file, number)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdin, sys.stdout, sys.stderr = (
            os.fdopen(0, "r"), os.fdopen(1, "w"), os.fdopen(2, "w")
        )  # fmt: skip
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR1)
        _limit()
        hurry()
        if not real:
            pretend()
        sys.path.insert(0, str(folder))
        sys.argv = ["nas", *arguments]
        sys.addaudithook(_Watchman(folder, os.open(logs / NOTED, os.O_WRONLY | os.O_APPEND)))
        code = _call()
    except BaseException:  # noqa: BLE001  the finding
        crash.write(traceback.format_exc() or "?")
        crash.flush()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _call() -> int:
    from nas.cli.main import main

    try:
        main()
    except SystemExit as stop:
        if stop.code is None or isinstance(stop.code, int):
            return (stop.code or 0) & 255
        sys.stderr.write(f"{stop.code}\n")
        return 1
    return 0


def _limit() -> None:
    """Take what a runaway command must not have: address space, disk."""
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + 2 * int(LIMITS["memory"]),) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10**9,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class _Watchman:
    """An audit hook: notes and forbids what would change something outside of the folder.

    A fork that would start a process or reach a network is ended.

    Args:
        folder: Where it may write and delete, but for the victim.
        notes: Descriptor of the file that says what it tried.
    """

    _PATHS = {
        "os.remove": 1, "os.rmdir": 1, "os.mkdir": 1, "os.rename": 2, "os.link": 2, "os.symlink": 2,
        "os.truncate": 1, "os.chmod": 1, "shutil.rmtree": 1, "shutil.move": 2, "shutil.copytree": 2,
        "open": 1,
    }  # fmt: skip
    _LEAVING = (
        "subprocess.Popen", "os.system", "os.exec", "os.fork", "os.posix_spawn", "pty.spawn",
        "socket.connect", "socket.getaddrinfo", "socket.bind",
    )  # fmt: skip

    def __init__(self, folder: Path, notes: int):
        self._folder, self._notes = os.path.realpath(folder), notes
        self._busy = False
        # where libraries keep what they compile, and where the canary says that it was imported
        self._known = tuple(
            os.environ[n] for n in ("MPLCONFIGDIR", "FUZZ_EVIDENCE") if n in os.environ
        )

    def __call__(self, event: str, given: tuple) -> None:
        if event in self._LEAVING:
            os.write(self._notes, f"leaves {event} {str(given)[:200]!r}\n".encode())
            os._exit(LEAVES)
        if event not in self._PATHS or self._busy:
            return
        if event == "open" and not (isinstance(given[2], int) and given[2] & _WRITING):
            return
        self._busy = True
        try:
            for path in given[: self._PATHS[event]]:
                if isinstance(path, str | bytes | os.PathLike) and self._outside(os.fsdecode(path)):
                    os.write(self._notes, f"outside {event} {os.fsdecode(path)!r}\n".encode())
                    raise PermissionError(errno.EACCES, "outside of the case", os.fsdecode(path))
        except ValueError:  # no path that a system has
            pass
        finally:
            self._busy = False

    def _outside(self, path: str) -> bool:
        real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if real.startswith(("/dev/", "/proc/self/", *self._known)):
            return False
        inside = real == self._folder or real.startswith(self._folder + os.sep)
        return not inside or real.startswith(os.path.join(self._folder, "victim"))
