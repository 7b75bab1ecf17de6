"""What other packages offer is loaded when it is looked for, and a broken one is named."""

import subprocess
import sys
from pathlib import Path

import pytest

import search_spaces
from search_spaces.errors import BrokenPackage
from search_spaces.registry import Registry

ROOT = str(Path(search_spaces.__file__).parents[1])


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Return a function that installs a package with one entry point."""

    def install(name, value, source):
        information = tmp_path / f"{name}-1.0.dist-info"
        information.mkdir()
        (information / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (information / "entry_points.txt").write_text(f"[nas.{name}]\nthing = {value}\n")
        (tmp_path / f"{name}_module.py").write_text(source)
        monkeypatch.syspath_prepend(tmp_path)

    yield install
    for name in [n for n in sys.modules if n.endswith("_module") and n.startswith("pack")]:
        del sys.modules[name]


def test_an_entry_point_is_loaded_at_the_first_look(package):
    package("packa", "packa_module:FOUND", "FOUND = 7\n")
    registry = Registry("thing", "nas.packa")
    assert not registry.holds("thing")
    assert registry["thing"] == 7
    assert list(registry) == ["thing"]


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("import no_such_thing\n", "ModuleNotFoundError: No module named 'no_such_thing'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("FOUND_NOT = 1\n", "AttributeError: .*'FOUND'"),
    ],
)
def test_a_package_that_cannot_be_imported_is_named_every_time(package, source, reason):
    package("packb", "packb_module:FOUND", source)
    registry = Registry("thing", "nas.packb")
    for _ in range(2):
        with pytest.raises(BrokenPackage, match=rf"packb 1\.0 offers 'thing' as .*{reason}.*Mend"):
            registry["thing"]


def test_the_command_line_says_so_without_a_traceback(package, tmp_path):
    package("operations", "operations_module", "import no_such_thing\n")
    (tmp_path / "space.yaml").write_text(
        "{layers: [2], layers_per_stack: 1, widths: [16], heads: [2], operations: {thing: {}}, "
        "feedforward_widths: [24], feedforward_depths: [1]}"
    )
    done = subprocess.run(
        [sys.executable, "-m", "nas", "space", "show", "space.yaml"],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{':'.join(p for p in [ROOT, *sys.path] if p)}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert "operations 1.0 offers 'thing'" in done.stderr
    assert "Traceback" not in done.stderr
