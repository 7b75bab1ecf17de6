"""A small search for a task's learning rate and batch, on a held-out part of its training set.

Source: Akiba et al., "Optuna: A Next-generation Hyperparameter Optimization Framework", KDD 2019;
Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011 (the sampler).
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from nas.training.recipe import Recipe
from search_spaces.errors import InvalidExperiment

# How far from the recipe's values the search goes, either way.
_RATE_FACTOR, _BATCH_FACTOR = 4.0, 2
_STARTUP = 3

Setting = dict[str, Any]


def tune(
    recipe: Recipe,
    score: Callable[[Recipe, int], float],
    *,
    seed: int,
    done: Sequence[tuple[Setting, float]] = (),
    note: Callable[[list[tuple[Setting, float]]], None] = lambda tried: None,
) -> Recipe:
    """Return `recipe` with the learning rate and the batch of fine-tuning that scored best.

    The recipe's own values are tried first, so that the result is no worse than they are on the
    examples that decide.

    Args:
        recipe: Says how many settings to try.
        score: Fine-tunes with a recipe; gets the number of the try, too. Larger is better.
        seed: Of the sampler.
        done: Settings and scores of an interrupted call; they are not tried again.
        note: Called with all settings and scores after each try.

    Raises:
        InvalidExperiment: Optuna is not installed.
    """
    study = _study(seed)
    study.enqueue_trial(_setting(recipe))
    tried: list[tuple[Setting, float]] = []
    for number in range(recipe.tune_trials):
        trial = study.ask()
        setting = _suggest(trial, recipe)
        if number < len(done) and done[number][0] == setting:
            value = done[number][1]
        else:
            value = score(replace(recipe, **setting), number)
        study.tell(trial, value)
        tried.append((setting, value))
        note(tried)
    best, _ = max(tried, key=lambda pair: pair[1])
    return replace(recipe, **best)


def _setting(recipe: Recipe) -> Setting:
    return {
        "finetune_learning_rate": recipe.finetune_learning_rate,
        "finetune_batch": recipe.finetune_batch,
    }


def _suggest(trial: Any, recipe: Recipe) -> Setting:
    rate, batch = recipe.finetune_learning_rate, recipe.finetune_batch
    batches = sorted({max(1, batch // _BATCH_FACTOR), batch, batch * _BATCH_FACTOR})
    return {
        "finetune_learning_rate": trial.suggest_float(
            "finetune_learning_rate", rate / _RATE_FACTOR, min(1.0, rate * _RATE_FACTOR), log=True
        ),
        "finetune_batch": trial.suggest_categorical("finetune_batch", batches),
    }


def _study(seed: int) -> Any:
    try:
        import optuna
    except ImportError:
        raise InvalidExperiment(
            "tune_trials needs Optuna. Run: pip install 'encoder-nas[peers]', or set it to 0."
        ) from None
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it announces every new study
    sampler = optuna.samplers.TPESampler(n_startup_trials=_STARTUP, seed=seed % 2**32)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    optuna.logging.set_verbosity(level)
    return study
