"""Imports point one way, importing does nothing heavy, and everything on offer can be built."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("nas", "search_spaces", "surrogates")
FILES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

# Who may not import whom; prefixes of module names.
FORBIDDEN = {
    "search_spaces": ("surrogates", "nas"),
    "surrogates": ("nas",),
    "nas/models": ("nas.training", "nas.search", "nas.runs", "nas.cli", "nas.execution"),
    "nas/data": ("nas.training", "nas.search", "nas.runs", "nas.cli", "nas.execution"),
    "nas/evaluation": ("nas.training", "nas.search", "nas.runs", "nas.cli", "nas.execution"),
    "nas/training": ("nas.search", "nas.runs", "nas.cli", "nas.execution", "nas.search.driver"),
    "nas/runs/directory": ("nas.training",),
    "nas/pareto": ("nas.training",),
    "nas/report": ("nas.training",),
    "nas/zoo": ("nas.training",),
    "nas/single/exporting.py": ("nas.training",),
}


def imported(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_one_way(path):
    place = path.relative_to(ROOT).as_posix()
    for start, banned in FORBIDDEN.items():
        if place.startswith(start):
            wrong = [
                name
                for name in imported(path)
                for b in banned
                if name == b or name.startswith(f"{b}.")
            ]
            assert not wrong, f"{place} imports {wrong}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_is_one_idea(path):
    assert path.name not in ("utils.py", "helpers.py", "common.py", "misc.py")
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400
    assert not lines or lines[0].startswith(('"""', 'r"""'))


def loaded_after(code):
    """Return the top-level packages in memory after running `code` in a fresh Python."""
    script = (
        f"{code}\nimport sys\nprint('LOADED', *sorted({{m.split('.')[0] for m in sys.modules}}))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return set(answer.stdout.split("LOADED")[1].split())


HEAVY = {"torch", "ray", "botorch", "gpytorch", "transformers", "pandas", "networkx", "sklearn"}


@pytest.mark.parametrize(
    "module", ["nas", "nas.cli.main", "nas.runs", "search_spaces", "surrogates"]
)
def test_importing_loads_nothing_heavy(module):
    assert not loaded_after(f"import {module}") & HEAVY


def test_help_and_status_load_neither_torch_nor_ray(tmp_path):
    run = (
        "from nas.config import make_experiment; from nas.runs import create_run; import pathlib;"
        "e = make_experiment({});"
        f"create_run(pathlib.Path({str(tmp_path / 'run')!r}), e, e.objectives).close()"
    )
    subprocess.run([sys.executable, "-c", run], cwd=ROOT, check=True)
    for arguments in (["--help"], ["status", str(tmp_path / "run")]):
        code = (
            f"import sys; sys.argv = ['nas', *{arguments!r}]\n"
            "from nas.cli.main import main\n"
            "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code, stop.code"
        )
        assert not loaded_after(code) & HEAVY


def test_every_kind_of_head_a_space_offers_can_be_built():
    from nas.models.encoder import Encoder
    from search_spaces import list_spaces, load_space

    kinds = {}
    for name in list_spaces():
        for architecture in load_space(name).sample(40, seed=0):
            for layer in architecture.layers:
                for head in layer.heads:
                    kinds.setdefault(head.kind, architecture)
    for architecture in {a.hash: a for a in kinds.values()}.values():
        if max(layer.width for layer in architecture.layers) <= 256:
            Encoder(architecture, 50)
    assert {kind.partition("_")[0] for kind in kinds} == {"sa", "l", "c"}


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
