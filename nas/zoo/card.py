"""The model card: facts for programs in the YAML on top of README.md, the same for people below."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from nas.evaluation.kinds import TASK_KINDS, TaskKind
from nas.zoo.files import CARD
from search_spaces.documents import read_yaml
from search_spaces.errors import NotAModel

# Every card says these; a fact inside a mapping has a dot.
REQUIRED = (
    "name",
    "architecture",
    "hash",
    "scores",
    "seeds",
    "data.name",
    "data.revision",
    "costs.parameters",
    "costs.latency_ms",
    "measured_on",
    "run.name",
    "run.trial",
    "lineage",
    "licence",
)
_FACTS = "encoder_nas"
# Task of GLUE -> the metric that is its score; where there are two, their mean is.
_GLUE_METRICS = {
    "cola": "matthews_correlation",
    "sst2": "accuracy",
    "mrpc": "mean of accuracy and f1",
    "stsb": "mean of pearson and spearman",
    "qqp": "mean of accuracy and f1",
    "mnli": "accuracy",
    "qnli": "accuracy",
    "rte": "accuracy",
    "wnli": "accuracy",
}
_TITLES = {
    "scores": "Scores (development data; larger is better)",
    "exported_scores": "Scores of the exported task models, measured again when exporting",
    "test_scores": "Scores on test data, which nothing was chosen by",
    "confirmed": "Confirmed with fresh seeds",
    "transductive": "Transductive: scored inputs that were learnt from, without their labels",
    "costs": "Costs",
    "measured_on": "Measured on",
    "seeds": "Seeds",
    "data": "Data",
    "run": "Run",
    "teacher": "Teacher that it learned from",
    "lineage": "Lineage of the weights",
    "chosen_recipe": "Chosen of the recipe together with the architecture",
    "recipe": "Recipe",
    "formats": "Other formats",
}


def missing_facts(card: Mapping[str, Any]) -> list[str]:
    """Return which of `REQUIRED` the card leaves out or leaves empty."""
    return [name for name in REQUIRED if _fact(card, name) in (None, "", {}, [])]


def _fact(card: Mapping[str, Any], name: str) -> Any:
    value: Any = card
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def read_card(folder: Path | str) -> dict[str, Any]:
    """Return the facts of the card in `folder`.

    Raises:
        NotAModel: There is no card, or it has no facts that can be read.
    """
    path = Path(folder) / CARD
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise NotAModel(
            f"{Path(folder)} has no model card ({CARD}). Give a folder that nas export has "
            "written, or export the model again."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise NotAModel(f"{path} cannot be read ({error}). Export the model again.") from None
    try:
        _, head, _ = text.split("---\n", 2)
        facts = read_yaml(head, str(path), NotAModel)[_FACTS]
    except (ValueError, KeyError, TypeError):  # NotAModel is a ValueError
        facts = None
    if not isinstance(facts, dict):
        raise NotAModel(
            f"{path} is no model card of nas export: its first lines hold no {_FACTS}. "
            "Export the model again."
        )
    return facts


def model_card(card: Mapping[str, Any]) -> str:
    """Return the text of README.md.

    Args:
        card: The facts that `REQUIRED` lists, and any other; plain YAML types.
    """
    tasks = card.get("tasks", [])
    card = dict(card)
    own = card.pop("own_tasks", {})
    known = own or _glue_tasks(card, tasks)
    head = {
        "library_name": "transformers",
        "license": card.get("licence", "other"),
        "language": sorted({task["language"] for task in own.values()}) or ["en"],
        "pipeline_tag": _pipeline(own) if tasks else "fill-mask",
        "tags": ["encoder", "flexibert", "neural-architecture-search"],
        **(hub_facts(card, known) if known else {}),
        _FACTS: card,
    }
    front = yaml.safe_dump(head, sort_keys=False, allow_unicode=True, width=100)
    lines = [
        "---",
        front.rstrip("\n"),
        "---",
        f"# {card.get('name', 'encoder')}",
        "",
        f"An encoder found by architecture search: {card.get('architecture', 'see below')}.",
        "",
        *_how_to_load(tasks, _first_kind(own)),
    ]
    for name, value in card.items():
        if isinstance(value, Mapping | list) and value and name != "tasks":
            title = _TITLES.get(name, name.replace("_", " ").capitalize())
            lines += ["", f"## {title}", "", *_table(value)]
    lines += ["", f"Licence of the weights: {card.get('licence', 'not said')}."]
    return "\n".join(lines)


def _glue_tasks(card: Mapping[str, Any], tasks: list[str]) -> dict[str, dict[str, Any]]:
    """Return what `hub_facts` reads, of the tasks of GLUE that a model was fine-tuned on."""
    scores = card.get("scores")
    if not isinstance(scores, Mapping):
        return {}
    data = card.get("data")
    named = data.get("name") if isinstance(data, Mapping) else None
    local = Path(str(named or "GLUE")).name  # of a folder no path, which is nobody's business
    # a folder in the layout of GLUE may hold anything: only the hub's own copy is called so
    dataset = {"type": "nyu-mll/glue", "name": "GLUE"} if named == "hub" else None
    return {
        name: {
            "language": "en",
            "kind": "number" if name == "stsb" else "classes",
            "metrics": [_GLUE_METRICS[name]],
            "results": {_GLUE_METRICS[name]: scores[name]},
            "dataset": (dataset or {"type": local, "name": local}) | {"config": name},
        }
        for name in tasks
        if name in _GLUE_METRICS and isinstance(scores.get(name), int | float)
    }


def hub_facts(card: Mapping[str, Any], own: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what the hub reads of tasks: datasets, metrics and the results.

    Args:
        card: The facts of the card.
        own: Task name -> "language", "kind", "metrics" and, by metric, "results" and, where there
            are examples that nothing was chosen by, "test"; perhaps "dataset", what it is called.
    """
    places = {
        name: {"name": name, "type": name} | task.get("dataset", {}) for name, task in own.items()
    }
    names = list(dict.fromkeys(place["type"] for place in places.values()))
    metrics = list(dict.fromkeys(name for task in own.values() for name in task["metrics"]))
    results = [
        {
            "task": {"type": _pipeline({name: task}), "name": task["kind"]},
            "dataset": {**places[name], "split": split},
            "metrics": [
                {"type": metric, "name": metric, "value": float(value)}
                for metric, value in task[values].items()
            ],
        }
        for name, task in own.items()
        for split, values in (("dev", "results"), ("test", "test"))
        if values in task
    ]
    return {
        "datasets": names,
        "metrics": metrics,
        "model-index": [{"name": str(card.get("name", "encoder")), "results": results}],
    }


def _pipeline(own: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the pipeline of the first task: GLUE's are of whole texts."""
    return _first_kind(own).pipeline


def _first_kind(own: Mapping[str, Mapping[str, Any]]) -> TaskKind:
    return TASK_KINDS[next((task["kind"] for task in own.values()), "classes")]


def _how_to_load(tasks: list[str], kind: TaskKind) -> list[str]:
    lines = [
        "## How to load",
        "",
        "Needs `torch` and `transformers`; the code of the model is in the folder. FOLDER is this "
        "folder, or its name on the Hugging Face hub.",
        "",
        "```python",
        "from transformers import AutoModel, AutoModelForMaskedLM, AutoTokenizer, pipeline",
        "",
        "model = AutoModel.from_pretrained(FOLDER, trust_remote_code=True)",
        "tokenizer = AutoTokenizer.from_pretrained(FOLDER, trust_remote_code=True)",
        'fill = pipeline("fill-mask", model=FOLDER, trust_remote_code=True)',
    ]
    if tasks:
        first = tasks[0]
        auto = kind.auto
        lines += [
            "",
            f"# Fine-tuned on each of: {', '.join(tasks)}",
            f"from transformers import {auto}",
            "",
            f"classifier = {auto}.from_pretrained(",
            f'    FOLDER, task_name="{tasks[-1]}", trust_remote_code=True',
            ")",
            kind.use.format(pipeline=kind.pipeline, first=first),
        ]
    lines += [
        "```",
        "",
        "Where encoder-nas is installed, `nas.load_model(FOLDER)` gives the encoder"
        + (f' and `nas.load_model(FOLDER, task="{tasks[-1]}")` a classifier' if tasks else "")
        + ". Texts longer than the model reads are cut by the tokenizer where asked: "
        "`pipeline(..., truncation=True)`.",
    ]
    return lines


def _table(value: Mapping[str, Any] | list) -> list[str]:
    if isinstance(value, list):
        return [f"- {_text(entry)}" for entry in value]
    return ["| | |", "|---|---|", *(f"| {key} | {_text(v)} |" for key, v in _flattened(value))]


def _flattened(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from _flattened(value, f"{above}{key} ")
        else:
            yield f"{above}{key}", value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**12 else str(value)
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(entry) for entry in value)
    if isinstance(value, Mapping):
        return "; ".join(f"{key} {_text(entry)}" for key, entry in value.items())
    return str(value)
