"""What a run directory says: its tables, its choices, and what is proposed when it goes on."""

import contextlib
import io
import json
import shutil
import sys
from pathlib import Path

from golden_files import HERE

RUN = HERE / "old_run"
MORE = 2  # trials that a resumed run is asked for beyond its own
FAILED, LOOKED_AT = (
    3,
    (1, 3, 5, 10),
)  # trials: the one that failed, and those that `nas why` is asked about


def copied(place: Path) -> Path:
    """Return a copy of the recorded run in the folder `place`, with the space it names beside."""
    shutil.copy(HERE / "tiny.yaml", place)
    return Path(shutil.copytree(RUN, place / RUN.name))


def call(place: Path, *arguments: object, codes: tuple[int, ...] = (0,)) -> str:
    """Return what `nas` with these arguments prints in the folder `place`, ending with a code.

    In this process, which has imported already what takes seconds.
    """
    from nas.cli.main import main

    before, printed, code = sys.argv, io.StringIO(), 0
    sys.argv = ["nas", *map(str, arguments)]
    try:
        with contextlib.chdir(place), contextlib.redirect_stdout(printed):
            main()
    except SystemExit as stop:
        code = stop.code or 0
    finally:
        sys.argv = before
    assert code in codes, printed.getvalue()
    return printed.getvalue()


def rows(table) -> list[dict]:
    """Return the rows of a table as plain JSON; numbers keep fifteen digits."""
    return json.loads(table.to_json(orient="records", double_precision=15, date_format="iso"))


def tables(place: Path) -> dict:
    """Return every table of the copy in `place`, and which trials it would pick."""
    import nas

    run = nas.open_run(place / RUN.name)
    return {
        "trials": rows(run.trials()),
        "proposals": rows(run.proposals()),
        "history": rows(run.history()),
        "front": [int(trial) for trial in run.pareto()["trial"]],
        "best": int(run.pick("best")["trial"]),
        "knee": int(run.pick("knee")["trial"]),
    }


def said(place: Path) -> dict:
    """Return what the commands that look at a run say of the copy in `place`, for programs."""
    asked = {"status": ["status", RUN.name], "replay": ["replay", RUN.name]}
    asked |= {f"why {trial}": ["why", RUN.name, trial] for trial in LOOKED_AT}
    return {
        # 1: the policy of today proposes otherwise than the one of then
        name: json.loads(call(place, *words, "--json", codes=(0, 1)))
        for name, words in asked.items()
    }


def continued(place: Path, planned: int) -> list[list]:
    """Resume the copy in `place` for a few more trials; return what was trained, in order."""
    import nas

    before = len(nas.open_run(place / RUN.name).trials())
    call(place, "resume", RUN.name, "--trials", planned + MORE)
    table = nas.open_run(place / RUN.name).trials().sort_values("trial").iloc[before:]
    return [[row.hash, float(row.fidelity), row.status] for row in table.itertuples()]
