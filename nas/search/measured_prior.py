"""What a search inside a checkpoint knows before its first result: parts measured one by one.

All of it goes into the experiment that the run keeps: first cuts into the space, tables into the
options of the policy. So a resume and a replay know the same.
"""

from dataclasses import fields
from itertools import islice
from typing import TYPE_CHECKING

from nas.config import Experiment
from nas.data.batches import batches
from nas.evaluation.mean_score import mean_name
from nas.teachers.calibration import calibrate
from nas.teachers.first_cuts import first_cuts
from nas.teachers.layer_choice import choose_layers
from nas.teachers.prior import Measured, measure_parts
from search_spaces.errors import InvalidExperiment
from search_spaces.library import load_space

if TYPE_CHECKING:
    from nas.data.prepared import PreparedData
    from nas.teachers.checkpoint import Checkpoint
    from nas.training.recipe import Recipe
    from search_spaces.flexibert.space import FlexiBertSpace
    from surrogates.policy import Policy

_CALIBRATION_BATCHES, _READ_BATCHES, _BATCH = 12, 2, 32


def with_prior(
    experiment: Experiment,
    checkpoint: "Checkpoint",
    data: "PreparedData",
    recipe: "Recipe",
    policy: "Policy",
) -> Experiment:
    """Return an experiment that knows what the parts of its checkpoint are worth and take.

    Scores before distilling are no results: nothing is written down as one.

    Args:
        experiment: With a space inside the checkpoint.
        checkpoint: What is searched inside of.
        data: Its tasks, in the checkpoint's tokens.
        recipe: The run's.
        policy: As the experiment names it; without the option "prior" it is only told first cuts.

    Raises:
        InvalidExperiment: A prior is given in the policy's options, too.
    """
    if "prior" in experiment.policy_options:
        raise InvalidExperiment(
            "policy_options has a prior, and prior: true measures one. Leave one of the two out."
        )
    space = load_space(experiment.space)
    measured = measured_parts(checkpoint, data, recipe, space)
    changed = {}
    if isinstance(experiment.space, dict):
        cuts = [cut.to_dict() for cut in first_cuts(measured, space, checkpoint.architecture)]
        first = [*experiment.space.get("first", []), *cuts]
        changed["space"] = {**experiment.space, "first": first}
    if any(field.name == "prior" for field in fields(policy.options)):
        scores = {mean_name(recipe.tasks), *recipe.tasks}
        tables = {name: measured.score for name in experiment.objectives if name in scores}
        if "latency_ms" in experiment.objectives:
            tables["latency_ms"] = measured.latency
        changed["policy_options"] = {**experiment.policy_options, "prior": tables}
    return experiment.model_copy(update=changed)


def measured_parts(
    checkpoint: "Checkpoint", data: "PreparedData", recipe: "Recipe", space: "FlexiBertSpace"
) -> Measured:
    """Return what the parts of a checkpoint are worth and take, on text of all tasks."""
    longest = max(recipe.max_length, recipe.block_length)
    encoder = checkpoint.build(max_length=longest, pooling=recipe.pooling).eval()
    each = -(-_CALIBRATION_BATCHES // len(data.tasks))
    text = [
        batch.sequences
        for splits in data.tasks.values()
        for batch in islice(batches(splits["train"], batch_size=_BATCH, seed=0), each)
    ]
    worth, read = calibrate(encoder, text), text[:: max(1, each)][:_READ_BATCHES]
    return measure_parts(
        encoder, worth, choose_layers(encoder, read), space, read, length=recipe.max_length
    )
