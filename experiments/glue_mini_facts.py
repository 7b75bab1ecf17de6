"""Four facts about glue-mini, over seeds, with the default recipe.

1. A model trained by the default recipe stands clearly above the majority class on most tasks.
2. Pre-training helps. 3. Bigger helps. 4. Nothing saturates.

    python experiments/glue_mini_facts.py --seeds 3

takes about ten minutes of one core and prints a table.
"""

import argparse
import dataclasses

import numpy as np
import torch

from nas.config import Experiment
from nas.evaluation.majority import majority_score
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.trial import run_trial
from search_spaces import Architecture


def attention(layers: int, width: int, feedforward: int) -> Architecture:
    return Architecture.from_dict(
        {
            "l": layers,
            "o": ["sa"] * layers,
            "h": [width] * layers,
            "n": [4] * layers,
            "f": [[feedforward]] * layers,
            "p": ["sdp"] * layers,
        }
    )


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3)
    seeds = range(options.parse_args().seeds)
    torch.set_num_threads(1)
    experiment = Experiment()
    recipe = experiment_recipe(experiment)
    data = prepare_data(experiment, recipe)
    # One step of pre-training stands for none: a budget of zero is refused.
    none = dataclasses.replace(recipe, pretrain_tokens=1)
    settings = {
        "small, pre-trained": (attention(2, 64, 96), recipe),
        "small, not": (attention(2, 64, 96), none),
        "big, pre-trained": (attention(4, 128, 192), recipe),
        "big, not": (attention(4, 128, 192), none),
    }
    tasks = list(data.tasks)
    print(f"{'':<20}{'glue':>14}" + "".join(f"{task:>7}" for task in tasks), flush=True)
    floor = [majority_score(task, data.tasks[task]) for task in tasks]
    print(f"{'majority class':<20}{np.mean(floor):>14.3f}" + "".join(f"{v:>7.2f}" for v in floor))
    for name, (architecture, used) in settings.items():
        rows = [run_trial(architecture, used, data, seed=seed).scores for seed in seeds]
        glue = [row["glue"] for row in rows]
        means = "".join(f"{np.mean([row[task] for row in rows]):>7.2f}" for task in tasks)
        print(f"{name:<20}{np.mean(glue):>7.3f} ±{np.std(glue, ddof=1):.3f}{means}", flush=True)


if __name__ == "__main__":
    main()
