"""A kind in every slot from a package outside the project, from a space file to a loaded export.

The package, `strange_kinds.py`, is installed for child processes alone, with entry points as any.
"""

import json
import os
import shutil
from pathlib import Path

import pandas as pd
import pytest
import yaml

import nas
from surrogates import POLICIES

HERE, ROOT = Path(__file__).parent, Path(nas.__file__).parents[1]
GROUPS = (
    "operations", "mixers", "feedforwards", "blocks", "residuals", "embeddings", "positions",
    "norms", "outputs", "projections", "pretraining", "optimizers", "schedules",
)  # fmt: skip
SPACE = {
    "layers": [2],
    "layers_per_stack": 1,
    "widths": [16, 32],
    "heads": [2],
    "operations": {"sa": ["sdp"], "strange": {"size": [4, 8]}},
    "feedforward_widths": [24],
    "feedforward_depths": [1],
    "feedforwards": {"mlp": {}, "strange": {"size": [4, 8]}},
    "blocks": {"plain": {}, "strange": {}},
    "residuals": {"post": {}, "strange": {}},
    "model": {
        "embedding": {"learned": {}, "strange": {}},
        "positions": {"relative": {}, "strange": {}},
        "norm": {"layer": {}, "strange": {}},
        "output": {"tied": {}, "strange": {}},
        "projection": {"linear": {}, "strange": {}},
    },
    "recipe": {
        "objective": {"mlm": {}, "strange": {"size": [4, 8]}},
        "optimizer": {"adamw": {}, "strange": {}},
        "finetune_optimizer": {"adamw": {}, "strange": {}},
        "schedule": {"linear": {}, "strange": {}},
    },
}
ALL_STRANGE = {
    "l": 2,
    "o": ["strange"] * 2,
    "p": ["size=8", ""],
    "h": [16, 32],
    "n": [2, 2],
    "f": [[24], [24]],
    "parts": [{"feedforward": "strange(size=8)", "block": "strange", "residual": "strange"}] * 2,
    "model": dict.fromkeys(SPACE["model"], "strange"),
    "recipe": dict.fromkeys(SPACE["recipe"], "strange"),
}
SMALL = {
    "tasks": ["sst2"],
    "execution": {"engine": "inline"},
    "recipe": {
        "pretrain_tokens": 1500,
        "finetune_epochs": 1,
        "finetune_steps": 1,
        "max_train_examples": 32,
    },
}
WALK = """
import json
from search_spaces import Architecture, encode, graph_edit_distance, load_space

space = load_space("strange.yaml")
strange = Architecture.from_dict(json.load(open("strange.json")))
assert strange in space, strange.describe()
usual = next(a for a in space.sample(200, seed=1) if a.layers[0].kinds == {"sa_sdp": 2})
again = Architecture.from_dict(json.loads(json.dumps(strange.to_dict())))
assert again == strange and again.hash == strange.hash != usual.hash
assert all(n in space and n != strange for n in space.neighbours(strange))
print("distance", graph_edit_distance(strange, usual) > 0 == graph_edit_distance(strange, again))
apart = dict(strange.to_dict(), model=dict(strange.to_dict()["model"], norm="layer"))
print("one part", graph_edit_distance(strange, Architecture.from_dict(apart)) > 0)
rows = encode([strange, usual, Architecture.from_dict(apart)], "features", space=space)
print("features", (rows[0] != rows[1]).any() and (rows[0] != rows[2]).any())
"""
PROPOSE = """
from search_spaces import load_space
from surrogates import POLICIES, make_policy

space = load_space("strange.yaml")
for name in {names}:
    policy = make_policy(name, space, {{"glue": "max"}}, seed=0)
    for i, a in enumerate(policy.ask(3)):
        policy.tell(a, {{"glue": 0.1 * i}})
    (asked,) = policy.ask(1)
    assert asked in space, name
    print(name)
"""
# what loads an export, with neither the project nor the package within reach
ALONE = """
import sys
sys.path[:] = [p for p in sys.path if p not in {hidden!r}]
sys.meta_path[:] = [f for f in sys.meta_path if "editable" not in str(f).lower()]
for name in ("nas", "search_spaces", "strange_kinds"):
    try:
        __import__(name)
    except ImportError:
        continue
    raise SystemExit(f"{{name}} is there")
"""
ANSWER = """
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification
tokens = torch.tensor([[2, 7, 9, 11, 3], [2, 8, 3, 0, 0]])
for auto in (AutoModelForMaskedLM, AutoModelForSequenceClassification):
    model = auto.from_pretrained("zoo", trust_remote_code=True).eval()
    with torch.no_grad():
        logits = model(tokens, (tokens != 0).long()).logits
    print(type(model).__module__.split(".")[0], *(f"{x:.5f}" for x in logits.flatten()[:8]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("foreign")
    package = place / "site"
    information = package / "strange_kinds-1.0.dist-info"
    information.mkdir(parents=True)
    shutil.copy(HERE / "strange_kinds.py", package)
    (information / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: strange-kinds\nVersion: 1\n"
    )
    entries = "".join(f"[nas.{group}]\nstrange = strange_kinds\n" for group in GROUPS)
    (information / "entry_points.txt").write_text(entries)
    (place / "strange.yaml").write_text(yaml.safe_dump(SPACE))
    (place / "strange.json").write_text(json.dumps(ALL_STRANGE))
    (place / "small.yaml").write_text(yaml.safe_dump(SMALL))
    return place


def run(place, warm_python, *arguments, package=True):
    paths = [str(ROOT), *([str(place / "site")] if package else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}
    return warm_python.run(*arguments, cwd=place, env=environment)


@pytest.fixture(scope="module")
def succeed(warm_python):
    """Return what runs a program of Python that must end well, and what it prints."""

    def succeed(place, *arguments):
        done = run(place, warm_python, *arguments)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        return done.stdout

    return succeed


def test_it_is_sampled_hashed_and_measured(place, succeed):
    lines = succeed(place, "-c", WALK).split("\n")
    assert lines[:3] == ["distance True", "one part True", "features True"]


@pytest.mark.parametrize(
    "names", ["['boshnas', 'tpe']", pytest.param("sorted(POLICIES)", marks=pytest.mark.slow)]
)
def test_it_is_proposed(place, succeed, names):
    proposed = succeed(place, "-c", PROPOSE.format(names=names)).split()
    assert proposed == (["boshnas", "tpe"] if "tpe" in names else sorted(POLICIES))


@pytest.fixture(scope="module")
def searched(place, succeed):
    succeed(
        place, "-m", "nas", "search", "small.yaml", "--space", "strange.yaml",
        "--trials", "3", "--policy", "random", "--inheritance", "--run", "run", "--quiet",
    )  # fmt: skip
    return place


def test_it_is_searched_inherited_and_reported(searched, succeed):
    succeed(searched, "-m", "nas", "trials", "run", "--to", "trials.csv")
    rows = pd.read_csv(searched / "trials.csv")
    assert rows["status"].tolist() == ["done"] * 3
    assert rows["recipe.optimizer"].isin(["adamw", "strange"]).all()
    succeed(searched, "-m", "nas", "report", "run")
    page = (searched / "run" / "report.html").read_text(encoding="utf-8")
    assert "strange(size=8)" in page


@pytest.fixture(scope="module")
def exported(searched, succeed):
    succeed(
        searched, "-m", "nas", "train", "strange.json", "--to", "zoo",
        *(f"--recipe={key}={value}" for key, value in SMALL["recipe"].items()),
        "--tasks", "sst2",
    )  # fmt: skip
    return searched


def test_it_is_trained_exported_and_loaded_without_its_package(exported, succeed):
    here = succeed(exported, "-c", "import nas; nas.load_model('zoo')\n" + ANSWER)
    hidden = [str(ROOT), str(exported / "site"), ""]
    alone = succeed(exported, "-c", ALONE.format(hidden=hidden) + ANSWER)
    own, theirs = ([line.split() for line in text.splitlines()] for text in (here, alone))
    assert [line[0] for line in theirs] == ["transformers_modules"] * 2
    assert [line[1:] for line in own] == [line[1:] for line in theirs]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("space show strange.yaml", "No operation is called 'strange'. Available: attention, c"),
        ("resume run --trials 4", "is called 'strange'. Available: "),
        ("export run --to other", "is called 'strange'. Available: "),
        ("predict zoo --task sst2 hello", "is called 'strange'. Available: "),
    ],
)
def test_without_its_package_commands_say_what_is_missing(exported, warm_python, command, message):
    done = run(exported, warm_python, "-m", "nas", *command.split(), package=False)
    said = done.stdout + done.stderr
    assert done.returncode == 2, said
    assert message in said
    assert "another package" in said
    assert "Traceback" not in said
    assert not (exported / "other").exists()
