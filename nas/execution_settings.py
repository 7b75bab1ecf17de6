"""Where and how trials run: the part of an experiment that decides no result."""

import math
import re
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from nas.setting_types import LARGEST, Place, Seconds
from search_spaces.errors import InvalidExperiment


def _gpu_share(value: object) -> object:
    """Return a share of a GPU: "auto", or a number of at least 0."""
    try:
        share = value if value == "auto" else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        share = -1.0
    if share != "auto" and not 0 <= share < math.inf:
        raise InvalidExperiment("write auto, or a number such as 0, 0.25 or 1")
    return share


def _how_many(value: object) -> object:
    if value != "all" and not (re.fullmatch(r"[0-9]{1,18}", str(value)) and int(str(value)) >= 1):
        raise InvalidExperiment("write all, or how many of the best to keep, such as 10")
    return value if value == "all" else int(str(value))


class Execution(BaseModel):
    """Where and how trials run.

    Attributes:
        engine: "ray" (parallel; this machine or a cluster) or "inline" (one after another, in
            this process; for debugging).
        address: A Ray cluster's address or "auto"; none starts Ray on this machine.
        cpus_per_trial: Cores, and threads, a trial may use; inline it decides the threads alone.
        gpus_per_trial: Share of a GPU a trial reserves; "auto" takes one GPU where Ray has any.
            Inline, where the recipe's device decides, 0 makes it the CPU, others are refused.
        max_concurrent: Most trials at once; none fills the machine. Above 1 refused inline.
        trial_timeout: Seconds after which a trial counts as failed.
        dashboard: Port of this machine where Ray's dashboard is shown while Ray runs here, on the
            loopback address alone; none shows none. It needs the packages of ray[default].
        trial_function: "package.module:function" that stands in for training, to test a cluster or
            to search by a measurement of one's own; it gets the arguments of
            `nas.training.trial.run_trial` that it names and returns scores and costs.
        storage: Where weights and checkpoints are kept: a folder, or a URI such as s3://bucket/x
            that every node reaches; none takes the run's own directory.
        checkpoint_seconds: How often a trial writes its state, so that a lost one continues.
        keep_weights: "all", or a number: then only so many of the best in the first objective and
            the front keep their weights; those of others are removed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    engine: Literal["ray", "inline"] = "ray"
    address: Place = None
    cpus_per_trial: float = Field(default=1, gt=0, le=1e6, allow_inf_nan=False)
    gpus_per_trial: Annotated[float | Literal["auto"], BeforeValidator(_gpu_share)] = "auto"
    max_concurrent: int | None = Field(default=None, ge=1, le=LARGEST)
    dashboard: int | None = Field(default=None, ge=1024, le=65535)
    trial_timeout: Seconds = 3600.0
    trial_function: str | None = Field(default=None, pattern=r"^[\w.]+:\w+$")
    storage: Place = None
    checkpoint_seconds: Seconds = 60.0
    keep_weights: Annotated[int | Literal["all"], BeforeValidator(_how_many)] = "all"
