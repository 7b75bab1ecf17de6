"""Plant small faults, one at a time, and count how many the tests notice.

    python experiments/planted_faults.py --root . --coverage COVERAGE --rows rows.csv --seed 1
    python experiments/planted_faults.py --root . --coverage COVERAGE --rows rows.csv --named
    python experiments/planted_faults.py --root . --coverage NEW --rows after.csv --again rows.csv
    python experiments/planted_faults.py --root . --by-room --rows rows.csv --seed 3

Faults are drawn over eight operators (`fault_operators.py`), one per 600 lines of the three
packages; with `--named` they are those of a list kept here, and with `--again` those of earlier
rows, wherever their lines stand now. Each is planted in a copy of the checkout, and the tests that
touch its line are run there until one fails (`touching_tests.py`; the suite is run once under
coverage, and what it saw is kept in the folder COVERAGE), or, without that hour, the tests of its
room (`tests_by_room.py`). Tests that fail anyway are left out. A row is written after each fault,
and a restart goes on with what is missing; the column `note` is for a person: what became of a
fault that nothing noticed.
"""

import argparse
import atexit
import contextlib
import csv
import importlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from fault_operators import draw, faults_in
from named_faults import named_faults
from tests_by_room import ByRoom
from touching_tests import NOTES, PACKAGES, Touching, environment, run_under_coverage

COLUMNS = (
    "seed", "number", "file", "line", "operator", "before", "after",
    "noticed", "by", "seconds", "tests", "how", "note",
)  # fmt: skip
FIRST = 40  # seconds of tests in the first run; most faults are noticed there
LATER = 150  # in each of those that follow
# What tests import of others, at ten seconds a time: loaded once, before the processes fork.
LOADED = (
    "torch", "transformers", "botorch", "gpytorch", "ray", "numba", "sklearn.gaussian_process",
    "pandas", "matplotlib.pyplot", "networkx", "pydantic", "pytest", "tokenizers",
    "pyarrow.parquet",
)  # fmt: skip


def faults_again(root, rows):
    """Find the faults of earlier rows by the text of their lines: `(number, file, fault)`.

    A fault whose line was rewritten since is told, and left out.
    """
    places = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            source = path.read_bytes()
            for fault in faults_in(path):
                key = (fault.operator, *_shown(source, fault))
                places.setdefault(key, []).append((str(path.relative_to(root)), fault))
    for row in rows:
        found = places.get((row["operator"], row["before"], row["after"]), [])
        own = [place for place in found if Path(place[0]).name == Path(row["file"]).name] or found
        if own:
            # of equal lines in one file the one that stands nearest to where it stood
            file, fault = min(own, key=lambda place: abs(place[1].line - int(row["line"])))
            yield int(row["number"]), file, fault
        else:
            print(f"{row['number']}: gone since: {row['before']}", flush=True)


def noticed_by(copy, tests, limit, log):
    """Run `tests` in the checkout `copy` until one fails.

    Returns:
        The test that failed, "" for none; and whether they took so long that one must hang.
    """
    with _folder() as place:
        notes, names = Path(place) / "notes.jsonl", Path(place) / "names"
        names.write_text("\n".join(tests))
        arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "touching_tests"]
        arguments += [f"--basetemp={place}/t", f"@{names}"]
        process = _start(arguments, copy, environment(copy, **{NOTES: str(notes)}), log)
        try:
            code = _wait(process, limit)
        finally:
            _end(process)
        if code is None:
            return _last(notes, "passed") or tests[0], True
        if code == 4 and any("::" in test for test in tests):
            # a name is gone, as that of a case made from what the fault changed
            return noticed_by(
                copy, list(dict.fromkeys(t.split("::")[0] for t in tests)), limit, log
            )
        if code == 4:
            raise RuntimeError(f"pytest does not find {tests[0]} or another of {len(tests)} tests")
        if code in (0, 5):
            return "", False
        return _last(notes, "failed") or f"collecting {tests[0].split('::')[0]}", False


@contextlib.contextmanager
def _folder():
    """Make a folder and remove it here: not, as a TemporaryDirectory, in forked processes too."""
    path = tempfile.mkdtemp(prefix="planted")
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def _last(notes, outcome):
    rows = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    return next((name for name, _, ended, _ in reversed(rows) if ended == outcome), "")


def _left_out(folder, names):
    """Say what of a folder is not copied: caches, and the runs beside the packages."""
    found = shutil.ignore_patterns(".git", "__pycache__", ".venv", ".*_cache")(folder, names)
    return found | {"runs"} if (Path(folder) / "pyproject.toml").exists() else found


def _start(arguments, copy, variables, log):
    """Run pytest in a process that forks off this one, in a group of its own; return its number."""
    process = os.fork()
    if process:
        return process
    os.setsid()
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    os.chdir(copy)
    os.environ.clear()
    os.environ.update(variables)
    sys.path.insert(0, str(copy))
    sys.argv = ["pytest", *arguments]
    code = 3
    try:
        code = int(sys.modules["pytest"].main(arguments))
        atexit._run_exitfuncs()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _wait(process, limit):
    """Return the exit status, None where it takes longer than `limit` seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    return None


def _end(process):
    """End what a run of pytest leaves behind, with all that belongs to its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(process, 0)


def noticed_in_room(copy, file, fault, rooms, options, log):
    """Plant a fault in `copy`, run tests room by room, take it out; return as `planted` does.

    A test that fails is run without the fault as well: if it fails then too, it is left out. What
    tests would have taken is not known here, so that a part which takes too long is "unfinished":
    whether the fault makes it hang is for a person to see.
    """
    path = Path(copy) / file
    source = path.read_bytes()
    parts = rooms.parts(file)
    started, run, outcome = time.monotonic(), 0, ("", False)
    for part in parts:
        while part and not options.most_seconds < time.monotonic() - started:
            try:
                _write(path, fault.plant(source))
                outcome = noticed_by(copy, part, options.limit, log)
            finally:
                _write(path, source)
            test = outcome[0].removeprefix("collecting ")
            if (
                not outcome[0]
                or outcome[1]
                or noticed_by(copy, [test], options.limit, log)[0] == ""
            ):
                break
            print(f"{test} fails anyway", flush=True)
            part, outcome = [name for name in part if name != test.split("::")[0]], ("", False)
        run += len(part)
        if outcome[0] or time.monotonic() - started > options.most_seconds:
            break
    return {
        "noticed": "unfinished" if outcome[1] else "yes" if outcome[0] else "no",
        "by": outcome[0],
        "seconds": round(time.monotonic() - started),
        "tests": f"{run} of {sum(map(len, parts))} files",
        "how": "room",
    }


def in_parts(tests, seconds, file):
    """Yield tests part by part: those of the file's own test file first, then cheap files first."""
    files: dict[str, list[str]] = {}
    for name in tests:
        files.setdefault(name.split("::")[0], []).append(name)
    stem = Path(file).stem

    def order(path):
        own = Path(path).stem == f"test_{stem}"
        return (not own, sum(seconds[name] for name in files[path]), path)

    part, cost, most = [], 0.0, FIRST
    position = {name: i for i, name in enumerate(seconds)}
    for path in sorted(files, key=order):
        for name in sorted(files[path], key=position.__getitem__):
            if part and cost + seconds[name] > most:
                yield part, cost
                part, cost, most = [], 0.0, LATER
            part.append(name)
            cost += seconds[name]
    if part:
        yield part, cost


def planted(copy, file, fault, touching, options, log):
    """Plant a fault in `copy`, run tests, take it out again; return the columns of the outcome."""
    path = Path(copy) / file
    source = path.read_bytes()
    first, last = fault.lines
    tests, how = touching.of(file, range(first, last + 1))
    started, found, hangs, run = time.monotonic(), "", False, 0
    try:
        _write(path, fault.plant(source))
        for part, cost in in_parts(tests, touching.tests, file):
            found, hangs = noticed_by(copy, part, max(options.limit, 5 * cost), log)
            run += len(part)
            if found or time.monotonic() - started > options.most_seconds:
                break
    finally:
        _write(path, source)
    return {
        "noticed": "timeout" if hangs else "yes" if found else "no",
        "by": found,
        "seconds": round(time.monotonic() - started),
        "tests": f"{run} of {len(tests)}",
        "how": how,
    }


def _write(path, source):
    path.write_bytes(source)
    # compiled files are told apart by time and size, which two changes within a second share
    for compiled in path.parent.glob(f"__pycache__/{path.stem}.*"):
        compiled.unlink()


def _shown(source, fault):
    """Return the text before and after, on one line each."""
    line = source[: fault.start].rfind(b"\n") + 1
    end = source.find(b"\n", fault.end)
    end = len(source) if end < 0 else end
    after = source[line : fault.start] + fault.after.encode() + source[fault.end : end]
    return tuple(" ".join(text.decode().split()) for text in (source[line:end], after))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout; it is copied")
    parser.add_argument("--coverage", type=Path, help="folder; made if missing")
    parser.add_argument("--by-room", action="store_true", help="no coverage: tests of the room")
    parser.add_argument("--rows", type=Path, required=True, help="CSV; continued if it is there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count-per-lines", type=int, default=600, help="lines to one fault")
    parser.add_argument("--count", type=int, help="so many faults, whatever the lines")
    parser.add_argument("--only", choices=PACKAGES, help="plant in this package")
    parser.add_argument("--named", action="store_true", help="the faults of the list")
    parser.add_argument("--again", type=Path, help="rows of earlier faults, to plant once more")
    parser.add_argument("--list", action="store_true", help="show the faults, plant none")
    parser.add_argument("--numbers", type=lambda text: {int(n) for n in text.split(",")})
    parser.add_argument("--limit", type=float, default=240, help="least seconds that are a hang")
    parser.add_argument("--most-seconds", type=float, default=1500, help="of tests for a fault")
    options = parser.parse_args()
    if not (options.coverage or options.by_room or options.list):
        parser.error("give --coverage FOLDER, or --by-room to do without")
    root = options.root.resolve()
    packages = [options.only] if options.only else PACKAGES
    seed = "named" if options.named else str(options.seed)
    if options.again:
        with options.again.open(newline="") as rows:
            earlier = [row for row in csv.DictReader(rows) if row["seed"] == seed]
        faults = list(faults_again(root, earlier))
    else:
        drawn = (
            named_faults(root)
            if options.named
            else draw(root, packages, options.count, options.count_per_lines, options.seed)
        )
        faults = [(number, *found) for number, found in enumerate(drawn, 1)]
    done = set()
    if options.rows.exists():
        with options.rows.open(newline="") as rows:
            done = {int(row["number"]) for row in csv.DictReader(rows) if row["seed"] == seed}
    if not options.list:
        logs = options.coverage or options.rows.with_suffix(".logs")
        if options.by_room:
            logs.mkdir(parents=True, exist_ok=True)
            planting, tests = noticed_in_room, ByRoom(root)
        else:
            run_under_coverage(root, options.coverage)
            planting, tests = planted, Touching(options.coverage)
        os.environ["OMP_NUM_THREADS"] = "1"
        for module in LOADED:
            importlib.import_module(module)
    with _folder() as place:
        copy = Path(place) / "checkout"
        if not options.list:
            shutil.copytree(root, copy, ignore=_left_out)
        for number, file, fault in faults:
            if number in done or (options.numbers and number not in options.numbers):
                continue
            before, after = _shown((root / file).read_bytes(), fault)
            row = dict(zip(COLUMNS, (seed, number, file, fault.line, fault.operator), strict=False))
            row |= {"before": before, "after": after, "note": ""}
            if not options.list:
                with open(logs / f"fault-{seed}-{number}.log", "w") as log:
                    row |= planting(copy, file, fault, tests, options, log)
                new = not options.rows.exists()
                with options.rows.open("a", newline="") as rows:
                    writer = csv.DictWriter(rows, COLUMNS, lineterminator="\n")
                    if new:
                        writer.writeheader()
                    writer.writerow(row)
            print(*(str(row.get(c, "")) for c in COLUMNS[1:10]), sep=" | ", flush=True)
    if options.rows.exists():
        with options.rows.open(newline="") as rows:
            noticed = Counter(row["noticed"] for row in csv.DictReader(rows) if row["seed"] == seed)
        print(f"noticed: {dict(noticed)}")


if __name__ == "__main__":
    main()
