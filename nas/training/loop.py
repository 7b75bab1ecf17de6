"""Optimiser steps on a budget known in advance: schedule, clipping, precision, and what goes wrong.

Nothing in a step waits for the device: losses stay tensors and are looked at every few steps.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext

import torch
from torch import Tensor, nn

from nas.models.auxiliary import take_auxiliary
from nas.training.device import is_out_of_memory
from nas.training.optimizers import MakeOptimizer, adamw
from nas.training.schedule import Schedule
from nas.training.seeds import generator_states, generators_at
from nas.training.watch import Watch
from search_spaces.errors import TrialError

# How often losses are read back; a larger number finds a NaN later, a smaller one waits more often.
CHECK_EVERY = 16


class Loop:
    """Trains modules for a known number of steps.

    Args:
        modules: What to train, as named parts; a parameter in two of them is trained once.
        schedule: Steps, and how the learning rate moves over them.
        learning_rate: The peak.
        weight_decay: Decoupled decay of weight matrices, convolution kernels included.
        clip: Largest norm of the gradient of all parameters together.
        stage: Name of this part of the trial, for progress and messages.
        watch: The trial's clock.
        micro_batches: In how many parts a batch passes at first.
        optimizer: Makes what moves the parameters.
    """

    def __init__(
        self,
        modules: Iterable[nn.Module],
        *,
        schedule: Schedule,
        learning_rate: float,
        weight_decay: float,
        clip: float,
        stage: str,
        watch: Watch,
        micro_batches: int = 1,
        optimizer: MakeOptimizer = adamw,
    ):
        self._modules = tuple(modules)
        decayed, kept = split_by_decay(self._modules)
        self._parameters = decayed + kept
        self._optimizer = optimizer(
            decayed, kept, learning_rate=learning_rate, weight_decay=weight_decay
        )
        self._peak, self._schedule, self._clip = learning_rate, schedule, clip
        self._steps, self._stage, self._watch = schedule.steps, stage, watch
        self.step_number, self.micro_batches = 0, micro_batches
        self._losses: list[float] = []
        self._unchecked: list[Tensor] = []
        watch.check(stage, 0.0)

    @property
    def learning_rate(self) -> float:
        """The learning rate the next step would use."""
        # the middle of the step, so that neither the first nor the last step is lost to a zero
        return self._peak * self._schedule.share(min(self.step_number + 0.5, self._steps))

    def step(self, loss: Tensor | Callable[[int], Iterable[Tensor]], examples: int = 1) -> None:
        """Move the parameters against the gradient of a loss.

        Given a function, the batch passes in `micro_batches` parts, and each is differentiated
        before the next is asked for. Where memory runs out, the number of parts doubles, for the
        steps that follow too, and the batch passes again: the effective batch stays what it was.

        Args:
            loss: A scalar; or what gives, for a number of parts, scalars whose sum is the loss.
            examples: How many there are in the batch: no more parts than that are tried.

        Raises:
            TrialError: A loss or a gradient was NaN or infinite (cause "nan", with the step it
                appeared at), or the time is up (cause "time-out").
            RuntimeError: One example alone needs more memory than there is, as torch reports it.
        """
        if isinstance(loss, Tensor):
            self._move(self._differentiate([loss]))
            return
        total = self._try(loss, examples)
        while total is None:
            self._optimizer.zero_grad()
            self.micro_batches = min(2 * self.micro_batches, examples)
            total = self._try(loss, examples)
        self._move(total)

    def _try(self, losses: Callable[[int], Iterable[Tensor]], examples: int) -> Tensor | None:
        """The loss, its gradients computed; None where memory ran out, but more parts may do."""
        try:
            return self._gradients(lambda: losses(self.micro_batches))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or self.micro_batches >= examples:
                raise
            # the next try begins outside, where the error's frames hold no tensors any more
            return None

    def _gradients(self, losses: Callable[[], Iterable[Tensor]]) -> Tensor:
        """Return the loss, all gradients computed: at the weights, or where the optimizer asks."""
        if not hasattr(self._optimizer, "ascend"):
            return self._differentiate(losses())
        drawn = generator_states()
        total = self._differentiate(losses())
        self._optimizer.ascend()
        try:
            with generators_at(drawn):
                self._differentiate(losses())
        finally:
            self._optimizer.descend()
        return total

    def _differentiate(self, losses: Iterable[Tensor]) -> Tensor:
        """Add up the gradients of losses, each before the next is asked for; return their sum."""
        backward = getattr(self._optimizer, "backward", Tensor.backward)
        total = None
        with getattr(self._optimizer, "kernels", nullcontext)():
            for part in losses:
                wanted = take_auxiliary(self._modules)
                backward(part if wanted is None else part + wanted / self.micro_batches)
                value = part.detach().float()
                total = value if total is None else total + value
        return total

    def _move(self, total: Tensor) -> None:
        norm = nn.utils.clip_grad_norm_(self._parameters, self._clip, foreach=True)
        rate = self.learning_rate
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.step()
        self._optimizer.zero_grad()
        self.step_number += 1
        # the sum is finite only if the loss and every gradient is
        self._unchecked.append(torch.stack([total, norm.float()]))
        if len(self._unchecked) >= CHECK_EVERY:
            self._look_back()
        self._watch.check(self._stage, min(self.step_number / self._steps, 1.0))

    def finish(self) -> float:
        """Check the last steps; return the mean loss of the last tenth of training."""
        self._look_back()
        recent = self._losses[-max(1, len(self._losses) // 10) :]
        return sum(recent) / len(recent)

    def state(self) -> dict[str, Tensor]:
        """Return the optimiser's moments, the losses and the step, for `restore`.

        Raises:
            TrialError: As `step`: every loss so far is looked at.
        """
        self._look_back()
        tensors = {
            "step": torch.tensor(self.step_number),
            "losses": torch.tensor(self._losses, dtype=torch.float64),
        }
        for number, entries in self._optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                tensors[f"optimizer.{number}.{name}"] = value
        return tensors

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Continue from what `state` returned, of a loop over the same modules."""
        self.step_number = int(tensors["step"])
        self._losses = tensors["losses"].tolist()
        self._unchecked.clear()
        whole = self._optimizer.state_dict()
        whole["state"] = {}
        for key, value in tensors.items():
            if key.startswith("optimizer."):
                _, number, name = key.split(".", 2)
                whole["state"].setdefault(int(number), {})[name] = value
        self._optimizer.load_state_dict(whole)

    def _look_back(self) -> None:
        if not self._unchecked:
            return
        rows = torch.stack(self._unchecked)
        first = self.step_number - len(rows)
        self._unchecked.clear()
        bad = (~rows.isfinite()).any(dim=1).nonzero()
        if len(bad):
            at = int(bad[0])
            loss, norm = rows[at].tolist()
            raise TrialError(
                f"Training became unstable: at step {first + at + 1} of {self._steps} of "
                f"{self._stage} the loss was {loss:g} and the gradient's norm {norm:g}. "
                "Lower the learning rate, or train in fp32.",
                cause="nan",
            )
        self._losses += rows[:, 0].tolist()


def split_by_decay(modules: Iterable[nn.Module]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return the trainable parameters that weight decay applies to, and the others.

    Decay pulls weight matrices towards zero; biases, norms and embedding rows, which set a level
    instead of mixing inputs, are left alone.
    """
    decayed: dict[int, nn.Parameter] = {}
    kept: dict[int, nn.Parameter] = {}
    for module in modules:
        for part in module.modules():
            for parameter in part.parameters(recurse=False):
                if not parameter.requires_grad:
                    continue
                levels = parameter.ndim < 2 or isinstance(part, nn.Embedding)
                (kept if levels else decayed)[id(parameter)] = parameter
    # a decoder tied to the embedding is seen in both; the embedding decides
    return [p for key, p in decayed.items() if key not in kept], list(kept.values())
