"""Whether Ray itself is still there: a search whose Ray has died would wait a minute, or for ever.

What Ray started here is asked for by process; a cluster's head by its address, where a short
silence means nothing.
"""

import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, TypeVar

from nas.execution.jobs import EngineGone

_PROCESSES = {"gcs_server": "global control service (GCS)", "raylet": "raylet"}
_KNOCK_EVERY_SECONDS = 2.0
# A head that is restarted, or a network that stumbles, comes back; Ray itself gives up after 60 s.
_SILENCE_SECONDS = 15.0
_GLANCE_SECONDS = 0.2
_T = TypeVar("_T")


class RayAlive:
    """Looks whether the Ray that this process is connected to still stands."""

    def __init__(self) -> None:
        from ray._private import worker

        self._node = getattr(worker, "_global_node", None)  # None for a client of "ray://"
        self._heard = self._knocked = time.monotonic()

    def require(self) -> None:
        """Raise unless Ray is there.

        Raises:
            EngineGone: A process of Ray has ended, or the head has been silent for too long.
        """
        for name, title in _PROCESSES.items():
            for info in self._started(name):
                code = info.process.poll()
                if code is not None:
                    how = f"signal {-code}" if code < 0 else f"code {code}"
                    raise EngineGone(f"Ray's {title} on this machine has ended ({how})")
        address = getattr(self._node, "gcs_address", None)
        if address and not self._started("gcs_server"):
            self._knock(address)

    def during(self, call: Callable[[], _T]) -> _T:
        """Return what `call` returns, unless Ray dies meanwhile.

        What asks the global control service waits a minute for one that is gone, out of reach of
        Python, and then Ray ends the process. So it waits in a thread, which is left to its fate.

        Raises:
            EngineGone: As `require`.
        """
        answer: Future[_T] = Future()

        def work() -> None:
            try:
                answer.set_result(call())
            except BaseException as error:  # noqa: BLE001  raised again by who asked
                answer.set_exception(error)

        threading.Thread(target=work, daemon=True, name="asks Ray").start()
        while not wait([answer], _GLANCE_SECONDS).done:
            self.require()
        return answer.result()

    def _started(self, name: str) -> list[Any]:
        return getattr(self._node, "all_processes", {}).get(name, [])

    def _knock(self, address: str) -> None:
        now = time.monotonic()
        if now - self._knocked < _KNOCK_EVERY_SECONDS:
            return
        self._knocked = now
        host, _, port = address.rpartition(":")
        with suppress(OSError):
            socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
            self._heard = time.monotonic()
            return
        if time.monotonic() - self._heard >= _SILENCE_SECONDS:
            raise EngineGone(
                f"The Ray cluster at {address} has not answered for {_SILENCE_SECONDS:g} s"
            )
