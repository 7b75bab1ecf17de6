"""What the documentation tells a reader to do works: its blocks are run, in order, as written."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from nas.config import make_experiment
from nas.training.recipe import Recipe

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Return (language, text) of each block of a page."""
    return _BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


OBJECTIVES = "glue:max,parameters:min,latency_ms:min"


@pytest.fixture
def place(tmp_path, warm_python):
    """An empty directory, with `nas` and `python` on the path."""
    place = tmp_path / "docs"
    place.mkdir()
    (place / "bin").mkdir()
    warm_python.write_shim(place / "bin" / "nas", "-m", "nas")
    warm_python.write_shim(place / "bin" / "python")
    return place


def call(place, *command):
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{place}",
        "PATH": f"{place / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    answer = subprocess.run(
        command, cwd=place, env=environment, capture_output=True, text=True, timeout=300
    )
    assert answer.returncode == 0, f"{command[-1]}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


def run_page(place, page):
    """Run a page: files are written, shell lines and Python run, Python all in one process."""
    python, outputs = [], []
    for language, text in blocks(page):
        name = re.match(r"# file: (\S+)\n", text)
        if name:
            (place / name[1]).write_text(text)
        elif language == "bash":
            outputs.append(call(place, "bash", "-ec", text))
        elif language == "python":
            # Python blocks follow each other; a shell block between them may need their files.
            python.append(text)
            outputs.append(call(place, "python", "-c", "\n".join(python)))
    return outputs


@pytest.mark.slow
def test_the_tutorial(place):
    outputs = run_page(place, "tutorial.md")
    assert "parameters" in outputs[-1]
    assert (place / "front.png").exists()
    assert (place / "zoo" / "first" / "config.json").exists()


def test_reading_results(place, begin):
    for name, seed in (("runs/first-1", 0), ("runs/second-1", 1)):
        search = begin(name=name, policy="boshnas", seed=seed, objectives=OBJECTIVES)
        search.run_until_done()
        search.run.close()
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copytree(search.run.directory, place / name)
    text = "\n".join(text for language, text in blocks("reading-results.md"))
    out = call(place, "python", "-c", text)
    assert "share within two standard deviations" in out
    assert (place / "history.json").exists()


def test_adding(place):
    python = []
    for language, text in blocks("adding.md"):
        name = re.match(r"# file: (\S+)\n", text)
        if name:
            (place / name[1]).write_text(text)
        elif language == "python":
            python.append(text)
        elif language == "bash":
            out = call(place, "bash", "-ec", text)
            assert "architectures" in out or out.startswith("{")
    out = call(place, "python", "-c", "\n".join(python))
    assert "mean(share=0.75)" in out
    assert "{'milliseconds_a_layer': 1.5}" in out


def test_recipes(place):
    """The experiment is read; a kind is registered elsewhere and stands in a recipe."""
    found = blocks("recipes.md")
    experiment, slot = (yaml.safe_load(text) for language, text in found if language == "yaml")
    recipe = Recipe.from_dict(make_experiment(experiment).recipe)
    assert recipe.open["pretrain_learning_rate"] == (0.0005, 0.001, 0.002, 0.004)
    assert len(Recipe.from_dict(slot["recipe"]).open["schedule"]) == 3
    python = "\n".join(text for language, text in found if language == "python")
    choices = {"optimizer": {"adamw": {}, "sgd": {"momentum": [0.8, 0.9]}}}
    asked = f"from nas.training.recipe import Recipe\nprint(Recipe.from_dict({choices}).open)"
    out = call(place, "python", "-c", f"{python}\n{asked}")
    assert out == "{'optimizer': ('adamw', 'sgd(momentum=0.8)', 'sgd')}\n"


def test_from_a_checkpoint(place):
    for _, text in blocks("checkpoint.md"):
        name = re.match(r"# file: (\S+)\n", text)
        if name:
            (place / name[1]).write_text(text)
    commands = next(text for language, text in blocks("checkpoint.md") if language == "bash")
    out = call(place, "bash", "-ec", commands)
    assert "cuts of teacher" in out
    assert (place / "zoo" / "cut" / "sst2" / "config.json").exists()


def test_an_own_task(place):
    outputs = run_page(place, "own-task.md")
    assert "id,text,label,probability" in outputs[0]


def test_suites(place):
    outputs = run_page(place, "suites.md")
    assert "65 of 67 files are not there" in outputs[0]


def test_ensembles(place):
    (text,) = [text for language, text in blocks("ensembles.md") if language == "python"]
    assert call(place, "python", "-c", text) == "['bandit', 'stacked', 'weighted']\n"


@pytest.mark.slow
def test_trackers_and_tune(place):
    experiment = next(text for language, text in blocks("trackers.md") if language == "yaml")
    assert make_experiment(yaml.safe_load(experiment)).trackers == ("mlflow", "wandb")
    found = [text for language, text in blocks("trackers.md") if language == "python"]
    (place / "my_trial.py").write_text(found[0])
    (place / "tuned.py").write_text(found[1])
    out = call(place, "python", "tuned.py")
    assert "fidelity" in out
    assert list((place / "tune-results").rglob("events.out.tfevents*"))


def test_links_lead_somewhere():
    pages = [ROOT / "README.md", *DOCS.glob("*.md")]
    assert len(pages) > 5
    for page in pages:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_commands_that_are_named_exist():
    from nas.cli.main import COMMANDS

    for page in [ROOT / "README.md", *DOCS.glob("*.md")]:
        named = re.findall(r"(?:^|`)nas ([a-z]+)\b", page.read_text(encoding="utf-8"), re.MULTILINE)
        assert set(named) <= set(COMMANDS), page.name


def test_every_command_is_written_down_with_its_output():
    """The page of docs/write_commands.py; what it will show is what the script lists."""
    from nas.cli.main import COMMANDS

    script = (DOCS / "write_commands.py").read_text(encoding="utf-8")
    assert set(COMMANDS) <= set(re.findall(r"\bnas ([a-z]+)\b", script))
    page = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert set(COMMANDS) <= set(re.findall(r"^\$ .*\bnas ([a-z]+)\b", page, re.MULTILINE))
    assert "/tmp/" not in page
    assert "Traceback" not in page


def test_every_option_is_on_the_page_of_the_commands():
    spec = importlib.util.spec_from_file_location("write_commands", DOCS / "write_commands.py")
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    _, mark, written = script.PAGE.read_text(encoding="utf-8").partition(script.TREE)
    assert mark + written == script.tree()  # else: python docs/write_commands.py
    assert "nas zoo push FOLDER" in written


def notebook_code(path):
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


@pytest.mark.slow
def test_the_notebook(place):
    """Its cells run from top to bottom; `!` lines run in a shell, as a notebook does."""
    lines = ["import subprocess", "def display(shown): print(shown)"]
    for cell in notebook_code(DOCS / "first-search.ipynb"):
        for line in cell.splitlines():
            shell = re.match(r"!(.*)", line)
            lines.append(f"subprocess.run({shell[1]!r}, shell=True, check=True)" if shell else line)
    out = call(place, "python", "-c", "\n".join(lines))
    assert "hypervolume" in out
