"""Every file in its room, imports one way, nothing heavy imported, all on offer can be built."""

import importlib.util
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nas", "search_spaces", "surrogates")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# The rooms of each package, lowest first: a file imports from its own room or an earlier one only.
# A room is a folder or a file right below the package; "face" is the package's own `__init__`.
ROOMS = {
    "search_spaces": {
        "errors": "what goes wrong, in words for whom it concerns",
        "documents": "YAML and JSON from outside, read within bounds",
        "registry": "name to class, for everything that others may add to",
        "parts": "a choice and its settings, as text",
        "kinds": "the slots of an encoder and a recipe, and what may stand in each",
        "operations": "the token mixers that a space may name",
        "standard_kinds": "what stands in every slot where nothing is said",
        "recipes": "what of a training may be chosen with an encoder",
        "architectures": "one encoder: layers, dictionary, hash, graph, size",
        "space": "what every space can do",
        "imported": "a space of the reader's own, from a Python file",
        "flexibert": "the space of the YAML files: choices, counting, neighbours",
        "library": "the spaces that come along",
        "distances": "how far apart two encoders are",
        "vectors": "encoders as points: embeddings, encodings",
        "constraints": "conditions such as parameters<15e6",
        "finite": "a space that is a list",
        "designs": "first samples that cover a space",
        "refinement": "a coarse space made finer around the best",
        "face": "the public names",
    },
    "surrogates": {
        "objectives": "which way is better, and what must hold",
        "domination": "which results are better than which",
        "costs": "what is known without training: parameters, FLOPs",
        "record": "what a policy was told",
        "promotion": "which trials are worth a higher fidelity",
        "policy": "what every policy can do: ask and tell",
        "candidates": "architectures to choose among",
        "features": "architectures as rows of numbers",
        "models": "what learns from results",
        "acquisition": "what a next trial is worth",
        "policies": "one file a policy",
        "boshnas": "the published policy and ours after it",
        "face": "the public names",
    },
    "nas": {
        "printable": "text that a terminal, a page and the record can take",
        "whole_files": "files that are there whole or not at all",
        "addresses": "URIs as people may see them",
        "limits": "cores and memory this process may use",
        "pareto": "fronts of any table",
        "evaluation": "metrics, costs, suites of tasks",
        "tables": "what happened, as DataFrames",
        "fidelity_rules": "which trials go on at which fidelity",
        "fidelity_tasks": "which tasks a search trains at which fidelity",
        "setting_types": "what settings of several kinds hold",
        "execution_settings": "where and how trials run, as settings",
        "config": "the experiment file",
        "runs": "the record of a search: directory, journal, storage",
        "models": "the encoder as PyTorch modules, and weights from other encoders",
        "data": "texts, tokenizer, batches",
        "zoo": "exported folders: written, loaded, checked",
        "teachers": "trained encoders to search inside of, and how they are cut",
        "training": "one trial: pre-training, fine-tuning, measuring",
        "execution": "where trials run, and how they end",
        "single": "one model at a time, without a search",
        "ensembles": "several found models as one",
        "proposals": "policies at work beside the search",
        "search": "the loop: which trials run, what was spent, when to stop",
        "benchmarks": "what this project measures of itself",
        "report": "the page about a run",
        "face": "the public names and the version",
        "cli": "the commands",
        "__main__": "python -m nas",
    },
}
ORDER = [f"{package}/{room}" for package, rooms in ROOMS.items() for room in rooms]


def reader():
    """Return the script that reads the imports."""
    spec = importlib.util.spec_from_file_location("rooms", ROOT / "experiments" / "rooms.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


READER = reader()


def place(module):
    """Return the room of a module as `ORDER` writes it."""
    room = READER.room_of(module)
    return room if "/" in room else f"{room}/face"


def climbing(house):
    """Return the imports that lead to a later room."""
    return [
        f"{module} ({place(module)}) imports {target} ({place(target)})"
        for module, targets in house.imports.items()
        for target in targets
        if ORDER.index(place(target)) > ORDER.index(place(module))
    ]


@pytest.fixture(scope="module")
def house():
    return READER.House(ROOT)


def test_every_file_is_in_a_room_of_the_list_and_every_room_exists(house):
    assert {place(module) for module in house.files} == set(ORDER)


def test_tests_stand_in_folders_of_the_rooms_that_they_are_about():
    folders = {
        path.parent.relative_to(ROOT / "tests").as_posix()
        for package in PACKAGES
        for path in (ROOT / "tests" / package).rglob("test_*.py")
    }
    assert {"/".join(folder.split("/")[:2]) for folder in folders} <= {*PACKAGES, *ORDER}


def test_no_import_climbs(house):
    assert climbing(house) == []


def test_no_circle_of_files_or_rooms(house):
    assert READER.circle(house.imports) is None
    assert READER.circle(house.room_imports) is None


def planted(tmp_path, **files):
    for name, text in files.items():
        path = tmp_path / name.replace("__", "/").replace("FACE", "__init__")
        path = path.with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return READER.House(tmp_path)


def test_a_climbing_import_is_seen_wherever_it_is_written(tmp_path):
    house = planted(
        tmp_path,
        nas__search__FACE="",
        nas__search__loop="class Search: ...",
        nas__training__trial="def f():\n    from nas.search import Search",
        nas__training__seeds="import nas.search.loop",
        nas__training__device="from nas.search import loop",
        nas__training__budget=(
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import nas.search.loop"
        ),
        nas__cli__search="from nas.search.loop import Search",
    )
    assert sorted(line.split()[0] for line in climbing(house)) == [
        "nas.training.device", "nas.training.seeds", "nas.training.trial",
    ]  # fmt: skip
    assert "imports nas.search.loop" in " ".join(climbing(house))  # the home, not the face


def test_a_circle_is_seen_within_a_room_and_through_its_face(tmp_path):
    house = planted(
        tmp_path,
        nas__runs__FACE="",
        nas__runs__journal="from nas.runs import lock\ndef open_journal(): ...",
        nas__runs__lock="def f():\n    from nas.runs import open_journal",
    )
    assert set(READER.circle(house.imports)) == {"nas.runs.journal", "nas.runs.lock"}


def faults_of(path):
    """What keeps a file from being one idea, in words."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if path.name in ("utils.py", "helpers.py", "common.py", "misc.py"):
        yield "says nothing by its name"
    if len(lines) > 400:
        yield f"has {len(lines)} lines"
    if lines and not lines[0].startswith(('"""', 'r"""')):
        yield "does not begin with what it is"


def test_a_file_is_one_idea(tmp_path):
    # one test for all files: a test each would take longer than what it looks at
    assert [f"{p.relative_to(ROOT)} {f}" for p in FILES for f in faults_of(p)] == []
    (tmp_path / "utils.py").write_text("import os\n" * 401)
    assert len(list(faults_of(tmp_path / "utils.py"))) == 3


# What is written once in all three packages: pattern -> the file that may hold it.
ONCE = {
    r"== .max. else -1": "surrogates/objectives.py",
    r"all\(a >= b": "surrogates/domination/running.py",
    r"\] >= value\)|>= values\[None|front >= ": "surrogates/domination/fronts.py",
    r"\bscores\b.{0,9}, \*\*": "nas/evaluation/measured.py",
    r"Table\(box": "nas/cli/console_table.py",
    r"reduction \+ 1e-9": "surrogates/promotion.py",
    r"os\.(replace|rename|fsync)|NamedTemporaryFile|\.with_name\(": "nas/whole_files.py",
}


@pytest.mark.parametrize("pattern", ONCE)
def test_what_is_written_once(pattern):
    found = {
        path.relative_to(ROOT).as_posix()
        for path in FILES
        if re.search(pattern, path.read_text(encoding="utf-8"))
    }
    assert found == {ONCE[pattern]}


def loaded_after(*steps):
    """Return the top-level packages in memory after each step, all run in one fresh Python."""
    look = "print('LOADED', *sorted({m.split('.')[0] for m in __import__('sys').modules}))"
    script = "\n".join(line for step in steps for line in (step, look))
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    lines = [line.split()[1:] for line in answer.stdout.splitlines() if line.startswith("LOADED")]
    assert len(lines) == len(steps)
    return [set(line) for line in lines]


HEAVY = {"torch", "ray", "botorch", "gpytorch", "transformers", "pandas", "networkx", "sklearn"}
LIGHT = (
    "nas",
    "search_spaces",
    "surrogates",
    "nas.cli.main",
    "nas.runs.directory",
    "nas.search.loop",
    "nas.report.html_report",
    "nas.single.exporting",
)


def test_importing_loads_nothing_heavy():
    # one after the other in one process: whichever is the first to load something is named
    loaded = loaded_after(*(f"import {module}" for module in LIGHT), "import networkx")
    found = {m: now & HEAVY for m, now in zip((*LIGHT, "it"), loaded, strict=True) if now & HEAVY}
    assert list(found) == ["it"]


@pytest.mark.parametrize("name", ["nas", "search_spaces", "surrogates"])
def test_a_package_lists_what_it_loads_when_first_used(name):
    package = import_module(name)
    assert set(package.__all__) <= set(dir(package))


def test_help_and_status_load_neither_torch_nor_ray(tmp_path):
    from nas.config import make_experiment
    from nas.runs import create_run

    experiment = make_experiment({})
    create_run(tmp_path / "run", experiment, experiment.objectives).close()
    steps = [
        f"import sys; sys.argv = ['nas', *{arguments!r}]\n"
        "from nas.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code"
        for arguments in (["--help"], ["status", str(tmp_path / "run")])
    ]
    for loaded in loaded_after(*steps):
        assert not loaded & HEAVY


def test_every_kind_of_head_a_space_offers_can_be_built():
    from nas.models.encoder import Encoder
    from search_spaces import list_spaces, load_space
    from search_spaces.operations import operation_of

    kinds = {}
    for name in list_spaces():
        for architecture in load_space(name).sample(40, seed=0):
            for layer in architecture.layers:
                for head in layer.heads:
                    kinds.setdefault(head.kind, architecture)
    for architecture in {a.hash: a for a in kinds.values()}.values():
        if max(layer.width for layer in architecture.layers) <= 256:
            Encoder(architecture, 50)
    assert {"sa", "l", "c", "longconv", "attention"} <= {operation_of(kind) for kind in kinds}


def test_every_policy_on_offer_can_be_made():
    from search_spaces import load_space
    from surrogates import list_policies, make_policy

    space = load_space("flexibert-micro")
    for name in list_policies():
        assert len(make_policy(name, space, {"glue": "max"}, seed=0).ask(2)) == 2


def test_every_experiment_file_is_one():
    from nas.config import make_experiment, read_settings

    files = sorted((ROOT / "experiments").glob("*.yaml"))
    assert files
    for path in files:
        make_experiment(read_settings(path))


def test_every_command_exists_and_has_help():
    from click.testing import CliRunner

    from nas.cli.main import COMMANDS, cli

    for name in COMMANDS:
        answer = CliRunner().invoke(cli, [name, "--help"])
        assert answer.exit_code == 0, answer.output
        assert "Usage" in answer.output
