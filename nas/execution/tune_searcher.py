"""Any policy as a search algorithm of Ray Tune.

Its state is JSON, so that a folder of results from somebody else can be restored from safely.
"""

import json
import math
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from nas.whole_files import write_whole
from search_spaces import Architecture
from search_spaces.errors import PolicyError
from surrogates.policy import Policy

_VERSION = 1


class PolicySearcher(Searcher):
    """Asks a policy for each of Tune's trials and tells it how they ended.

    A trial's config is {"architecture": dictionary, "hash": text}. Its last result must hold every
    objective of the policy; with "fidelity" in it, the policy learns that this was no full
    training, as when a scheduler stopped the trial early.

    Args:
        policy: Fresh, or restored to where it should go on.
    """

    def __init__(self, policy: Policy):
        first = policy.objectives[0]
        super().__init__(metric=first.name, mode="max" if first.sign > 0 else "min")
        self.policy = policy
        self._asked: dict[str, Architecture] = {}

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Accept what Tune ranks trials by; the policy has its own objectives and space."""
        return not config

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the config of a new trial, or Tune's mark for an exhausted space."""
        asked = self.policy.ask(1)
        if not asked:
            return Searcher.FINISHED
        (self._asked[trial_id],) = asked
        return {"architecture": asked[0].to_dict(), "hash": asked[0].hash}

    def on_trial_complete(
        self,
        trial_id: str,
        result: dict[str, Any] | None = None,
        error: bool = False,  # noqa: FBT001, FBT002  Tune's signature
    ) -> None:
        """Tell the policy how a trial ended; what cannot be used counts as a failure."""
        architecture = self._asked.pop(trial_id, None)
        if architecture is None:
            return
        names = [objective.name for objective in self.policy.objectives]
        values = {name: (result or {}).get(name) for name in names}
        if error or not result or any(value is None for value in values.values()):
            self.policy.tell(architecture, error="error")
        elif not all(math.isfinite(value) for value in values.values()):
            self.policy.tell(architecture, error="nan")
        else:
            self.policy.tell(
                architecture,
                {name: float(value) for name, value in values.items()},
                cost=result.get("time_total_s"),
                fidelity=float(result.get("fidelity", 1.0)),
            )

    def save(self, checkpoint_path: str) -> None:
        """Write the state as JSON, whole or not at all."""
        state = {
            "version": _VERSION,
            "policy": self.policy.state_dict(),
            "asked": {trial: a.to_dict() for trial, a in self._asked.items()},
        }
        write_whole(Path(checkpoint_path), json.dumps(state))

    def restore(self, checkpoint_path: str) -> None:
        """Continue from what `save` wrote.

        Raises:
            PolicyError: The file is none of ours, or its policy is another than this one's.
        """
        try:
            with open(checkpoint_path, encoding="utf-8") as file:
                state = json.load(file)
            version = state["version"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PolicyError(
                f"{checkpoint_path} holds no state of a policy ({error}). Give a file that "
                "PolicySearcher.save wrote."
            ) from None
        if version != _VERSION:
            raise PolicyError(
                f"{checkpoint_path} was written in format {version}; this version reads {_VERSION}."
            )
        self.policy.load_state_dict(state["policy"])
        self._asked = {t: Architecture.from_dict(a) for t, a in state["asked"].items()}
