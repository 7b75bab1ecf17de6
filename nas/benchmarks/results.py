"""Results on disk as they come, so that an interrupted benchmark loses nothing."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nas.benchmarks.jobs import Job, Setting
from nas.whole_files import write_whole
from search_spaces.errors import RunError

_RESULTS, _SETTING = "results.jsonl", "setting.json"


class Results:
    """Finished jobs of one setting: a folder with a line of JSON for each.

    Args:
        folder: Made if absent.
        setting: What the results depend on.
        without: Policies whose stored results are to be forgotten.

    Raises:
        RunError: The folder holds results of another setting, or is not to be written.
    """

    def __init__(self, folder: Path, setting: Setting, without: Iterable[str] = ()):
        self.folder, self._path = folder, folder / _RESULTS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._check(setting.described())
            self._found = self._read()
        except OSError as error:
            raise RunError(f"{folder} cannot be used: {error}. Choose another with --to.") from None
        forgotten = set(without)
        self._found = {j: r for j, r in self._found.items() if j.policy not in forgotten}
        self.reused = len(self._found)

    def __contains__(self, job: Job) -> bool:
        return self._stored(job) is not None

    def __getitem__(self, job: Job) -> dict[str, Any]:
        found = self._stored(job)
        if found is None:
            raise KeyError(job)
        return found

    def add(self, job: Job, result: dict[str, Any]) -> None:
        """Store one result; a later one of the same job counts."""
        with open(self._path, "a", encoding="utf-8") as file:
            file.write(json.dumps({**asdict(job), "result": result}) + "\n")
        self._found[job] = result

    def _stored(self, job: Job) -> dict[str, Any] | None:
        watched = Job("watched-search", job.policy, job.seed, job.size)
        # A search whose predictions were noted proposes what it would have without.
        same = self._found.get(watched) if job.kind == "search" else None
        return self._found.get(job, same)

    def _check(self, described: dict[str, Any]) -> None:
        path = self.folder / _SETTING
        if not path.exists():
            write_whole(path, json.dumps(described, indent=1) + "\n")
            return
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            stored = {}
        other = [name for name in described if stored.get(name) != described[name]]
        if other:
            changes = "; ".join(
                f"{name} was {stored.get(name)!r} and is now {described[name]!r}" for name in other
            )
            raise RunError(
                f"{self.folder} holds results of another setting: {changes}. "
                "Choose another folder with --to, or delete this one."
            )

    def _read(self) -> dict[Job, dict[str, Any]]:
        if not self._path.exists():
            return {}
        content = self._path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if len(whole) < len(content):
            # The last line of an interrupted benchmark may be half written.
            write_whole(self._path, whole)
        found = {}
        for number, line in enumerate(whole.splitlines(), 1):
            try:
                row = json.loads(line)
                job = Job(*(row[name] for name in ("kind", "policy", "seed", "size")))
                found[job] = row["result"]
            except (ValueError, KeyError, TypeError) as error:
                raise RunError(
                    f"{self._path}, line {number} is no result: {error!r}. Delete the line."
                ) from None
        return found
