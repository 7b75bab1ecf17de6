"""Plant small faults, one at a time, and count how many the tests notice.

    python experiments/planted_faults.py --root . --coverage COVERAGE --rows rows.csv --seed 1
    python experiments/planted_faults.py --root . --coverage COVERAGE --rows rows.csv --named

Faults are drawn over eight operators (`fault_operators.py`), one per 600 lines of the three
packages, or, with `--named`, are those of a list kept here. Each is planted in a copy of the
checkout, and the tests that touch its line are run there until one fails (`touching_tests.py`; the
suite is run once under coverage, and what it saw is kept in the folder COVERAGE). Tests that fail
anyway are left out. A row is written after each fault, and a restart goes on with what is missing;
the column `note` is for a person: what became of a fault that nothing noticed.
"""

import argparse
import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from fault_operators import Fault, draw
from touching_tests import NOTES, PACKAGES, Touching, environment, run_under_coverage

COLUMNS = (
    "seed", "number", "file", "line", "operator", "before", "after",
    "noticed", "by", "seconds", "tests", "how", "note",
)  # fmt: skip
FIRST = 40  # seconds of tests in the first run; most faults are noticed there
LATER = 150  # in each of those that follow


class Named(NamedTuple):
    """A fault that is told by name: a text that occurs once in the sources, and its successor."""

    name: str
    old: str
    new: str


NAMED = (
    Named(
        "fine-tuning dropout not set",
        "        set_dropout(encoder, recipe.dropout)\n"
        "        training = TaskTraining(\n            encoder, data",
        "        training = TaskTraining(\n            encoder, data",
    ),
    Named(
        "fine-tuning dropout not set (exported tasks)",
        "        set_dropout(encoder, recipe.dropout)\n    kept:",
        "    kept:",
    ),
    Named(
        "pre-training dropout not set",
        "        set_dropout(encoder, recipe.pretrain_dropout)\n",
        "",
    ),
    Named(
        "mask_rate not passed on (training)",
        "        mask_rate=recipe.mask_rate,\n        first_epoch",
        "        first_epoch",
    ),
    Named(
        "mask_rate not passed on (validation)",
        "            mask_rate=recipe.mask_rate,\n            epochs=1",
        "            epochs=1",
    ),
    Named(
        "inherit_learning_rate ignored",
        "recipe.inherit_learning_rate * recipe.pretrain_learning_rate",
        "recipe.pretrain_learning_rate",
    ),
    Named(
        "learning_rate_scale not applied (pre-training)",
        "recipe.pretrain_learning_rate * budget.learning_rate_scale",
        "recipe.pretrain_learning_rate",
    ),
    Named(
        "learning_rate_scale not applied (fine-tuning)",
        "recipe.finetune_learning_rate * budget.learning_rate_scale",
        "recipe.finetune_learning_rate",
    ),
    Named(
        "lower bound read as upper (violation)",
        "over = constraint.sign * (trial.values[constraint.metric] - constraint.bound)",
        "over = trial.values[constraint.metric] - constraint.bound",
    ),
    Named(
        "lower bound read as upper (probability)",
        "sign = constraint.sign\n",
        "sign = 1\n",
    ),
    Named(
        "lower bound read as upper (qlognehvi)",
        "c.sign * (trial.values[c.metric] - c.bound)",
        "(trial.values[c.metric] - c.bound)",
    ),
    Named(
        "crossover's relative depths",
        "stacks[i * len(stacks) // count]",
        "stacks[min(i, len(stacks) - 1)]",
    ),
    Named("knee by sum instead of squares", "(scaled**2).sum(axis=1)", "scaled.sum(axis=1)"),
    Named(
        "!= holds for missing numbers",
        "found & side.notna() if isinstance(side, pd.Series) else found",
        "found",
    ),
    Named(
        "infinity accepted as a score (search)",
        "if not math.isfinite(value):\n            return replace(outcome",
        "if math.isnan(value):\n            return replace(outcome",
    ),
    Named(
        "infinity accepted as a score (policy)",
        "if not number or not math.isfinite(value):",
        "if not number or math.isnan(value):",
    ),
    Named("median rule off by one (fewer)", "(len(rung.values) + 1) // 2", "len(rung.values) // 2"),
    Named(
        "median rule off by one (more)",
        "(len(rung.values) + 1) // 2",
        "len(rung.values) // 2 + 1",
    ),
    Named(
        "slope features zeroed",
        "slope = np.where(depth > 1, (place * logs * present).sum(1), 0.0)",
        "slope = np.zeros(len(depth))",
    ),
    Named(
        "place features zeroed (layers)",
        "layers.reshape(len(depth), -1) / np.sqrt(self._places)",
        "0 * layers.reshape(len(depth), -1)",
    ),
    Named(
        "place features zeroed (depth)",
        "depths = (depth[:, None] == self._depths) / np.sqrt(2)",
        "depths = np.zeros((len(depth), len(self._depths)))",
    ),
)


def named_faults(root):
    """Find the faults of the list by their text; the files may have moved since."""
    files = [path for package in PACKAGES for path in sorted((root / package).rglob("*.py"))]
    found = []
    for name, old, new in NAMED:
        places = [(p, p.read_bytes()) for p in files if old in p.read_text()]
        if len(places) != 1 or places[0][1].count(old.encode()) != 1:
            raise SystemExit(f"{name}: {old!r} is in {len(places)} files; it must occur once.")
        path, source = places[0]
        start = source.index(old.encode())
        # the line that changes, not the one that only tells where
        same = len(os.path.commonprefix([old, new])) if new else 0
        line = source[: start + same].count(b"\n") + 1
        lines = (line, max(line, source[: start + len(old.rstrip())].count(b"\n") + 1))
        fault = Fault(name, start, start + len(old.encode()), new, line, lines)
        found.append((str(path.relative_to(root)), fault))
    return found


def noticed_by(copy, tests, limit, log):
    """Run `tests` in the checkout `copy` until one fails.

    Returns:
        The test that failed, "" for none; and whether they took so long that one must hang.
    """
    with tempfile.TemporaryDirectory(prefix="planted") as place:
        notes, names = Path(place) / "notes.jsonl", Path(place) / "names"
        names.write_text("\n".join(tests))
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
        command += ["-p", "touching_tests", f"--basetemp={place}/t", f"@{names}"]
        process = subprocess.Popen(
            command,
            cwd=copy,
            env=environment(copy, **{NOTES: str(notes)}),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            code = process.wait(limit)
        except subprocess.TimeoutExpired:
            return _last(notes, "passed") or tests[0], True
        finally:
            _end(process)
        if code == 4 and any("::" in test for test in tests):
            # a name is gone, as that of a case made from what the fault changed
            return noticed_by(
                copy, list(dict.fromkeys(t.split("::")[0] for t in tests)), limit, log
            )
        if code in (0, 5):
            return "", False
        return _last(notes, "failed") or f"collecting {tests[0].split('::')[0]}", False


def _last(notes, outcome):
    rows = [json.loads(line) for line in notes.read_text().splitlines()] if notes.exists() else []
    return next((name for name, _, ended, _ in reversed(rows) if ended == outcome), "")


def _end(process):
    """End what a run of pytest leaves behind, with all that belongs to its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


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
    started, found, hangs, run = time.time(), "", False, 0
    try:
        _write(path, fault.plant(source))
        for part, cost in in_parts(tests, touching.tests, file):
            found, hangs = noticed_by(copy, part, max(options.limit, 5 * cost), log)
            run += len(part)
            if found or time.time() - started > options.most_seconds:
                break
    finally:
        _write(path, source)
    return {
        "noticed": "timeout" if hangs else "yes" if found else "no",
        "by": found,
        "seconds": round(time.time() - started),
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
    return (" ".join(text.decode().split()) for text in (source[line:end], after))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, default=Path(), help="the checkout; it is copied")
    parser.add_argument("--coverage", type=Path, required=True, help="folder; made if missing")
    parser.add_argument("--rows", type=Path, required=True, help="CSV; continued if it is there")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count-per-lines", type=int, default=600, help="lines to one fault")
    parser.add_argument("--count", type=int, help="so many faults, whatever the lines")
    parser.add_argument("--only", choices=PACKAGES, help="plant in this package")
    parser.add_argument("--named", action="store_true", help="the faults of the list")
    parser.add_argument("--list", action="store_true", help="show the faults, plant none")
    parser.add_argument("--numbers", type=lambda text: {int(n) for n in text.split(",")})
    parser.add_argument("--limit", type=float, default=240, help="least seconds that are a hang")
    parser.add_argument("--most-seconds", type=float, default=1500, help="of tests for a fault")
    options = parser.parse_args()
    root = options.root.resolve()
    packages = [options.only] if options.only else PACKAGES
    faults = (
        named_faults(root)
        if options.named
        else draw(root, packages, options.count, options.count_per_lines, options.seed)
    )
    seed = "named" if options.named else str(options.seed)
    done = set()
    if options.rows.exists():
        with options.rows.open(newline="") as rows:
            done = {int(row["number"]) for row in csv.DictReader(rows) if row["seed"] == seed}
    if not options.list:
        run_under_coverage(root, options.coverage)
        touching = Touching(options.coverage)
    with tempfile.TemporaryDirectory(prefix="planted") as place:
        copy = Path(place) / "checkout"
        if not options.list:
            left = shutil.ignore_patterns(".git", "__pycache__", ".venv", "runs", ".*_cache")
            shutil.copytree(root, copy, ignore=left)
        for number, (file, fault) in enumerate(faults, 1):
            if number in done or (options.numbers and number not in options.numbers):
                continue
            before, after = _shown((root / file).read_bytes(), fault)
            row = dict(zip(COLUMNS, (seed, number, file, fault.line, fault.operator), strict=False))
            row |= {"before": before, "after": after, "note": ""}
            if not options.list:
                with open(options.coverage / f"fault-{seed}-{number}.log", "w") as log:
                    row |= planted(copy, file, fault, touching, options, log)
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
