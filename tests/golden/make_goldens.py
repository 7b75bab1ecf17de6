"""Record anew what the tests of this folder compare with: `make_goldens.py proposals spaces`.

A rerun is a decision that results may change; the diff of the recorded files shows which did. Run
it with the code that is to be remembered, and commit what it writes. `proposals` takes an hour: it
also runs under other instruction sets, because what differs there cannot be expected of another
machine.
"""

import itertools
import json
import os
import subprocess
import sys

import golden_proposals
import golden_spaces
from golden_files import CLOSE, NEAR, differences, read, write

from search_spaces import list_named_architectures

# seconds of a case that always runs; of dearer ones, one a policy and batch size does
CHEAP, DEAR = 0.25, 2.1
STATES = ("boshnas", "gp-wl", "forest", "nsga2", "reinforce", "tpe")
NO_AVX512 = "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL AVX512_SPR"
PRETENDED = {
    "haswell": {
        "OPENBLAS_CORETYPE": "Haswell", "ATEN_CPU_CAPABILITY": "avx2",
        "NPY_DISABLE_CPU_FEATURES": NO_AVX512, "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
    "zen": {"OPENBLAS_CORETYPE": "Zen", "ATEN_CPU_CAPABILITY": "avx2", "MKL_CBWR": "AVX2"},
    "skylake": {"OPENBLAS_CORETYPE": "SKYLAKEX", "ATEN_CPU_CAPABILITY": "avx512"},
    "old": {
        "OPENBLAS_CORETYPE": "Prescott", "ATEN_CPU_CAPABILITY": "default", "MKL_CBWR": "COMPATIBLE",
        "NPY_DISABLE_CPU_FEATURES": f"{NO_AVX512} AVX2 FMA3",
    },
    "two threads": {"OMP_NUM_THREADS": "2"},
}  # fmt: skip


def spaces() -> dict:
    """Return the entries of every space and of every published architecture."""
    return {
        "spaces": {f"{s} {t}": golden_spaces.TOPICS[t](s) for s, t in golden_spaces.entries()},
        "named": {name: golden_spaces.published(name) for name in list_named_architectures()},
    }


def proposals() -> dict:
    """Return every case, none of them marked as stable, and which run each time."""
    cases = {}
    for case in golden_proposals.cases():
        cases[str(case)] = golden_proposals.measured(case)
        say(f"{case}: {cases[str(case)]['seconds']} s")
    return {"cases": marked(cases)}


def marked(cases: dict[str, dict]) -> dict[str, dict]:
    """Return cases with a mark on those that run each time: the cheap, and one of each kind.

    That one is of one objective where proposals come one by one, of two where in batches, if this
    is not too dear.
    """
    offered: dict[tuple[str, int], list] = {}
    for case in golden_proposals.cases():
        entry = cases[str(case)]
        entry |= {"fast": entry["seconds"] <= CHEAP, "stable asks": 0, "stable predictions": False}
        right = case.seed == (0 if case.batch == 1 else 1) and entry["seconds"] <= DEAR
        rank = (not right, entry["seconds"])
        offered.setdefault((case.policy, case.batch), []).append((rank, str(case)))
    for ranked in offered.values():
        cases[min(ranked)[1]]["fast"] = True
    return cases


def states() -> dict:
    """Return saved states, and what is asked next."""
    return {"states": {p: {**golden_proposals.saved(p), "stable": False} for p in STATES}}


def elsewhere() -> dict:
    """Return what another machine must compare: spaces, proposals, continued states."""
    saved = read("states.json")["states"]
    return {
        "spaces": spaces(),
        "cases": {str(case): golden_proposals.measured(case) for case in golden_proposals.cases()},
        "next": {p: golden_proposals.continued(p, saved[p]["state"]) for p in saved},
    }


def stability() -> None:
    """Mark in the recorded files what came out the same on every pretended machine."""
    others = []
    for name, change in PRETENDED.items():
        answer = subprocess.run(
            [sys.executable, __file__, "elsewhere"], env={**os.environ, **change},
            stdout=subprocess.PIPE, check=True,
        )  # fmt: skip
        others.append(json.loads(answer.stdout))
        say(f"{name} is done")
    mark_stable(others)


def mark_stable(others: list[dict]) -> None:
    """Mark in the recorded files what is the same in all answers of `elsewhere`."""
    kept, saved, shipped = read("proposals.json"), read("states.json"), read("spaces.json")
    for other, topic in itertools.product(others, ("spaces", "named")):
        found = differences(shipped[topic], other["spaces"][topic], close=NEAR)
        say(f"{topic}: {found or 'agree'}")
    for case, entry in kept["cases"].items():
        found = [other["cases"][case] for other in others]
        entry["stable asks"] = min(_common(entry["asked"], f["asked"]) for f in found)
        entry["stable predictions"] = entry["stable asks"] == len(entry["asked"]) and not any(
            differences(entry["predicted"], f["predicted"], close=CLOSE) for f in found
        )
    for policy, entry in saved["states"].items():
        entry["stable"] = all(other["next"][policy] == entry["next"] for other in others)
    write("proposals.json", {"cases": kept["cases"]})
    write("states.json", {"states": saved["states"]})


def say(line: str) -> None:
    """Report progress where no output is read."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _common(first: list, second: list) -> int:
    """Return how many asks agree before the first that does not."""
    pairs = enumerate(zip(first, second, strict=True))
    return next((i for i, (a, b) in pairs if a != b), len(first))


def main(parts: list[str]) -> None:
    """Record the named parts."""
    for part in parts:
        if part == "spaces":
            write("spaces.json", spaces())
        elif part == "proposals":
            write("proposals.json", proposals())
            write("states.json", states())
        elif part == "stability":
            stability()
        elif part == "elsewhere":
            json.dump(elsewhere(), sys.stdout)
        else:
            sys.exit(f"{part!r} is no part; give spaces, proposals or stability.")


if __name__ == "__main__":
    main(sys.argv[1:])
