"""Suites that every trial of a search is scored on, as an experiment names them."""

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nas.evaluation.suites.babylm import BLIMP_SUPPLEMENT, EWOK
from nas.evaluation.suites.blimp import BLIMP
from nas.evaluation.suites.minimal_pairs import PairSuite
from nas.evaluation.suites.named import EVALUATION_ONLY
from search_spaces.errors import InvalidExperiment, UnknownName

PAIR_SUITES: dict[str, PairSuite] = {s.name: s for s in (BLIMP, BLIMP_SUPPLEMENT, EWOK)}


class SuiteSettings(BaseModel):
    """One suite of an experiment.

    Attributes:
        data: The folder of its files.
        limit: Pairs of each file at most, drawn by the seed, so that a trial's time stays bounded;
            None takes all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    data: str = Field(min_length=1)
    limit: int | None = Field(default=20, ge=1)


def read_suites(value: object) -> object:
    """Return the suites that an experiment names: each with its folder, or with its settings.

    Raises:
        InvalidExperiment: One cannot be measured in a trial, or a setting is not allowed.
        UnknownName: There is no such suite.
    """
    if not isinstance(value, Mapping):
        raise InvalidExperiment(
            "name suites with their folders, such as suites: {blimp: {data: FOLDER}}"
        )
    found = {}
    for name, said in value.items():
        if name in EVALUATION_ONLY:
            raise InvalidExperiment(f"{name} is scored in no trial. {EVALUATION_ONLY[name]}")
        if name not in PAIR_SUITES:
            raise UnknownName("suite that a trial is scored on", name, PAIR_SUITES)
        given = {"data": said} if isinstance(said, str) else said
        try:
            found[name] = SuiteSettings.model_validate(given)
        except ValidationError as error:
            problem = error.errors()[0]
            place = ".".join(map(str, (name, *problem["loc"])))
            raise InvalidExperiment(
                f"{place}: {problem['msg']} (given: {problem['input']!r:.80}). Write "
                f"{name}: {{data: FOLDER, limit: 20}}; limit is how many pairs of each file."
            ) from None
    return found


def explain_objective(name: str) -> None:
    """Refuse an objective that only a suite which is not named could give.

    Raises:
        InvalidExperiment: It is one, with what to write.
    """
    if name in EVALUATION_ONLY:
        raise InvalidExperiment(f"{name} is no objective. {EVALUATION_ONLY[name]}")
    if name in PAIR_SUITES:
        raise InvalidExperiment(
            f"{name} is measured where the folder of its files is named: --suite {name}=FOLDER, or "
            f"suites: {{{name}: {{data: FOLDER}}}} in the experiment."
        )
