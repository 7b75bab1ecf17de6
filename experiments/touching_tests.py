"""Which tests touch which line: the suite once under coverage, also in processes tests start.

Three things a run of the suite leaves in a folder: `coverage` (the database), `tests.jsonl` (how
long each test took, and whether it passed), and `root` (where the checkout lay). Not seen: what
numba compiles, and a process that is killed with signal 9 before it writes its lines down.

As a plugin of pytest (`-p touching_tests`) this file notes the tests and lets coverage start in
child processes, under the name of the test that was running when they started.
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from coverage import CoverageData

PACKAGES = ("nas", "search_spaces", "surrogates")
NOTES = "NAS_TESTS_NOTED_IN"
SETTINGS = """[run]
source =
    {root}/nas
    {root}/search_spaces
    {root}/surrogates
data_file = {data}
parallel = true
patch = _exit
sigterm = true
context = ${{PYTEST_CURRENT_TEST}}
"""


def pytest_sessionstart():
    """Let coverage start in child processes; in this one pytest-cov has started it."""
    if settings := os.environ.get("NAS_COVERAGE_OF_CHILDREN"):
        os.environ["COVERAGE_PROCESS_START"] = settings


def pytest_runtest_logreport(report):
    """Note what a phase of a test took and how it ended."""
    if path := os.environ.get(NOTES):
        with open(path, "a") as notes:
            row = [report.nodeid, report.when, report.outcome, round(report.duration, 3)]
            notes.write(json.dumps(row) + "\n")


def environment(root, **more):
    """Return the environment in which pytest tests the checkout `root` and nothing else."""
    paths = os.pathsep.join([str(root), str(Path(__file__).parent)])
    kept = {k: v for k, v in os.environ.items() if not k.startswith("COVERAGE_")}
    return {**kept, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **more}


def run_under_coverage(root, folder):
    """Run the suite of `root` under coverage, a test file at a time; what is there is kept."""
    root, folder = Path(root).resolve(), Path(folder).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "root").write_text(str(root))
    for path in sorted((root / "tests").rglob("test_*.py")):
        name = str(path.relative_to(root)).replace("/", "-").removesuffix(".py")
        data, done = folder / f"{name}.coverage", folder / f"{name}.done"
        if done.exists():
            continue
        for old in folder.glob(f"{name}.*"):
            old.unlink()
        settings = folder / f"{name}.ini"
        settings.write_text(SETTINGS.format(root=root, data=data))
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "touching_tests", *(f"--cov={package}" for package in PACKAGES)]
        command += ["--cov-context=test", "--cov-report=", f"--cov-config={settings}", str(path)]
        more = {NOTES: str(folder / f"{name}.jsonl"), "NAS_COVERAGE_OF_CHILDREN": str(settings)}
        with open(folder / f"{name}.log", "w") as log:
            code = subprocess.run(
                command, cwd=root, env=environment(root, **more), stdout=log, stderr=log
            ).returncode
        # children that ended after pytest
        for late in folder.glob(f"{name}.coverage.*"):
            _merge(late, data)
        done.write_text(str(code))
        print(f"{name}: pytest ended with {code}", flush=True)


def _merge(late, data):
    try:
        read = CoverageData(basename=str(late))
        read.read()
        into = CoverageData(basename=str(data))
        into.read()
        into.update(read)
    except Exception as error:  # a half-written file of a killed process
        print(f"{late.name} is left out: {error}", file=sys.stderr)
    late.unlink()


class Touching:
    """What a run under coverage has seen, for questions about one line."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.root = (self.folder / "root").read_text()
        self.lines = defaultdict(lambda: defaultdict(set))
        for path in sorted(self.folder.glob("*.coverage")):
            data = CoverageData(basename=str(path))
            data.read()
            for file in data.measured_files():
                seen = self.lines[os.path.relpath(file, self.root)]
                for line, contexts in data.contexts_by_lineno(file).items():
                    seen[line].update(contexts)

    @cached_property
    def tests(self):
        """Seconds of every test that passes, by name."""
        seconds, failed = defaultdict(float), set()
        for path in self.folder.glob("*.jsonl"):
            for name, _, outcome, took in map(json.loads, path.read_text().splitlines()):
                seconds[name] += took
                if outcome != "passed":
                    failed.add(name)
        return {name: took for name, took in seconds.items() if name not in failed}

    def of(self, file, lines):
        """Return the tests that touch any of `lines`, and how that is known: cheapest first.

        A line that only preparing a fixture touches counts for the whole test file; one that runs
        at import, or that coverage does not see, for the tests that touch anything in its file;
        and where there is none, for those in the folder of tests of its package.
        """
        seen = self.lines.get(file, {})
        contexts = set().union(*(seen.get(line, set()) for line in lines)) - {""}
        how = "line"
        if not contexts:
            contexts, how = set().union(*seen.values()) - {""} if seen else set(), "file"
        found = set()
        for context in contexts:
            name, phase = _test_and_phase(context)
            same_file = name.split("::")[0] + "::"
            found.update(
                [name]
                if phase in ("run", "call")
                else [test for test in self.tests if test.startswith(same_file)]
            )
        found &= set(self.tests)
        if not found:
            how, folder = "folder", _folder_of_tests(file, self.tests)
            found = {test for test in self.tests if test.startswith((folder, "tests/end_to_end"))}
        return sorted(found, key=lambda name: (self.tests[name], name)), how


def _test_and_phase(context):
    """Take apart "a.py::test|run" of pytest-cov and "a.py::test (call)" of a child process."""
    if context.endswith(")") and " (" in context:
        name, _, phase = context.rpartition(" (")
        return name, phase[:-1]
    name, _, phase = context.rpartition("|")
    return name, phase


def _folder_of_tests(file, tests):
    folder = os.path.join("tests", os.path.dirname(file)) + "/"
    while not any(test.startswith(folder) for test in tests):
        folder = os.path.dirname(folder.rstrip("/")) + "/"
    return folder


if __name__ == "__main__":
    run_under_coverage(*sys.argv[1:])
