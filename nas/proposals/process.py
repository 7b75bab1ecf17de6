"""The policy in a process of its own, on one core: it fits while the workers train.

The search writes JSON lines to its input and reads JSON lines from its output. The process reads
the record by itself when it starts, so that one that died is replaced by a fresh one that knows the
same. It ends with the search, whatever ends that: its input closes.
"""

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from nas.proposals.proposer import Answer, Proposer, propose, restore, tell
from nas.runs.journal import Journal
from search_spaces.errors import NasError, RunError, quoted

# A process that dies so often in a row will not live the next time either.
_DEATHS = 3
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class ProposerProcess(Proposer):
    """Talks to the process that holds the policy.

    It starts and imports what it needs while the workers start; the record it reads in `restore`.

    Args:
        experiment: As JSON types; names policy, space and objectives.
        vocabulary_size: Entries of the run's tokenizer, for exact parameter counts.
    """

    concurrent = True

    def __init__(self, experiment: dict[str, Any], vocabulary_size: int | None = None):
        self._start = {"experiment": experiment, "vocabulary_size": vocabulary_size}
        self._directory: Path | None = None
        self._deaths = 0
        self._spawn()

    def _spawn(self) -> None:
        environment = {**os.environ, **dict.fromkeys(_THREADS, "1")}
        # A session of its own: Ctrl-C in the terminal is for the search to handle.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "nas.proposals.process"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            start_new_session=True,
            text=True,
        )
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._next: str | None = None
        self._ended = False
        out = self._process.stdout
        threading.Thread(target=_read, args=(out, self._lines.put), daemon=True).start()
        self._send(self._start)

    def _send(self, message: dict[str, Any]) -> None:
        with suppress(BrokenPipeError):  # noticed, and made good, by `answer`
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()

    def restore(self, directory: Path) -> int | None:
        self._directory = directory
        self._send({"directory": str(directory.resolve())})
        reply = self._parsed(self._lines.get())
        return self._again() if reply is None else reply["open"]

    def tell(self, event: dict[str, Any]) -> None:
        self._send(event)

    def request(self, number: int, n: int) -> None:
        self._send({"request": number, "n": n})

    def ready(self, seconds: float) -> bool:
        if self._next is None and not self._ended:
            try:
                line = self._lines.get(timeout=seconds) if seconds else self._lines.get_nowait()
            except queue.Empty:
                return False
            self._next, self._ended = line, line is None
        return True

    def answer(self) -> Answer | None:
        if not self.ready(0.0):
            return None
        reply, self._next = self._parsed(self._next), None
        if reply is None:
            self._again()
            return None
        self._deaths = 0
        return Answer(reply["request"], reply["proposals"], reply["seconds"])

    def _parsed(self, line: str | None) -> dict[str, Any] | None:
        """Return a message; None if the process died.

        Raises:
            RunError: The policy refused.
        """
        if line is None:
            return None
        reply = json.loads(line)
        if "error" in reply:
            raise RunError(reply["error"])
        return reply

    def _again(self) -> int | None:
        """Replace a process that died; what it had not answered is in the record."""
        code = self._process.wait()
        self._deaths += 1
        if self._deaths >= _DEATHS:
            raise RunError(
                f"The process that proposes architectures ended {self._deaths} times in a row "
                f"(exit status {code}). Its messages are above. Every result is kept; continue "
                f"with: nas resume {quoted(self._directory)}"
            )
        self.close()
        self._spawn()
        return self.restore(self._directory)

    def close(self) -> None:
        """Let the process end; one that is thinking is stopped."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # what it never read needs no delivery any more
                pipe.close()


def _read(pipe: Any, put: Callable[[str | None], None]) -> None:
    """Hand on every line of `pipe`, and None at its end."""
    with suppress(ValueError):  # closed by `close`
        for line in pipe:
            put(line)
    put(None)


class Thinking:
    """What runs in the process.

    Args:
        write: Sends a message to the search.
    """

    def __init__(self, write: Callable[[dict[str, Any]], None]):
        self._write = write
        self._policy: Any = None

    def take(self, message: dict[str, Any]) -> None:
        """Do what a message says."""
        if "experiment" in message:
            from nas.config import make_experiment
            from nas.proposals.building import run_policy

            experiment = make_experiment(message["experiment"])
            self._policy = run_policy(experiment, message["vocabulary_size"])
        elif "directory" in message:
            journal = Journal(Path(message["directory"]) / "run.db", readonly=True)
            request, later = restore(self._policy, journal)
            journal.close()
            self._write({"open": request.event if request else None})
            if request is not None:
                self._answer(request.event, request.n)
            for event in later:
                tell(self._policy, event)
        elif "tell" in message:
            tell(self._policy, message)
        else:
            self._answer(message["request"], message["n"])

    def _answer(self, number: int, n: int) -> None:
        begun = time.perf_counter()
        proposals = propose(self._policy, n)
        seconds = time.perf_counter() - begun
        self._write({"request": number, "proposals": proposals, "seconds": seconds})


def main() -> None:
    """Read messages from standard input, write answers to standard output."""
    # What a library prints must not end up among the answers.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    lines: queue.Queue[str] = queue.Queue()

    def put(line: str | None) -> None:
        if line is None:  # the search has gone, and nobody wants the answer any more
            os._exit(0)
        lines.put(line)

    def write(message: dict[str, Any]) -> None:
        out.write(json.dumps(message) + "\n")
        out.flush()

    # Read at once, so that the search never waits for a policy that thinks.
    threading.Thread(target=_read, args=(sys.stdin, put), daemon=True).start()
    thinking = Thinking(write)
    while True:
        try:
            thinking.take(json.loads(lines.get()))
        except NasError as error:
            write({"error": str(error)})


if __name__ == "__main__":
    main()
