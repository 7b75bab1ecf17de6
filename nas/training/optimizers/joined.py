"""Several optimizers as one: its groups are theirs, and so is its state."""

from typing import Any

import torch
from torch.optim import Optimizer


class Joined(Optimizer):
    """Steps each of some optimizers; saved and restored as one.

    Args:
        inner: What to join; no parameter is in two of them.
    """

    def __init__(self, *inner: Optimizer):
        self.inner = inner
        super().__init__([group for one in inner for group in one.param_groups], {})
        self._link()

    def _link(self) -> None:
        """Give the inner ones their groups and the common state, which loading replaces."""
        first = 0
        for one in self.inner:
            end = first + len(one.param_groups)
            one.param_groups, one.state = self.param_groups[first:end], self.state
            first = end
            if isinstance(one, Joined):
                one._link()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self._link()

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Move all parameters that have a gradient."""
        for one in self.inner:
            one.step()
