"""What a candidate is worth: its own improvement, or how far it moves the front."""

import pytest

from surrogates import make_policy
from surrogates.acquisition.beliefs import Beliefs


@pytest.mark.parametrize(
    ("objectives", "asked"),
    [({"glue": "max"}, {"_improvement"}), ({"glue": "max", "loss": "min"}, {"_advance"})],
)
def test_one_objective_is_improved_and_several_advance_their_front(
    objectives, asked, small_space, monkeypatch
):
    seen = set()
    for name in ("_improvement", "_advance"):
        real = getattr(Beliefs, name)

        def noted(beliefs, candidates, name=name, real=real):
            seen.add(name)
            return real(beliefs, candidates)

        monkeypatch.setattr(Beliefs, name, noted)
    policy = make_policy("gp-hamming", small_space, objectives, options={"initial": 4})
    for i, architecture in enumerate(list(small_space)[:6]):
        policy.tell(architecture, dict.fromkeys(objectives, 0.1 * i))
    policy.ask()
    assert seen == asked
