"""Every field of the recipe reaches what it names: one changed value changes a tiny trial there.

A trial has stages, in this order: the prepared data, pre-training, the loss on text held out, the
tasks' fine-tuning, and the costs. For each field the table below says which stage is the first to
notice another value, and, where that does not follow from it, which later one must too. The stages
before must stay as they are to the last bit. A field without an entry fails.
"""

import dataclasses
import hashlib
from functools import partial

import numpy as np
import pytest
import torch

from nas.config import make_experiment
from nas.data.tables import Split, TaskData
from nas.evaluation.cost import Latency
from nas.evaluation.suites.glue import GLUE
from nas.models.transfer import Inheritance
from nas.training.loop import Loop
from nas.training.one_task import finetune_task
from nas.training.preparing import prepare_data
from nas.training.recipe import Recipe
from nas.training.trial import build_encoder, run_trial
from nas.training.watch import Watch
from search_spaces import Architecture

STAGES = ("data", "pretraining", "validation", "finetuning", "costs")
WORDS = ["good", "fine", "great", "bad", "poor", "weak", "film", "song", "meal", "book"]

PLAIN = Recipe(
    tasks=("sst2", "rte"),
    vocabulary_size=80,
    max_length=12,
    block_length=8,
    pretrain_tokens=256,
    pretrain_batch=4,
    finetune_epochs=2,
    finetune_batch=8,
    finetune_learning_rate=5e-3,
    precision="fp32",
    device="cpu",
)
SHORT = {"tasks": ("sst2",), "pretrain_tokens": 64, "finetune_epochs": 1}


@dataclasses.dataclass(frozen=True)
class Reaches:
    """What a changed value does.

    Attributes:
        stage: The first stage that notices it.
        value: The other value.
        later: A stage that must notice it too.
        beside: What else differs from the plain recipe, before and after.
        inherits: Whether the trial starts from another one's weights.
    """

    stage: str
    value: object
    later: str = ""
    beside: dict = dataclasses.field(default_factory=dict)
    inherits: bool = False


FIELDS = {
    "tasks": [Reaches("data", ("sst2",), "finetuning")],
    "tokenizer": [Reaches("data", "bpe", beside={"vocabulary_size": 300})],
    "vocabulary_size": [Reaches("data", 60, "costs")],
    "max_length": [Reaches("data", 8, "costs")],
    "block_length": [Reaches("data", 6, "pretraining")],
    "corpus_tokens": [Reaches("data", 300)],
    "max_train_examples": [Reaches("data", 20)],
    "max_dev_examples": [Reaches("data", 10)],
    "pretrain_tokens": [Reaches("pretraining", 128)],
    "pretrain_batch": [Reaches("pretraining", 2)],
    "pretrain_learning_rate": [Reaches("pretraining", 1e-3)],
    "pretrain_decay": [Reaches("pretraining", 0.3)],
    "inherit_tokens": [Reaches("pretraining", 0.6, inherits=True)],
    "inherit_learning_rate": [Reaches("pretraining", 0.5, inherits=True)],
    "size_exponent": [Reaches("pretraining", 1.0)],
    "short_blocks": [Reaches("pretraining", 0.5)],
    "mask_rate": [Reaches("pretraining", 0.6)],
    "pretrain_dropout": [Reaches("pretraining", 0.3)],
    "positions": [Reaches("pretraining", "absolute", "costs")],
    "pooling": [Reaches("finetuning", "mean")],
    "precision": [Reaches("pretraining", "bf16")],
    "warmup": [Reaches("pretraining", 0.5)],
    "weight_decay": [Reaches("pretraining", 0.9)],
    "clip": [Reaches("pretraining", 0.01)],
    "threads": [Reaches("pretraining", 2, "costs", beside=SHORT)],
    "finetune_epochs": [Reaches("finetuning", 3)],
    "finetune_steps": [Reaches("finetuning", 20)],
    "finetune_batch": [Reaches("finetuning", 16)],
    "finetune_learning_rate": [Reaches("finetuning", 1e-3)],
    "per_task": [
        Reaches("finetuning", {"rte": {"epochs": 3}}),
        Reaches("finetuning", {"rte": {"steps": 20}}),
        Reaches("finetuning", {"rte": {"batch": 16}}),
        Reaches("finetuning", {"rte": {"learning_rate": 1e-3}}),
    ],
    "finetune_seeds": [Reaches("finetuning", 2)],
    "selection": [
        Reaches("finetuning", "train-part"),
        Reaches("finetuning", "dev", beside={"finetune_epochs": 6}),
    ],
    "selection_share": [
        Reaches("finetuning", 0.3, beside={"selection": "train-part"}),
        Reaches("finetuning", 0.3, beside={"tune_trials": 1}),
    ],
    "tune_trials": [Reaches("finetuning", 2)],
    "from_mnli": [Reaches("finetuning", value=True, beside={"tasks": ("rte", "mnli")})],
    "dropout": [Reaches("finetuning", 0.3)],
}
# Fields whose other value changes nothing here, and why.
ELSEWHERE = {
    "device": "its other value needs a GPU; tests/nas/training/test_device.py has what it decides",
    "marks": "the generated texts have none; tests/nas/data/test_marks.py has what it decides",
    "open": "an architecture chooses; tests/nas/training/test_open_recipe.py has what trials get",
    "own_tasks": "which tasks are no GLUE's; tests/end_to_end/test_own_tasks.py trains on some",
    "slots": "other kinds than the first; tests/nas/training/test_recipe_slots.py trains with them",
    "teacher": "a folder; tests/nas/training/test_taught.py has who learns from it",
}

CASES = [
    pytest.param(field, change, id=f"{field}={change.value}")
    for field, changes in FIELDS.items()
    for change in changes
]


def examples(classes, count, seed, *, pair):
    rng = np.random.default_rng(seed)
    first = ["the {} was {} and not {}".format(*rng.choice(WORDS, 3)) for _ in range(count)]
    second = list(rng.choice(WORDS, count)) if pair else None
    return Split(first, second, rng.integers(0, classes, count))


TASKS = {
    "sst2": TaskData(
        "sst2", examples(2, 40, 0, pair=False), {"dev": examples(2, 24, 1, pair=False)}
    ),
    "rte": TaskData("rte", examples(2, 40, 2, pair=True), {"dev": examples(2, 24, 3, pair=True)}),
    "mnli": TaskData(
        "mnli",
        examples(3, 40, 4, pair=True),
        {name: examples(3, 24, 5, pair=True) for name in ("matched", "mismatched")},
    ),
}


def build(width):
    return Architecture.from_dict(
        {"l": 1, "o": ["sa"], "h": [width], "n": [2], "f": [[16]], "p": ["sdp"]}
    )


def digest(data):
    """Return a text that stands for the prepared data, bit by bit."""
    arrays = [data.pretrain, data.validation]
    for splits in data.tasks.values():
        parts = [a for split in splits.values() for a in dataclasses.astuple(split)]
        # passages stand beside questions alone; excerpts are texts, with tests of their own
        arrays += [a for a in parts if isinstance(a, np.ndarray)]
    content = hashlib.sha256(data.tokenizer_json.encode())
    for array in arrays:
        content.update(repr(array.shape).encode() + array.tobytes())
    return content.hexdigest()


@pytest.fixture(scope="module")
def observed(tmp_path_factory):
    """A function: what each stage of a trial with a recipe did, measured once."""
    folder = tmp_path_factory.mktemp("recipe-fields")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(examples(2, 120, 6, pair=False).first))
    experiment = make_experiment({"space": "flexibert-micro", "data": "glue-mini", "trials": 1})
    latencies, steps = [], []
    step = Loop.step

    def watched(loop, loss, count=1):
        before = (loop.learning_rate, count, torch.get_num_threads())
        steps.append((loop._stage, before))
        return step(loop, loss, count)

    def timed(encoder, **settings):
        latencies.append(settings)
        return Latency(1, 1, 0, 1)

    def load_source(name, tasks=None, **settings):
        return TASKS, [corpus]

    parent = folder / "parent.safetensors"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nas.data.source.load_source", load_source)
        patch.setattr("nas.training.trial.measure_latency", timed)
        patch.setattr("nas.training.trial.measure_energy", lambda *a, **k: None)
        run_trial(build(8), PLAIN, prepare_data(experiment, PLAIN), seed=0, weights_path=parent)
        patch.setattr(Loop, "step", watched)
        seen = {}

        def run(recipe, *, inherits):
            key = (repr(recipe), inherits)
            if key in seen:
                return seen[key]
            steps.clear()
            latencies.clear()
            kept = {}
            data = prepare_data(experiment, recipe)
            result = run_trial(
                build(8),
                recipe,
                data,
                seed=0,
                inherit=Inheritance(build(8), parent) if inherits else None,
                keep=lambda task, encoder, head, tuned: kept.update({task.name: tuned.passes}),
            )
            details, costs = result.details, result.costs
            untimed = {k: v for k, v in details.items() if not k.endswith(("_seconds", "_ms"))}
            pretraining = ("pretrain_loss", "pretrain_tokens", "precision")
            seen[key] = {
                "data": digest(data),
                "pretraining": (
                    [s for s in steps if s[0] == "pretrain"],
                    [details[name] for name in pretraining],
                ),
                "validation": details["validation_loss"],
                "finetuning": (
                    [s for s in steps if s[0] != "pretrain"],
                    {k: v for k, v in untimed.items() if k.startswith(recipe.tasks)},
                    result.scores,
                    kept,
                ),
                "costs": (costs["parameters"], costs["flops"], list(latencies)),
            }
            return seen[key]

        run.data = partial(prepare_data, experiment)
        yield run


def test_every_field_has_an_entry_and_only_one():
    names = [field.name for field in dataclasses.fields(Recipe)]
    assert sorted([*FIELDS, *ELSEWHERE]) == sorted(names)


@pytest.mark.parametrize(("field", "change"), CASES)
def test_another_value_is_noticed_where_it_is_said(field, change, observed):
    before = dataclasses.replace(PLAIN, **change.beside)
    after = dataclasses.replace(before, **{field: change.value})
    one = observed(before, inherits=change.inherits)
    other = observed(after, inherits=change.inherits)
    stage = STAGES.index(change.stage)
    for earlier in STAGES[:stage]:
        assert one[earlier] == other[earlier], f"{field} changes {earlier} already"
    for wanted in filter(None, (change.stage, change.later)):
        assert one[wanted] != other[wanted], f"{field} does not reach {wanted}"


@pytest.mark.parametrize("field", ["warmup", "weight_decay", "clip"])
def test_what_pretraining_notices_first_reaches_finetuning_as_well(field, observed):
    (change,) = FIELDS[field]
    losses = []
    for recipe in (PLAIN, dataclasses.replace(PLAIN, **{field: change.value})):
        torch.manual_seed(0)
        data = observed.data(recipe)
        encoder = build_encoder(build(8), recipe, data.vocabulary_size)
        result = finetune_task(encoder, GLUE["sst2"], data, recipe, 0, Watch(None, None), "fp32")
        losses.append(result.loss)
    assert losses[0] != losses[1]
