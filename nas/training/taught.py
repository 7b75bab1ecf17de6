"""Students that learn from a trained encoder without being cut out of it, and what they can learn.

Its answers can be learned by anything that reads the same texts. Its hidden states and the
relations of its last layer are those of its tokens, so that students need the same tokenizer;
states are compared channel by channel, at evenly chosen depths, so that they need the same width;
relations need a last layer that attends. Attention head by head is compared of cuts alone, each
head with the one that it was.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from nas.evaluation.kinds import TASK_KINDS
from nas.training.recipe import Recipe
from search_spaces.architectures.architecture import Architecture
from search_spaces.errors import InvalidData, InvalidExperiment
from search_spaces.kinds import SLOTS
from search_spaces.library import load_space
from search_spaces.operations import OPERATIONS
from search_spaces.parts import Part

if TYPE_CHECKING:
    from nas.config import Experiment
    from nas.data.prepared import PreparedData
    from nas.models.encoder import Encoder
    from nas.teachers.checkpoint import Checkpoint
    from nas.training.distillation import Distillation

# What a distillation compares beside answers -> what of it is there only where students are cuts.
COMPARES = {
    "logits": frozenset(),
    "hidden": frozenset({"states"}),
    "relations": frozenset({"last"}),
}
_LOGITS = "Give distillation: logits"


def check_taught(recipe: Recipe, experiment: "Experiment") -> None:
    """Refuse what a recipe says of a teacher that is not there, and what no teacher goes with.

    Raises:
        InvalidExperiment: The recipe says something of the kind.
    """
    if experiment.mixers and experiment.checkpoint is None:
        raise InvalidExperiment(
            f"mixers is {', '.join(experiment.mixers)}, which are put into a checkpoint's layers, "
            "and there is none. Give one with --from FOLDER, or a space with these operations."
        )
    if experiment.prior and experiment.checkpoint is None:
        raise InvalidExperiment(
            "prior measures the parts of a checkpoint, and there is none. Give one with --from "
            "FOLDER, or leave prior out."
        )
    how = [part for part in _parts(recipe) if part.kind != "none"]
    inside = experiment.checkpoint is not None
    if how and not inside and not recipe.teacher:
        raise InvalidExperiment(
            f"distillation is {str(how[0])!r}, and there is no teacher. Give one with --from "
            "FOLDER, whose cuts learn from it, or with teacher: FOLDER in the recipe; or leave "
            "distillation out."
        )
    if recipe.teacher and inside:
        raise InvalidExperiment(
            f"teacher is {recipe.teacher!r}, and cuts of the checkpoint {experiment.checkpoint!r} "
            "learn from that. Leave one of the two out."
        )
    if recipe.teacher and not how:
        raise InvalidExperiment(
            f"teacher is {recipe.teacher!r}, and nothing says what students learn from it. "
            f"{_LOGITS}, or leave the teacher out."
        )
    if not inside and not recipe.teacher:
        return
    # a teacher's answers are stored for the training examples as they are, row by row
    for name, given, instead in (
        ("selection", recipe.selection == "train-part", "none or dev"),
        ("tune_trials", recipe.tune_trials > 0, "0"),
        ("from_mnli", recipe.from_mnli, "false"),
    ):
        if given:
            raise InvalidExperiment(
                f"{name} is {getattr(recipe, name)!r}, which does not go with a teacher. Give "
                f"{instead}, or leave the teacher out."
            )
    if inside and experiment.mixers:
        _require_no_map(recipe, experiment.mixers)
    if not inside:
        for part in how:
            _require_map(part, experiment)


def _parts(recipe: Recipe) -> Iterator[Part]:
    """Yield each distillation that stands in a recipe, or may be chosen."""
    given = recipe.open.get("distillation") or [str(recipe.standing("distillation")[0])]
    for text in given:
        yield SLOTS["distillation"].read(text)


def _require_no_map(recipe: Recipe, mixers: Sequence[str]) -> None:
    """Check that nothing compares what layers attend to, where mixers may stand that do not."""
    from nas.training.distillation.base import DISTILLATIONS

    compared = {"attention", "last"}
    for part in _parts(recipe):
        if part.kind != "none" and compared & DISTILLATIONS[part.kind].reads:
            others = sorted(k for k, of in DISTILLATIONS.items() if not compared & of.reads)
            raise InvalidExperiment(
                f"distillation is {str(part)!r}, which compares what layers attend to, and mixers "
                f"opens them to {', '.join(mixers)}, of which there is no such map. Give "
                f"{' or '.join(others)}, or leave mixers out."
            )


def _require_map(part: Part, experiment: "Experiment") -> None:
    """Check that students of a space have what a distillation compares."""
    if part.kind not in COMPARES:
        raise InvalidExperiment(
            f"distillation is {str(part)!r}, which compares the attention of heads with that of "
            "the teacher's heads they were cut from, and these students are no cuts. Give "
            f"{', '.join(COMPARES)}, or search among the teacher's cuts with --from."
        )
    if dict(part.settings).get("steps", 1) > 1:
        raise InvalidExperiment(
            f"distillation is {str(part)!r}, and steps are those of cutting a teacher. Leave steps "
            "out, or search among the teacher's cuts with --from."
        )
    if experiment.execution.trial_function is not None:
        return
    definition = getattr(load_space(experiment.space), "definition", None)
    if part.kind != "relations" or definition is None:
        return
    without = [o for o in definition.operations if o not in ("sa", "attention")]
    mixed = definition.heads_in_layer == "mixed" and len(definition.kinds) > 1
    if without or mixed:
        named = OPERATIONS[without[0]].title if without else "heads of several kinds in one layer"
        raise InvalidExperiment(
            f"distillation is {str(part)!r}, which compares what the last layer attends to, and "
            f"the space offers {named}, which has no such map. {_LOGITS}, or a space with "
            "self-attention (sa, attention) alone."
        )


def require_comparable(how: "Distillation", encoder: "Encoder", teacher: Architecture) -> None:
    """Check that a student's states can be compared with a teacher's.

    Raises:
        InvalidData: They are of another width.
    """
    wide = teacher.layers[-1].width
    other = sorted({layer.width for layer in encoder.architecture.layers} - {wide})
    if "states" in how.reads and other:
        raise InvalidData(
            f"The distillation compares hidden states channel by channel, and the student has "
            f"layers {other[0]} wide where the teacher's are {wide}. {_LOGITS} or relations, or a "
            f"space with widths: [{wide}]."
        )


def outside_teacher(experiment: "Experiment", recipe: Recipe) -> "Checkpoint":
    """Read the encoder that students are to learn from.

    Raises:
        InvalidData: There is none.
        InvalidExperiment: The space has students that cannot be compared with it.
    """
    from nas.teachers.checkpoint import read_checkpoint

    found = read_checkpoint(recipe.teacher, to_cut=False)
    definition = getattr(load_space(experiment.space), "definition", None)
    wide = found.architecture.layers[-1].width
    if definition is None or all(part.kind != "hidden" for part in _parts(recipe)):
        return found
    if set(definition.widths) != {wide}:
        raise InvalidExperiment(
            f"distillation is hidden, which compares hidden states channel by channel, and the "
            f"space offers widths {', '.join(map(str, definition.widths))} where the teacher is "
            f"{wide} wide. {_LOGITS} or relations, or a space with widths: [{wide}]."
        )
    return found


def require_same_tokens(recipe: Recipe, data: "PreparedData", teacher: "Checkpoint") -> None:
    """Check that students read the teacher's tokens, where anything of tokens is compared.

    Raises:
        InvalidExperiment: They have another tokenizer.
    """
    if data.tokenizer_json == teacher.tokenizer_json:
        return
    by_token = [part.kind for part in _parts(recipe) if COMPARES.get(part.kind)]
    words = [task.name for task in data.rows() if TASK_KINDS[task.kind].reads_tokens]
    if by_token:
        raise InvalidExperiment(
            f"distillation is {by_token[0]!r}, which compares token by token, and the students "
            f"have another tokenizer than {teacher.folder}. {_LOGITS}, which are compared on the "
            f"same texts; or give tokenizer: {teacher.folder}/tokenizer.json."
        )
    if words:
        raise InvalidExperiment(
            f"The task {words[0]!r} has answers for tokens, and the students have another "
            f"tokenizer than {teacher.folder}. Give tokenizer: {teacher.folder}/tokenizer.json, or "
            "leave the task or the teacher out."
        )
