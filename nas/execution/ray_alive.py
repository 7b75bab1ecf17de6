"""Whether Ray itself is still there: a search whose Ray has died would wait a minute, or for ever.

What Ray started here is asked for by process; a cluster's head by its address, where a short
silence means nothing.
"""

import ctypes
import os
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import psutil

from nas.execution.jobs import EngineGone

_PROCESSES = {"gcs_server": "global control service (GCS)", "raylet": "raylet"}
_KNOCK_EVERY_SECONDS = 2.0
# A head that is restarted, or a network that stumbles, comes back; Ray itself gives up after 60 s.
_SILENCE_SECONDS = 15.0
_GLANCE_SECONDS = 0.2
_END_SECONDS = 0.5
_T = TypeVar("_T")


def unless(
    call: Callable[[], _T], look: Callable[[], None], stay: threading.Event | None = None
) -> _T:
    """Return what `call` returns, unless `look`, which is asked again and again, raises before.

    The call is made in a thread, which is left to its fate then.

    Args:
        call: What may wait for what is gone.
        look: Raises where it is gone.
        stay: Keeps the thread until it is set: Linux ends processes that are to share the fate of
            who started them with the thread that did.
    """
    answer: Future[_T] = Future()

    def work() -> None:
        try:
            answer.set_result(call())
        except BaseException as error:  # noqa: BLE001  raised again by who asked
            answer.set_exception(error)
        if stay is not None:
            stay.wait()

    asker = threading.Thread(target=work, daemon=True, name="asks Ray")
    asker.start()
    try:
        while not wait([answer], _GLANCE_SECONDS).done:
            look()
    except BaseException:
        _end(asker)
        raise
    return answer.result()


def _end(thread: threading.Thread) -> None:
    """Have a thread do nothing more once it is back in Python, if it ever is."""
    ending = ctypes.py_object(SystemExit)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ending)
    thread.join(_END_SECONDS)


class RayStarting:
    """Looks whether what Ray has started below this process so far still stands.

    Ray itself does not say what it has started before it is done, and waits for what has ended.

    Args:
        folder: Of the session, which is named by the processes that belong to it.
    """

    def __init__(self, folder: Path):
        self._folder, self._seen = str(folder), dict[int, str]()
        self._before = {child.pid for child in psutil.Process().children()}

    def require(self) -> None:
        """Raise unless all is there that was.

        Raises:
            EngineGone: A process of Ray has ended.
        """
        for child in psutil.Process().children():
            with suppress(psutil.Error):
                if (name := child.name()) in _PROCESSES and self._is_ours(child):
                    self._seen[child.pid] = name
        for pid, name in self._seen.items():
            ended, code = _ended(pid)
            if ended:
                raise _gone(name, code)

    def _is_ours(self, child: psutil.Process) -> bool:
        if child.pid in self._before:
            return False
        # One that has ended has no command line any more.
        return child.status() == psutil.STATUS_ZOMBIE or self._folder in " ".join(child.cmdline())


def _ended(pid: int) -> tuple[bool, int | None]:
    """Return whether a child has ended, and as `subprocess` says how; None where nobody knows.

    It is left for Ray to reap.
    """
    try:
        found = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # Ray has reaped it
        return not psutil.pid_exists(pid), None
    if found is None:
        return False, None
    return True, found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def _gone(name: str, code: int | None) -> EngineGone:
    if code is None:
        how = ""
    else:
        how = f" (signal {-code})" if code < 0 else f" (code {code})"
    return EngineGone(f"Ray's {_PROCESSES[name]} on this machine has ended{how}")


class Head:
    """The head of a cluster, at whose door one knocks."""

    def __init__(self, address: str):
        self._address = address
        host, _, port = address.rpartition(":")
        # None for "auto" and the like: Ray alone knows where that is.
        self._door = (host.strip("[]"), int(port)) if host and port.isdecimal() else None
        self._heard = self._knocked = time.monotonic()

    def require(self) -> None:
        """Raise where the head has been silent for too long.

        Raises:
            EngineGone: It has.
        """
        now = time.monotonic()
        if self._door is None or now - self._knocked < _KNOCK_EVERY_SECONDS:
            return
        self._knocked = now
        with suppress(OSError):
            socket.create_connection(self._door, timeout=1.0).close()
            self._heard = time.monotonic()
            return
        if time.monotonic() - self._heard >= _SILENCE_SECONDS:
            raise EngineGone(
                f"The Ray cluster at {self._address} has not answered for {_SILENCE_SECONDS:g} s"
            )


class RayAlive:
    """Looks whether the Ray that this process is connected to still stands."""

    def __init__(self) -> None:
        from ray._private import worker

        self._node = getattr(worker, "_global_node", None)  # None for a client of "ray://"
        self._head = Head(getattr(self._node, "gcs_address", None) or "")

    def require(self) -> None:
        """Raise unless Ray is there.

        Raises:
            EngineGone: A process of Ray has ended, or the head has been silent for too long.
        """
        for name in _PROCESSES:
            for info in self._started(name):
                code = info.process.poll()
                if code is not None:
                    raise _gone(name, code)
        if not self._started("gcs_server"):
            self._head.require()

    def during(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns, unless Ray dies meanwhile.

        What asks the global control service waits a minute for one that is gone, out of reach of
        Python, and then Ray ends the process. So it waits in a thread, which is left to its fate.

        Raises:
            EngineGone: As `require`.
        """
        return unless(call, self.require)

    def _started(self, name: str) -> list[Any]:
        return getattr(self._node, "all_processes", {}).get(name, [])
