"""A recipe: every number of a trial that is not the architecture, the data or the seed.

All architectures of a search are trained by one recipe, so that their scores can be compared.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from itertools import islice, product
from typing import Any, ClassVar

from nas.evaluation.suites.glue import GLUE
from nas.training.aliases import ALIASES, fields_in, part_from, refuse_both
from nas.training.choices import OPEN, check_open, standing_in, with_open
from nas.training.combinations import NUMBERS, check_together
from nas.training.recipe_checks import (
    check_choice,
    check_range,
    check_whole,
    read_number,
    read_per_task,
    read_tasks,
)
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import RECIPE_SLOTS, SLOTS
from search_spaces.parts import Part, Value
from search_spaces.recipes import Phases, flattened, write_phases
from search_spaces.registry import Registry

# WNLI is left out unless asked for, as usual since BERT: a constant answer beats models that try
GLUE_TASKS = tuple(name for name in GLUE if name != "wnli")
ALLOWED = {
    "positions": SLOTS["positions"].kinds,
    "pooling": ("first", "mean"),
    "marks": ("auto", "keep", "strip"),
    "precision": ("fp32", "bf16", "auto"),
    "device": ("auto", "cpu", "cuda"),
    "selection": ("none", "train-part", "dev"),
}


@dataclass(frozen=True)
class Recipe:
    """How one architecture is prepared for, pre-trained, fine-tuned and measured.

    Attributes:
        tasks: Names of the tasks to fine-tune on, each from the pre-trained weights.
        own_tasks: Which of these are the user's own; the others are GLUE's.
        tokenizer: The run's one tokenizer: "wordpiece", "bpe" (bytes), or a tokenizer.json file.
        vocabulary_size: Its entries at most, special tokens included.
        max_length: Longest sequence of a task, in tokens; longer ones are cut.
        block_length: Tokens of one pre-training sequence; text is packed, so none is padding.
        corpus_tokens: Pre-training text kept, in tokens; None keeps all of it.
        max_train_examples: Training examples kept of each task; None keeps all.
        max_dev_examples: Development examples kept of each split of a task; None keeps all.
        pretrain_tokens: Budget of masked language modelling, in tokens read.
        pretrain_batch: Sequences in a pre-training step.
        pretrain_learning_rate: Peak learning rate of pre-training.
        pretrain_decay: Share of the tokens over which that rate falls to zero, after a level part;
            None falls from the end of the warm-up on. A trial promoted to a larger budget repeats
            only this share of the smaller one.
        size_exponent: How far that rate follows the size of an encoder: it is multiplied by this
            power of 64 / width and of the root of 2 / layers. 0 for one rate for all.
        short_blocks: Share of the steps of pre-training, the first ones, that read sequences half
            as long, and twice as many.
        inherit_tokens: Share of `pretrain_tokens` for a trial that starts from another's weights.
        inherit_learning_rate: Peak learning rate of that pre-training, as a share of the usual one.
        mask_rate: Share of tokens to predict.
        finetune_epochs: Passes over a task's training examples.
        finetune_steps: Fewest fine-tuning steps; a small task gets more passes to reach them.
        finetune_batch: Sequences in a fine-tuning step.
        finetune_learning_rate: Peak learning rate of fine-tuning.
        per_task: Task name -> what differs for it: `epochs`, `steps`, `batch`, `learning_rate`.
        finetune_seeds: How often each task is fine-tuned, each with its own head, order and
            dropout; the score is the mean.
        selection: What the weights of a fine-tuning are picked by, after each pass: "none" takes
            those after the last pass, "train-part" the best on a held-out part of the training
            set, "dev" the best on the development set that is also reported, as is common.
        selection_share: The share of the training set that "train-part" and tuning hold out.
        tune_trials: Settings of learning rate and batch that Optuna tries for each task, scored
            as `selection` says ("none" as "train-part"); 0 takes the recipe's.
        from_mnli: Fine-tune MRPC, RTE and STS-B from the weights fine-tuned on MNLI.
        warmup: Share of the steps over which the learning rate rises; then it falls to zero.
        weight_decay: Decoupled decay of matrices; biases, norms and embeddings have none.
        clip: Largest allowed norm of the gradient of all parameters together.
        dropout: Probability of dropping an activation while fine-tuning.
        pretrain_dropout: The same while pre-training.
        positions: "absolute" (learned table) or "relative" (a table in each layer).
        marks: Whether a wordpiece tokenizer keeps the marks of letters: "keep", "strip" (as BERT
            does), or "auto", which keeps them in other languages than English and in scripts that
            need them.
        pooling: What a task's head reads: the "first" token, or the "mean" of the real ones.
        precision: "fp32", "bf16" (autocast) or "auto": what is faster for the device and widths.
        device: "cpu", "cuda" or "auto": a GPU where there is one.
        threads: CPU threads of one trial.
        open: Fields that every architecture chooses for itself: name to the values there are. In an
            experiment a field is left open by a list or `{from: LOW, to: HIGH, steps: N}` in place
            of its value, a slot by its kinds; `OPEN` names those that may be.
        teacher: Folder of a trained encoder, or hub:NAME, that students which are no cuts of it
            learn from as `distillation` says; "" for none. It is fine-tuned once a run.
        slots: What stands in slots of the recipe, where that is not what the fields say: name of
            the slot to text, such as `{"optimizer": "lamb"}`. In an experiment each slot is a key.
    """

    tasks: tuple[str, ...] = GLUE_TASKS
    tokenizer: str = "wordpiece"
    vocabulary_size: int = 1_024
    max_length: int = 48
    block_length: int = 32
    corpus_tokens: int | None = None
    max_train_examples: int | None = 1_000
    max_dev_examples: int | None = None
    pretrain_tokens: int = 320_000
    pretrain_batch: int = 16
    pretrain_learning_rate: float = 2e-3
    pretrain_decay: float | None = None
    size_exponent: float = 0.0
    short_blocks: float = 0.0
    inherit_tokens: float = 0.2
    inherit_learning_rate: float = 1.0
    mask_rate: float = 0.3
    finetune_epochs: int = 5
    finetune_steps: int = 1
    finetune_batch: int = 32
    finetune_learning_rate: float = 1e-3
    per_task: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    finetune_seeds: int = 1
    selection: str = "none"
    selection_share: float = 0.1
    tune_trials: int = 0
    from_mnli: bool = False
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    dropout: float = 0.0
    pretrain_dropout: float = 0.0
    positions: str = "relative"
    pooling: str = "first"
    marks: str = "auto"
    precision: str = "auto"
    device: str = "auto"
    threads: int = 1
    open: Mapping[str, tuple[Value, ...]] = field(default_factory=dict)
    slots: Mapping[str, str] = field(default_factory=dict)
    own_tasks: tuple[str, ...] = ()
    teacher: str = ""

    OPEN: ClassVar[tuple[str, ...]] = OPEN

    def __post_init__(self) -> None:
        object.__setattr__(self, "open", {k: tuple(v) for k, v in dict(self.open).items()})
        self._take_slots()
        object.__setattr__(self, "tasks", read_tasks(self.tasks, self.own_tasks))
        object.__setattr__(self, "own_tasks", tuple(self.own_tasks))
        object.__setattr__(self, "per_task", read_per_task(self.per_task, self.own_tasks))
        for name in _WHOLE:
            check_whole(name, getattr(self, name), at_least=_LEAST.get(name, 1))
        for name in _LIMITS:
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), at_least=1, or_none=True)
        for name, (low, high, ends) in _RANGES.items():
            if getattr(self, name) is not None or name not in _OPTIONAL:
                check_range(name, getattr(self, name), low, high, ends)
        for name, allowed in ALLOWED.items():
            check_choice(name, getattr(self, name), allowed)
        if not str(self.tokenizer).endswith(".json"):
            check_choice("tokenizer", self.tokenizer, ("wordpiece", "bpe", "FILE.json"))
        if not isinstance(self.teacher, str):
            raise InvalidExperiment(
                f"teacher is {self.teacher!r}. Give the folder of a trained encoder, or hub:NAME."
            )
        check_choice("from_mnli", self.from_mnli, (True, False))
        if self.from_mnli and "mnli" not in self.tasks:
            raise InvalidExperiment(
                "from_mnli starts MRPC, RTE and STS-B from weights fine-tuned on MNLI, and mnli is "
                f"not among the tasks {', '.join(self.tasks)}. Add it, or set from_mnli: false."
            )
        if not self.open:
            check_together(self)
        for name in self.per_task:
            self.for_task(name)
        self._check_open()

    def _take_slots(self) -> None:
        """Check what stands in the slots; what a field can say is said by the field."""
        left = {}
        for name, text in dict(self.slots).items():
            phases = standing_in(name, text)
            for field_name, value in fields_in(name, flattened(phases)).items():
                object.__setattr__(self, field_name, value)
            if phases != ((self._said(name),),):
                left[name] = write_phases(phases)
        object.__setattr__(self, "slots", left)

    def _check_open(self) -> None:
        """Check whatever an architecture may choose: it must be allowed before a trial meets it."""
        together = [n for n in self.open if n in RECIPE_SLOTS or n in NUMBERS]
        alone = [{name: value} for name in self.open for value in self.open[name]
                 if name not in together]  # fmt: skip
        combined = product(*(self.open[name] for name in together))
        each = (dict(zip(together, values, strict=True)) for values in combined)
        for chosen in (*alone, *(islice(each, _MOST_COMBINATIONS) if together else ())):
            self._with(chosen)

    def _said(self, slot: str) -> Part:
        """Return what the fields say of a slot."""
        return part_from(slot, {name: getattr(self, name) for name in ALIASES})

    def _with(self, chosen: Mapping[str, Any]) -> "Recipe":
        """Return this recipe closed, with `chosen` fields and slots."""
        slots = {name: value for name, value in chosen.items() if name in RECIPE_SLOTS}
        numbers = {name: value for name, value in chosen.items() if name not in slots}
        return replace(self, open={}, slots={**self.slots, **slots}, **numbers)

    def phases(self, slot: str) -> Phases:
        """Return what stands in a slot, phase by phase; the parts of a phase are summed."""
        if slot in self.slots:
            return standing_in(slot, self.slots[slot])
        return ((self._said(slot),),)

    def standing(self, slot: str) -> tuple[Part, ...]:
        """Return what stands in a slot, in whatever phase."""
        return flattened(self.phases(slot))

    def chosen(self, architecture: Architecture) -> "Recipe":
        """Return the recipe of one trial: this one with what its architecture chose of it.

        Raises:
            InvalidExperiment: A choice is of a field that no architecture may choose, or its value
                is not allowed.
        """
        if not architecture.recipe:
            return replace(self, open={}) if self.open else self
        chosen = dict(architecture.recipe)
        refuse_both(chosen, "the architecture")
        for name in chosen:
            check_open(name)
        return self._with(chosen)

    def for_task(self, task: str) -> "Recipe":
        """Return the recipe with which `task` is fine-tuned: this one and what `per_task` says.

        Raises:
            InvalidExperiment: A value of `per_task` is not allowed.
        """
        own = {f"finetune_{key}": value for key, value in self.per_task.get(task, {}).items()}
        return replace(self, per_task={}, **own) if own else self

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Recipe":
        """Build a recipe from `values`; the key "preset" names the recipe they change.

        Raises:
            InvalidExperiment: An unknown key or a value that is not allowed.
            UnknownName: No preset has this name.
        """
        values = dict(values)
        base = RECIPES[values.pop("preset", DEFAULT)]
        known = [*(f.name for f in fields(cls) if f.name != "slots"), *RECIPE_SLOTS]
        for key in values:
            if key not in known:
                close = get_close_matches(str(key), known, n=1)
                hint = f" Did you mean {close[0]!r}?" if close else ""
                raise InvalidExperiment(
                    f"A recipe has no key {key!r}.{hint} Keys: preset, {', '.join(known)}."
                )
        values = with_open(values)
        slots = {name: values.pop(name) for name in RECIPE_SLOTS if name in values}
        values["slots"] = {**base.slots, **slots}
        floats = [f.name for f in fields(cls) if f.type in (float, float | None)]
        return cls(
            **{
                **asdict(base),
                **{k: read_number(v) if k in floats else v for k, v in values.items()},
            }
        )

    def to_dict(self) -> dict[str, Any]:
        """Return every value as JSON types; `from_dict` gives the same recipe back."""
        settings = {task: dict(own) for task, own in self.per_task.items()}
        found = {**asdict(self), "tasks": list(self.tasks), "per_task": settings}
        # left out where nothing is open: so it was before fields could be
        choices = {name: list(values) for name, values in found.pop("open").items()}
        slots = found.pop("slots")
        for name, value in _LATER.items():
            if getattr(self, name) == value:
                del found[name]
        own = found.pop("own_tasks")
        if own:
            found["own_tasks"] = list(own)
        for name, alias in ALIASES.items():
            if alias.slot in slots or alias.slot in choices:
                del found[name]
        return found | slots | ({"open": choices} if choices else {})


_WHOLE = [f.name for f in fields(Recipe) if f.type is int]
_MOST_COMBINATIONS = 2_000  # of open slots that are checked; more would take seconds
# fields that came later, with what they mean where a record does not have them
_LATER = {
    "pooling": "first",
    "marks": "auto",
    "size_exponent": 0.0,
    "short_blocks": 0.0,
    "teacher": "",
}
_LIMITS = [f.name for f in fields(Recipe) if f.type == int | None]
# a sequence needs its [CLS], [SEP] and some words; a vocabulary its five special tokens and text
_LEAST = {"vocabulary_size": 32, "max_length": 4, "block_length": 4, "tune_trials": 0}
_OPTIONAL = ("pretrain_decay",)
# name -> lowest, highest, and which of the two are allowed themselves
_RANGES = {
    "pretrain_learning_rate": (0.0, 1.0, "(]"),
    "finetune_learning_rate": (0.0, 1.0, "(]"),
    "pretrain_decay": (0.0, 1.0, "(]"),
    "size_exponent": (0.0, 1.0, "[]"),
    "short_blocks": (0.0, 1.0, "[)"),
    "inherit_tokens": (0.0, 1.0, "(]"),
    "selection_share": (0.0, 0.5, "(]"),
    "inherit_learning_rate": (0.0, 1.0, "(]"),
    "mask_rate": (0.0, 1.0, "()"),
    "warmup": (0.0, 1.0, "[)"),
    "weight_decay": (0.0, 1.0, "[]"),
    "clip": (0.0, float("inf"), "(]"),
    "dropout": (0.0, 1.0, "[)"),
    "pretrain_dropout": (0.0, 1.0, "[)"),
}


DEFAULT = "glue-mini"
RECIPES: Registry[Recipe] = Registry("recipe", group="nas.recipes")

RECIPES.register("glue-mini")(Recipe(pretrain_decay=0.3))
# `max_length` is then taken from the lengths seen
RECIPES.register("glue")(
    Recipe(
        vocabulary_size=8_000,
        max_length=128,
        block_length=64,
        corpus_tokens=2_000_000,
        max_train_examples=8_000,
        max_dev_examples=2_000,
        pretrain_tokens=1_600_000,
        pretrain_decay=0.3,
        finetune_epochs=4,
        dropout=0.1,
    )
)
# Portes et al., "MosaicBERT", NeurIPS 2023, but for its architecture, data and budget
RECIPES.register("mosaic")(
    replace(
        RECIPES["glue"],
        mask_rate=0.3,
        pretrain_learning_rate=5e-4,
        weight_decay=1e-5,
        slots={"schedule": "mosaic"},
    )
)
# tasks of one's own: `max_length` is then taken from the lengths seen
RECIPES.register("own")(
    Recipe(
        vocabulary_size=8_000,
        max_length=128,
        block_length=64,
        corpus_tokens=2_000_000,
        max_train_examples=10_000,
        max_dev_examples=3_000,
        pretrain_tokens=1_000_000,
        finetune_epochs=4,
        dropout=0.1,
        pooling="mean",
    )
)
RECIPES.register("checkpoint")(
    Recipe(
        max_length=128,
        # nothing is pre-trained: these say how long and large fine-tuning's batches are
        block_length=128,
        pretrain_batch=32,
        max_train_examples=10_000,
        pretrain_tokens=1_000_000,
        finetune_epochs=2,
        finetune_learning_rate=2e-4,
        positions="absolute",
        pooling="mean",
    )
)
