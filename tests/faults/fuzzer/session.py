"""Starts the process that has everything imported, and asks it for cases."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from fuzzer.judge import Verdict

HERE = Path(__file__).resolve()
ROOT = HERE.parents[3]


class Session:
    """A context: the server, for a checkout of the code.

    Args:
        work: A folder for the cases.
        root: The checkout whose packages are struck.
    """

    def __init__(self, work: Path, root: Path = ROOT):
        self._work, self._root = work, root

    def __enter__(self) -> "Session":
        self._work.mkdir(parents=True, exist_ok=True)
        environment = {
            **os.environ, "PYTHONPATH": os.pathsep.join((str(self._root), str(HERE.parents[1]))),
            "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false",
            "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "agg",
            "MPLCONFIGDIR": str(self._work / "caches"),
            "NUMBA_CACHE_DIR": str(self._work / "caches"), "HF_HUB_OFFLINE": "1",
        }  # fmt: skip
        self._log = open(self._work / "server.log", "w")  # noqa: SIM115  closed at the end
        self._server = subprocess.Popen(
            [sys.executable, "-m", "fuzzer.server", str(self._work)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log, cwd=self._work,
        )  # fmt: skip
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stdin.close()
        self._server.wait(60)
        self._server.stdout.close()
        self._log.close()

    def run(
        self, door: str, seeds: Iterable[int], limits: Mapping[str, float] | None = None
    ) -> Iterator[Verdict]:
        """Yield the verdict of each case; `limits` are others than those of the guard."""
        for seed in seeds:
            self._server.stdin.write(f"{door} {seed} {json.dumps(limits or {})}\n")
            self._server.stdin.flush()
            answer = self._server.stdout.readline()
            if not answer:
                raise RuntimeError((self._work / "server.log").read_text()[-3000:])
            found = json.loads(answer)
            if "broken" in found:
                raise RuntimeError(f"{door} {seed}: {found['broken']}")
            yield Verdict(**found)
