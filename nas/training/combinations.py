"""What of a recipe makes no sense together: refused when the recipe is read, with what to do."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from nas.training.finetuning_rules import FINETUNING_RULES, Objections
from search_spaces.errors import InvalidExperiment
from search_spaces.kinds import SLOTS

if TYPE_CHECKING:
    from nas.training.recipe import Recipe

Rule = Callable[["Recipe"], Objections]
_PAIR = 16  # tokens: two short sentences
PAIRS = ("nsp", "sso", "instruction")  # objectives that read two pieces of a block
# numbers that a rule looks at, beside the slots
NUMBERS = ("pretrain_dropout", "short_blocks")


def check_together(recipe: "Recipe") -> None:
    """Check that the parts of a recipe go together.

    Raises:
        InvalidExperiment: Some do not; the message has the reason and the nearest that works.
    """
    for rule in RULES:
        for what, why, instead in rule(recipe):
            raise InvalidExperiment(f"{what} is refused: {why}. Nearest that works: {instead}.")


def _sharpness(recipe: "Recipe") -> Objections:
    for slot in ("optimizer", "finetune_optimizer"):
        (part,) = recipe.standing(slot)
        if part.kind in ("sam", "fsam") and dict(part.settings).get("base") == "adahessian":
            yield (
                f"{slot}: {part}",
                "the curvature that AdaHessian divides by would be that of the perturbed point, at "
                "the cost of both",
                f"{slot}: {part.kind}, around AdamW, or {slot}: adahessian",
            )


def _views(recipe: "Recipe") -> Objections:
    views = [str(p) for p in recipe.standing("objective") if p.kind == "contrastive"]
    if views and recipe.pretrain_dropout == 0:
        yield (
            f"objective: {views[0]} with pretrain_dropout: 0",
            "dropout makes the two views of a text, which would be the same",
            "pretrain_dropout: 0.1",
        )


def _sentences(recipe: "Recipe") -> Objections:
    pairs = [str(p) for p in recipe.standing("objective") if p.kind in PAIRS]
    least = _PAIR if recipe.short_blocks == 0 else 2 * _PAIR
    if pairs and recipe.block_length < least:
        halved = ", halved by short_blocks" if recipe.short_blocks else ""
        yield (
            f"objective: {pairs[0]} on blocks of {recipe.block_length} tokens{halved}",
            "they hold single sentences, and a pair needs two",
            f"block_length: {least}, or objective: wso",
        )


def _noise(recipe: "Recipe") -> Objections:
    for part in recipe.standing("objective"):
        if part.kind != "e2s2":
            continue
        # looked up for those alone: it imports the kinds' files, and with them torch
        found = SLOTS["objective"].kinds["e2s2"].settings_of(part)
        noise = found["shuffle"] or found["replace"]
        if not (found["contrastive"] or found["detection"] or found["decoder"]):
            yield (
                f"objective: {part}",
                "both losses of the encoder have no weight and there is no decoder, so that "
                "nothing is left to learn",
                "objective: e2s2, or objective: e2s2(contrastive=0,decoder=1,detection=0)",
            )
        elif found["detection"] and not noise:
            yield (
                f"objective: {part}",
                "nothing is shuffled or replaced, so that there is nothing to tell",
                "objective: e2s2, or the same with detection=0",
            )
        elif found["contrastive"] and not noise and recipe.pretrain_dropout == 0:
            yield (
                f"objective: {part} with pretrain_dropout: 0",
                "neither noise nor dropout makes the two views of a text differ",
                "pretrain_dropout: 0.1, or objective: e2s2",
            )


RULES: tuple[Rule, ...] = (_sharpness, _views, _sentences, _noise, *FINETUNING_RULES)
