"""Confirmation: the best of a search trained again with fresh seeds, and measured again here.

A search takes the best of many noisy scores, which is on average better than the truth. The fresh
seeds took no part in the choice, so that their mean is not.
"""

import hashlib
import platform
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from nas.config import Experiment
from nas.execution import BLAMELESS, Executor, Job, Outcome, make_executor
from nas.execution.interrupts import Interrupts
from nas.execution.outcomes import checked
from nas.printable import counted
from nas.runs.confirmations import Confirmations
from nas.runs.directory import Run
from nas.single.baselines import baselines_for
from nas.single.trials import adjustments, tokens_of, training_of
from nas.training.recipe import Recipe
from search_spaces import Architecture
from search_spaces.errors import InvalidExperiment, RunError
from search_spaces.kinds import SLOTS
from search_spaces.parts import Part

_POLL_SECONDS = 1.0
_STEPS = 2  # in which a longer training cuts what keeps less than half of its teacher
_ATTEMPTS = 3  # for a worker that vanished, through no fault of the training


def confirmation_seed(seed: int, digest: str, number: int) -> int:
    """Return the seed of confirmation `number`, which no trial of the search has."""
    text = f"{seed}/{digest}/confirm/{number}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


class Pace:
    """Says when a confirmation may start another training; this one: always."""

    def alive(self) -> None:
        """Be told, about once a second, that the confirmation goes on."""

    def allows(self, digest: str) -> bool:
        """Return whether a training of an architecture may start; once not, no other does."""
        return True


def confirm(
    run: Run,
    *,
    top: int,
    seeds: int,
    say: Callable[[str], None] = lambda line: None,
    baselines: bool = False,
    measured: bool = True,
    pace: Pace | None = None,
    longer: int = 1,
) -> list[str]:
    """Train the `top` architectures of the front with `seeds` fresh seeds; measure them here.

    Everything that ended well is kept at once, and is not done again by another call. Weights that
    a trial of the search inherited are not inherited here: each training is a whole one. What a
    retry changed after a failure is changed here, too. Who chose of the recipe reads as many tokens
    as in the search.

    Args:
        run: A run that no other process drives; this one may.
        top: How many architectures, from the best in the first objective.
        seeds: How many trainings of each.
        say: Called with a line for each training and measurement.
        baselines: Train what the best one is compared with as often; see `nas.single.baselines`.
        measured: Measure latency here.
        pace: Says when another training may start; None: always.
        longer: So many times the passes of a trial, for cuts of a checkpoint.

    Returns:
        The hashes of these architectures, without the baselines.

    Raises:
        InvalidExperiment: Longer is meant, and there is no checkpoint to learn from.
        RunError: No trial is finished, or another process drives the run.
        KeyboardInterrupt: It was asked to stop; what had ended is kept.
    """
    require_teacher(run.experiment, longer)
    front = run.pareto() if len(run.finished()) else None
    if front is None or front.empty:
        raise RunError(
            f"The run {str(run.directory)!r} has no finished trial to confirm. {run.way_on()}"
        )
    run.require_trusted("nas confirm")
    chosen = list(front["hash"])[:top]
    with _driven(run):
        # of the fidelities of an architecture, the highest comes last
        known = {record["hash"]: record for record in run.journal.trials()}
        store = Confirmations(run.directory, longer)
        have = {(r["hash"], r["number"]) for r in store.trainings() if r["status"] == "done"}
        order = chosen
        if baselines:
            beside = _baselines(run, store, known, chosen[0])
            # first what a verdict needs, in case that the time is over soon
            order = list(dict.fromkeys([chosen[0], *beside, *chosen[1:]]))
        wanted = [(digest, n) for n in range(1, seeds + 1) for digest in order]
        todo = [pair for pair in wanted if pair not in have]
        before = len(wanted) - len(todo)
        say(f"{counted(len(wanted), 'training')}: {before} done before, {len(todo)} to do")
        draining = "Stopping: waiting for the trainings in flight. Ctrl-C again: at once"
        with Interrupts(lambda: say(draining)) as interrupts:
            if todo:
                _train(run, store, known, todo, say, interrupts, pace or Pace(), longer)
            if measured:
                own = [pair for pair in wanted if pair[0] in chosen]
                _measure(run, store, known, own, say, interrupts)
    return chosen


@contextmanager
def _driven(run: Run) -> Iterator[None]:
    """Be the run's only driver meanwhile, unless this process is already."""
    if run.locked:
        yield
        return
    run.lock()
    try:
        yield
    finally:
        run.unlock()


def for_longer(recipe: Recipe, longer: int) -> Recipe:
    """Return the recipe of so many times the passes; who keeps little is cut in two steps then.

    Within a trial's few passes, each step would be too short.
    """
    if longer == 1:
        return recipe
    (how,) = recipe.standing("distillation")
    settings, slots = dict(how.settings), dict(recipe.slots)
    if "steps" in SLOTS["distillation"].kinds[how.kind].settings and "steps" not in settings:
        slots["distillation"] = str(Part.of(how.kind, {**settings, "steps": _STEPS}))
    return replace(recipe, finetune_epochs=longer * recipe.finetune_epochs, slots=slots)


def said_for_longer(recipe: Recipe, longer: int) -> list[str]:
    """Return what `nas train --recipe` has to be given for the recipe of `for_longer`."""
    found = for_longer(recipe, longer)
    said = [f"finetune_epochs={found.finetune_epochs}"]
    if found.slots != recipe.slots:
        said.append(f"distillation={found.slots['distillation']}")
    return said


def require_teacher(experiment: Experiment, longer: int) -> None:
    """Check that there is something to learn from for longer.

    Raises:
        InvalidExperiment: There is no checkpoint.
    """
    if longer > 1 and experiment.checkpoint is None:
        raise InvalidExperiment(
            f"{longer} times the passes of a trial are for cuts of a checkpoint, which learn from "
            "it, and this search starts from nothing. Leave finalist_longer (--longer) at 1; "
            "pretrain_tokens is what a search from nothing has more of."
        )


def _baselines(
    run: Run, store: Confirmations, known: dict[str, dict[str, Any]], best: str
) -> list[str]:
    """Record what the best one is compared with, make it known, and return the hashes."""
    hashes = []
    for baseline in baselines_for(run, Architecture.from_dict(known[best]["architecture"])):
        dictionary = baseline.architecture.to_dict()
        digest = baseline.architecture.hash
        store.compared(baseline.role, digest, baseline.words, dictionary)
        known.setdefault(digest, {"hash": digest, "architecture": dictionary})
        hashes.append(digest)
    return hashes


def _train(
    run: Run,
    store: Confirmations,
    known: dict[str, dict[str, Any]],
    todo: list[tuple[str, int]],
    say: Callable[[str], None],
    interrupts: Interrupts,
    pace: Pace,
    longer: int,
) -> None:
    if run.experiment.execution.trial_function is None:
        recipe, data = training_of(run)
        recipe = for_longer(recipe, longer)
    else:
        recipe, data = Recipe.from_dict(run.experiment.recipe), None
    # Without storage: the weights of the search must stay those of its own seeds.
    executor = make_executor(run.experiment.execution, recipe, data)
    waiting = deque((number, pair, 1) for number, pair in enumerate(todo))
    running: dict[int, tuple[tuple[str, int], int]] = {}
    try:
        gpus = float(getattr(executor, "gpus_per_trial", 0.0))
        say(f"Training: {executor.where}")
        while waiting or running:
            if interrupts.asked:
                waiting.clear()
            pace.alive()
            while waiting and len(running) < executor.capacity:
                if not pace.allows(waiting[0][1][0]):
                    waiting.clear()
                    break
                _submit(run, executor, known, waiting.popleft(), running)
            for outcome in executor.wait(_POLL_SECONDS):
                pair, attempt = running.pop(outcome.trial)
                if outcome.cause in BLAMELESS and attempt < _ATTEMPTS:
                    waiting.append((outcome.trial, pair, attempt + 1))
                    continue
                say(_record(run, store, pair, outcome, gpus))
    finally:
        executor.close()
    if interrupts.asked:
        raise KeyboardInterrupt


def _submit(
    run: Run,
    executor: Executor,
    known: dict[str, dict[str, Any]],
    entry: tuple[int, tuple[str, int], int],
    running: dict[int, tuple[tuple[str, int], int]],
) -> None:
    number, (digest, fresh), attempt = entry
    running[number] = ((digest, fresh), attempt)
    executor.submit(
        Job(
            number,
            known[digest]["architecture"],
            confirmation_seed(run.experiment.seed, digest, fresh),
            run.experiment.execution.trial_timeout,
            attempt=attempt,
            tokens=tokens_of(known[digest]),
            **adjustments(known[digest]),
        )
    )


def _record(
    run: Run, store: Confirmations, pair: tuple[str, int], outcome: Outcome, gpus: float
) -> str:
    """Write down how a training ended; return a line about it."""
    outcome = checked(outcome)
    digest, number = pair
    seed = confirmation_seed(run.experiment.seed, digest, number)
    where = {
        "seconds": outcome.seconds,
        "gpu_seconds": (outcome.seconds or 0.0) * gpus,
        "node": outcome.node,
        "device": outcome.device,
    }
    if outcome.cause is not None:
        cause, error = outcome.cause, outcome.error or ""
        store.trained(digest, number, seed, status="failed", cause=cause, error=error, **where)
        return f"{digest[:10]} seed {number}: failed ({cause}): {error}"
    store.trained(
        digest, number, seed, status="done", scores=outcome.scores, costs=outcome.costs, **where
    )
    scores = "  ".join(f"{name} {value:.4f}" for name, value in outcome.scores.items())
    return f"{digest[:10]} seed {number}: {scores}  ({outcome.seconds or 0:.0f} s)"


def _measure(
    run: Run,
    store: Confirmations,
    known: dict[str, dict[str, Any]],
    wanted: list[tuple[str, int]],
    say: Callable[[str], None],
    interrupts: Interrupts,
) -> None:
    """Time forward passes here, alone, one architecture after another and over again."""
    from nas.evaluation.cost import measure_latency
    from nas.training.trial import build_encoder

    recipe = Recipe.from_dict(run.experiment.recipe)
    machine = f"{platform.node()} ({platform.machine()}, cpu)"
    have = {(r["hash"], r["number"]) for r in store.latencies() if r["machine"] == machine}
    vocabulary = run.model_options.get("vocabulary_size", recipe.vocabulary_size)
    for digest, number in wanted:
        if interrupts.asked:
            raise KeyboardInterrupt
        if (digest, number) in have:
            continue
        architecture = Architecture.from_dict(known[digest]["architecture"])
        # What the weights are does not change the time.
        encoder = build_encoder(architecture, recipe, vocabulary)
        found = measure_latency(encoder, length=recipe.max_length, threads=recipe.threads)
        store.measured(digest, number, found.p50_ms, machine)
    say(f"Latency of {len({d for d, _ in wanted})} architectures measured on {machine}")
