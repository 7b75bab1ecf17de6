"""What a level learning rate costs: GLUE of trials whose rate falls late, against all the way.

A trial that is promoted to a larger budget keeps all its training but the share in which its rate
fell; so a late fall makes promotions cheap. Is it as good?

    python experiments/pretrain_decay.py --seeds 3

takes about twenty minutes of one core and prints a table.
"""

import argparse
import dataclasses

import numpy as np
import torch
from glue_mini_facts import attention

from nas.config import Experiment
from nas.training.preparing import experiment_recipe, prepare_data
from nas.training.trial import run_trial

DECAYS = (None, 0.5, 0.3, 0.2)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=3)
    seeds = range(options.parse_args().seeds)
    torch.set_num_threads(1)
    experiment = Experiment()
    recipe = experiment_recipe(experiment)
    data = prepare_data(experiment, recipe)
    architectures = {"small": attention(2, 64, 96), "big": attention(4, 128, 192)}
    print(f"{'':<8}{'decay':>8}{'fidelity':>10}{'glue':>15}{'validation loss':>18}", flush=True)
    for name, architecture in architectures.items():
        for fidelity in (1.0, 1 / 3):
            for decay in DECAYS:
                used = dataclasses.replace(recipe, pretrain_decay=decay)
                found = [
                    run_trial(architecture, used, data, seed=seed, fidelity=fidelity)
                    for seed in seeds
                ]
                glue = [result.scores["glue"] for result in found]
                loss = np.mean([result.details["validation_loss"] for result in found])
                print(
                    f"{name:<8}{decay or 'all':>8}{fidelity:>10.2f}{np.mean(glue):>8.3f} "
                    f"±{np.std(glue, ddof=1):.3f}{loss:>18.3f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
