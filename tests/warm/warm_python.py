"""Python programs without the seconds that importing torch and transformers takes each time.

A server imports what others wrote, nothing of this project, and forks for each program: what is
the project's own is imported there anew, from where a fresh start would take it. Not for tests of
starting itself, of signals, or of what must not be imported; nor of what another seed of Python's
hashes changes, as all forks have the server's.
"""

import atexit
import json
import os
import selectors
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path

HERE = Path(__file__).resolve()
# Of torch, transformers and what a command or an exported folder uses beside them.
_LIBRARIES = (
    "torch", "torch.nn.utils.parametrize", "torch._dynamo", "transformers",
    "transformers.modeling_utils", "transformers.pipelines", "transformers.models.bert",
    "transformers.models.bert.modeling_bert", "transformers.models.auto.modeling_auto",
    "transformers.models.auto.tokenization_auto", "tokenizers", "safetensors.torch", "pandas",
    "pyarrow.parquet", "matplotlib.figure", "matplotlib.backends.backend_agg", "networkx", "numba",
    "scipy.stats", "sklearn.feature_extraction.text", "sklearn.linear_model", "pydantic", "yaml",
    "click", "rich.console", "psutil",
)  # fmt: skip


class WarmPython:
    """A server, as long as the context lasts."""

    def __enter__(self) -> "WarmPython":
        self._place = tempfile.TemporaryDirectory(prefix="warm-")  # short: a socket's path is
        self.address = f"{self._place.name}/socket"
        environment = {
            **os.environ,
            "HF_HOME": f"{self._place.name}/hf",  # read at import: what a program gives is too late
            "HF_HUB_OFFLINE": "1",
        }
        environment.pop("PYTHONPATH", None)
        with socket.socket(socket.AF_UNIX) as listening:  # so that who asks early waits
            listening.bind(self.address)
            listening.listen()
            self._server = subprocess.Popen(
                [sys.executable, str(HERE), "serve", str(listening.fileno())],
                cwd=self._place.name, env=environment, stdin=subprocess.PIPE,
                pass_fds=[listening.fileno()],
            )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()  # which ends it, as the death of this process does
        self._server.wait(60)
        self._place.cleanup()

    def command(self, *arguments: str) -> list[str]:
        """Return the command line that stands for `python ARGUMENTS`, for any process to start.

        Arguments are `-c CODE`, `-m MODULE` or a file, then those of the program; before them `-I`
        leaves the working directory and PYTHONPATH out of what can be imported.
        """
        return [sys.executable, "-I", "-S", str(HERE), "ask", self.address, *arguments]

    def run(
        self, *arguments: str, cwd: Path | None = None, env: Mapping[str, str] | None = None,
        timeout: float = 300,
    ) -> subprocess.CompletedProcess:  # fmt: skip
        """Return what a program of Python printed and its exit code, as subprocess.run does."""
        return subprocess.run(
            self.command(*arguments), cwd=cwd, env=env, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    def write_shim(self, path: Path, *arguments: str) -> None:
        """Write an executable that stands for `python ARGUMENTS "$@"`."""
        path.write_text(f'#!/bin/sh\nexec {shlex.join(self.command(*arguments))} "$@"\n')
        path.chmod(0o755)


def ask(address: str, arguments: list[str]) -> int:
    """Have a program run with this process's files, directory and environment."""
    asked = {"arguments": arguments, "cwd": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        socket.send_fds(connection, [b"files"], [0, 1, 2])
        connection.sendall(json.dumps(asked).encode() + b"\n")
        answer = connection.makefile().readline()
    code = int(answer)
    if code < 0:  # ended by a signal: so is this one
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def serve(listening: int) -> None:
    """Fork for each program until the input ends, or for one of them: there, run it."""
    import gc
    from importlib import import_module

    sys.path.pop(0)  # where this file is
    for name in _LIBRARIES:
        import_module(name)
    gc.collect()
    gc.freeze()  # else looking for garbage copies all that is shared
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with socket.socket(fileno=listening) as server, selectors.DefaultSelector() as ready:
        ready.register(server, selectors.EVENT_READ)
        ready.register(0, selectors.EVENT_READ)
        while True:
            readable = [key.fileobj for key, _ in ready.select(timeout=1)]
            if 0 in readable:
                return
            if server in readable:
                connection, _ = server.accept()
                if os.fork() == 0:
                    server.close()
                    ready.close()
                    break
                connection.close()
            _reap()
    _attend(connection)


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def _attend(connection: socket.socket) -> None:
    """Run what is asked for in a fork, and tell its exit code; end it where nobody waits for it."""
    _, files, _, _ = socket.recv_fds(connection, 5, 3)
    asked = json.loads(connection.makefile().readline())
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    child = os.fork()
    if child == 0:
        connection.close()
        _leave(_exit_code_of(lambda: _become(asked, files)))
    ended = os.pidfd_open(child)
    with selectors.DefaultSelector() as ready:
        ready.register(ended, selectors.EVENT_READ)
        ready.register(connection, selectors.EVENT_READ)
        if ended not in [key.fileobj for key, _ in ready.select()]:
            os.kill(child, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        connection.sendall(f"{code}\n".encode())
    finally:
        os._exit(0)


def _exit_code_of(program: Callable[[], None]) -> int:
    """Run it; what it does not catch is written as Python does, but for where it was called."""
    try:
        program()
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)  # noqa: T201
        return 1
    except BaseException:  # noqa: BLE001  as an interpreter
        sys.excepthook(*sys.exc_info())
        return 1
    return 0


def _leave(code: int) -> None:
    """End as an interpreter does, without taking apart what is shared with the server."""
    threading._shutdown()  # waits for threads that are not daemons
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _become(asked: dict, files: list[int]) -> None:
    """Run a program as a fresh start of Python would."""
    import runpy
    from types import ModuleType

    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["cwd"])
    sys.stdin = sys.__stdin__ = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    for number, name in ((1, "stdout"), (2, "stderr")):
        stream = open(  # noqa: SIM115
            number, "w", encoding="utf-8", closefd=False, buffering=1 if number == 2 else -1,
            errors="backslashreplace" if number == 2 else "strict",
        )  # fmt: skip
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    kind, *rest = asked["arguments"]
    if isolated := kind == "-I":
        kind, *rest = rest
    elif path := os.environ.get("PYTHONPATH"):
        sys.path[:0] = path.split(os.pathsep)
    if kind not in ("-c", "-m"):
        sys.argv = [kind, *rest]
        sys.path.insert(0, str(Path(kind).resolve().parent))
        runpy.run_path(kind, run_name="__main__")
        return
    what, *sys.argv[1:] = rest
    if not isolated:
        sys.path.insert(0, "" if kind == "-c" else os.getcwd())
    if kind == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
        return
    sys.argv[0] = "-c"
    sys.modules["__main__"] = main = ModuleType("__main__")
    exec(compile(what, "<string>", "exec"), main.__dict__)


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        sys.exit(ask(sys.argv[2], sys.argv[3:]))
    serve(int(sys.argv[2]))
