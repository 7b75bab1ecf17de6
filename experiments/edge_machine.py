"""The clauses of `edges.py` that need processes of their own: limits, signals, Ray."""

import os
import shutil
from pathlib import Path

from edge_cases import GOLDEN, old_run, plan
from edges import Edge, Told

from nas.benchmarks.pretend_trials import SECONDS_VARIABLE

SLOW = {"engine": "inline", "trial_function": "nas.benchmarks.pretend_trials:stepwise"}
ON_RAY = {"engine": "ray", "trial_function": "nas.benchmarks.trivial_trial:measure"}
CPU, LONG = Path("/sys/fs/cgroup/cpu"), "/t/" + "d" * 90
SEARCH = "search plan.yaml --run run"


def shell(line: str) -> tuple[str, ...]:
    """Return the words before a command that is "$@" of a line of the shell."""
    return ("sh", "-c", line, "sh")


def mounted(line: str) -> tuple[str, ...]:
    """Return the same in a process whose mounts nobody else sees."""
    return ("unshare", "--mount", *shell(line))


def signalled(name: str, run: str = "run") -> tuple[str, ...]:
    """Return what sends a signal to a search once it has a record."""
    return shell(
        f'"$@" & p=$!; i=0; while [ ! -s "{run}/run.db" ] && [ $i -lt 600 ]; do sleep 0.2; '
        f"i=$((i+1)); done; sleep 3; kill -{name} $p; wait $p"
    )


def one_cpu(folder: Path) -> None:
    """Make a control group of one core's time; its kernel's file system is of version 1 here."""
    group = CPU / "one-cpu"
    group.mkdir(exist_ok=True)
    (group / "cpu.cfs_period_us").write_text("100000")
    (group / "cpu.cfs_quota_us").write_text("100000")


def version_2(folder: Path) -> None:
    """Write what a container of one core and 2 GB sees of version 2."""
    for name, content in {
        "cpu.max": "max 100000", "pod/cpu.max": "100000 100000", "memory.max": "max",
        "pod/memory.max": str(2 << 30), "self": "0::/pod",
    }.items():  # fmt: skip
        path = folder / "v2" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


def two_runs(folder: Path) -> None:
    """Put a run there, and another one to compare it with."""
    old_run(folder)
    shutil.copytree(folder / "run", folder / "other")


def nothing_left(folder: Path) -> str:
    left = [name for name in os.listdir(folder) if name.startswith("run")]
    return f"left: {left}" if left else ""


IN_ONE_CPU = f'echo $$ > {CPU}/one-cpu/cgroup.procs; exec "$@"'
READ_ONLY = 'mount --bind run run && mount -o remount,ro,bind run && exec "$@"'
FULL = 'mkdir d && mount -t tmpfs -o size=48k tmpfs d; "$@"; c=$?; echo left: $(ls -A d).; exit $c'
AT_ONCE = '"$@" & "$@" & "$@" & wait; echo $(ls runs)'
PRETENDED = {SECONDS_VARIABLE: "2"}

MACHINE: tuple[Edge, ...] = (
    Edge(3, "SIGHUP", (Told(f"{SEARCH} --trials 40", 4, "nas resume run"),),
         {"plan.yaml": plan(execution=SLOW)}, alone=signalled("HUP"), environment=PRETENDED),
    Edge(3, "SIGTERM", (Told(f"{SEARCH} --trials 40", 4, "nas resume run"),),
         {"plan.yaml": plan(execution=SLOW)}, alone=signalled("TERM"), environment=PRETENDED),
    Edge(6, "one CPU, control groups of version 1 (real)",
         (Told("doctor", 0, r"1 CPU core \(of \d+: its container may use 1\)"),
          Told(f"{SEARCH} --quiet", 0)),
         {"plan.yaml": plan(execution=ON_RAY)}, one_cpu, alone=shell(IN_ONE_CPU)),
    Edge(6, "one CPU and 2 GB, version 2 (its files)",
         (Told("doctor", 0, "1 CPU core .*2.1 GB memory .its container's limit"),),
         prepare=version_2,
         alone=mounted('mount --bind v2 /sys/fs/cgroup; mount --bind v2/self /proc/$$/cgroup; '
                       'exec "$@"')),
    Edge(6, "a disk that is full while a run is made",
         (Told("search plan.yaml --run d/run", 2, r"(?i)(?=.*full)(?=.*left: \.)"),),
         {"plan.yaml": plan()}, alone=mounted(FULL)),
    Edge(6, "a home that cannot be written to", (Told(f"{SEARCH} --quiet", 0),),
         {"plan.yaml": plan(execution=ON_RAY)}, alone=(), environment={"HOME": "/proc/nowhere"}),
    Edge(6, "a TMPDIR too long for sockets", (Told(f"{SEARCH} --quiet", 0),),
         {"plan.yaml": plan(execution=ON_RAY)}, lambda f: Path(f"{f}{LONG}").mkdir(parents=True),
         alone=shell(f'TMPDIR="$PWD{LONG}" exec "$@"')),
    Edge(6, "PYTHONIOENCODING=ascii",
         (Told(SEARCH, 0), Told("pareto run", 0), Told("status run", 0)),
         {"plan.yaml": plan()}, alone=(), environment={"PYTHONIOENCODING": "ascii"}),
    Edge(6, "an address space of 3 GB, on Ray", (Told(f"{SEARCH} --quiet", 2, "ulimit"),),
         {"plan.yaml": plan(execution=ON_RAY)}, alone=shell('ulimit -v 3000000; exec "$@"'),
         after=nothing_left),
    Edge(6, "a run without the right to write",
         (*(Told(line, 0) for line in (
             "status run", "trials run", "pareto run", "why run 1", "compare run other",
             "report run --to out.html")),
          Told("replay run", 1, "differs")),  # an older policy proposed for this run
         {"tiny.yaml": (GOLDEN / "tiny.yaml").read_text()}, two_runs, alone=mounted(READ_ONLY)),
    Edge(6, "three searches at once",
         (Told("search plan.yaml --quiet", 0, "search-1 search-2 search-3"),),
         {"plan.yaml": plan()}, alone=shell(AT_ONCE)),
    Edge(6, "a secret in the address of the storage",
         (Told(f"{SEARCH} --set execution.storage=s3://me:s3cr3t@bucket/x", 2,
               r"\A(?!.*s3cr3t)"),),
         {"plan.yaml": plan()}, alone=()),
    Edge(6, "a path with a blank",
         (Told("search plan.yaml --run my~run --trials 40", 4, "nas resume 'my run'"),),
         {"plan.yaml": plan(execution=SLOW)}, alone=signalled("TERM", "my run"),
         environment=PRETENDED),
)  # fmt: skip
