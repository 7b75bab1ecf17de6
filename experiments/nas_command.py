"""A command of `nas` in a process of its own, and whether it ended as the README says."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from nas.runs.endings import EXIT_CODES

ROOT = Path(__file__).resolve().parents[1]
BAD_INPUT = 2


class Command:
    """`nas` with arguments, its output in files, in the background.

    Args:
        arguments: Of the command line.
        output: Where its output goes, with the endings .out and .err.
        environment: Variables in addition to those of this process.
    """

    def __init__(self, arguments: list[str], output: Path, environment: dict[str, str]):
        self._out, self._err = output.with_suffix(".out"), output.with_suffix(".err")
        paths = [environment.get("PYTHONPATH"), str(ROOT), os.environ.get("PYTHONPATH")]
        path = os.pathsep.join(filter(None, paths))
        with open(self._out, "wb") as out, open(self._err, "wb") as err:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "nas", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env={**os.environ, **environment, "PYTHONPATH": path},
                start_new_session=True,
                # nohup, under which this may run for hours, has it ignored in all that it starts
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            )
        self.pid, self.struck_at = self._process.pid, time.monotonic()
        self.seconds = 0.0  # from when it was struck until its end

    @property
    def code(self) -> int | None:
        """Its exit code, or None while it is at work."""
        return self._process.poll()

    def alive(self) -> bool:
        return self._process.poll() is None

    def speaks(self) -> bool:
        """Whether it has said something: Python has started, and `nas` is at work."""
        return self._out.stat().st_size > 0

    def send(self, number: int, *, everyone: bool = False) -> None:
        """Send it a signal; `everyone` in its process group gets it too, as from a terminal."""
        self.struck_at = time.monotonic()
        if everyone:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, number)
        else:
            self._process.send_signal(number)

    def wait(self, seconds: float = 300.0) -> int | None:
        """Return its exit code, or None if it is still at work after so long."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)
            self.seconds = self.seconds or time.monotonic() - self.struck_at
        return self.code

    def below(self, *names: str) -> list[psutil.Process]:
        """Return the processes that it has started, those of certain names if any are given."""
        found = []
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.pid).children(recursive=True):
                with contextlib.suppress(psutil.NoSuchProcess):
                    if not names or process.name().startswith(names):
                        found.append(process)
        return found

    def end(self) -> None:
        """Kill it and all that it has started."""
        for process in (*self.below(), self._process):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def message(self) -> str:
        """Return the last line for people."""
        return (self._read(self._err).strip().splitlines() or [""])[-1]

    def said_why(self) -> bool:
        """Whether it ended with a code of the README's list, and with our message."""
        out, err = self._read(self._out), self._read(self._err)
        code = self.code
        if "Traceback (most recent" in out + err:
            return False
        if code == BAD_INPUT:
            return err.strip().splitlines()[-1].startswith("Error: ") if err.strip() else False
        if code not in EXIT_CODES.values():
            return False
        told = re.search(r"(?i)continue.*nas resume|start it again", err) is not None
        try:
            last = json.loads(out.strip().splitlines()[-1])
        except (IndexError, ValueError):
            last = {}
        if last.get("event") != "end":  # interrupted before or after the search itself
            return code == EXIT_CODES["interrupted"] and told
        return last["exit_code"] == code and (code == 0 or told)

    def _read(self, path: Path) -> str:
        return path.read_text(encoding="utf-8", errors="replace")
