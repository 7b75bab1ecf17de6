"""What of a recipe makes no sense together: refused when the recipe is read, with what to do."""

from collections.abc import Callable, Iterator

from search_spaces.errors import InvalidExperiment
from search_spaces.parts import Part

# slot -> what stands there
Standing = Callable[[str], tuple[Part, ...]]
# gives (what is refused, why, the nearest that works) of each of its objections
Rule = Callable[[Standing], Iterator[tuple[str, str, str]]]


def check_together(standing: Standing) -> None:
    """Check that the parts of a recipe go together.

    Raises:
        InvalidExperiment: Some do not; the message has the reason and the nearest that works.
    """
    for rule in RULES:
        for what, why, instead in rule(standing):
            raise InvalidExperiment(f"{what} is refused: {why}. Nearest that works: {instead}.")


def _sharpness(standing: Standing) -> Iterator[tuple[str, str, str]]:
    for slot in ("optimizer", "finetune_optimizer"):
        (part,) = standing(slot)
        if part.kind in ("sam", "fsam") and dict(part.settings).get("base") == "adahessian":
            yield (
                f"{slot}: {part}",
                "the curvature that AdaHessian divides by would be that of the perturbed point, at "
                "the cost of both",
                f"{slot}: {part.kind}, around AdamW, or {slot}: adahessian",
            )


RULES: tuple[Rule, ...] = (_sharpness,)
